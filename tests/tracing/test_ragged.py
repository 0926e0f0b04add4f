"""Loops, branches and shapes that depend on values: each is looked at, none is a crash, with and without the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.model.tensorflow_import import import_tensorflow
from pycheck.types import Finding, Report

from ..conftest import more
from ..published import import_tensorflowjs
from ..shared import session

pytestmark = pytest.mark.real

SAMPLES = 32  # one batch, and as many elements as WebGL does not leave to the CPU
RUNTIMES = ["chromium:wasm", "chromium:webgl"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel with a loop, a branch, non-maximum suppression, and masks that not every runtime agrees on."""
    import tensorflow as tf

    class Ragged(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32, name="x")])
        def __call__(self, x: Any) -> dict[str, Any]:
            _, total = tf.while_loop(lambda i, _: i < 3, lambda i, t: (i + 1, t * 1.5), (0, x))
            chosen = tf.image.non_max_suppression(x, x[:, 0], 3, iou_threshold=0.5)
            ratio = x / tf.reverse(x, [1])
            return {
                "total": total,
                "branch": tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2.0, lambda: x - 1.0),
                "chosen": tf.gather(x, chosen),
                "where": tf.where(x > 0.2),
                # 0.1 times 3 is 0.3 in float32 and less in float64.
                "near": tf.boolean_mask(x, tf.reduce_max(x * 3.0, axis=1) >= 0.3),
                # 0 / 0 is NaN, which is no more than 0.5, and 1 on WebGL.
                "sound": tf.boolean_mask(x, tf.reduce_min(ratio, axis=1) > 0.0),
            }

    module = Ragged()
    folder = tmp_path_factory.mktemp("ragged") / "saved"
    tf.saved_model.save(module, str(folder), signatures=module.__call__.get_concrete_function())
    return folder


def _as_pycheck_converts(saved: Path, folder: Path) -> Path:
    pycheck.convert(saved, folder, verify=False)
    return folder / "model.json"


def _as_published(saved: Path, folder: Path, *, control_flow_v2: bool) -> Path:
    """By the converter that made what is on the web: with Switch, Merge and Enter, or with functions."""
    import_tensorflow()
    import_tensorflowjs()
    from tensorflowjs.converters import convert_tf_saved_model

    convert_tf_saved_model(str(saved), str(folder), control_flow_v2=control_flow_v2)
    return folder / "model.json"


#: What is traced: the model, or a model.json by itself.
MADE: Mapping[str, Callable[[Path, Path], Path]] = {
    "the model": lambda saved, folder: saved,
    "its model.json alone": _as_pycheck_converts,
    "a published model.json, control flow v1": partial(_as_published, control_flow_v2=False),
    "a published model.json, control flow v2": partial(_as_published, control_flow_v2=True),
}


ALWAYS = ("the model", "a published model.json, control flow v2")


@pytest.fixture(scope="module", params=[*ALWAYS, *more(*(name for name in MADE if name not in ALWAYS))])
def report(request: pytest.FixtureRequest, saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The trace on WebAssembly and WebGL."""
    x = np.random.default_rng(0).uniform(0.2, 1.0, (SAMPLES, 4)).astype(np.float32)
    x[3] = 0.1
    x[5] = 0.0
    model = MADE[request.param](saved, tmp_path_factory.mktemp("converted") / "web")
    return session.trace(model, x, runtimes=RUNTIMES, cache=False)


def findings(report: Report, code: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.code == code]


def test_a_loop_and_a_branch_are_points_and_nothing_is_skipped(report: Report) -> None:
    assert report.trace is not None
    assert [point.name for point in report.trace.points if point.skipped] == []
    for kind in ({"While", "StatelessWhile", "while"}, {"If", "StatelessIf", "cond"}):
        found = [point for point in report.trace.points if point.op in kind]
        assert found
        for point in found:
            assert [(str(r.runtime), r.role) for r in point.results] == [(runtime, "ok") for runtime in RUNTIMES]


def named(report: Report, output: str) -> str:
    """What an output is called: the published converter numbers them in the order of their names."""
    names = [spec.name for spec in report.model.signature.outputs]
    if output in names:
        return output
    number = sorted(["branch", "chosen", "near", "sound", "total", "where"]).index(output)
    return f"Identity_{number}:0" if number else "Identity:0"


@pytest.mark.parametrize("output", ["total", "branch", "chosen", "where", "near"])
def test_what_all_runtimes_choose_alike_passes_whatever_its_shape(report: Report, output: str) -> None:
    judged = [c for c in report.comparisons if c.tensor == named(report, output) and not c.is_noise_floor]
    assert [(c.passed, c.shape_mismatch) for c in judged] == [(True, None)] * len(RUNTIMES)


def test_float32_and_float64_that_choose_otherwise_are_a_finding_and_float32_is_what_counts(report: Report) -> None:
    (found,) = (f for f in findings(report, "shape-mismatch") if f.tensor == named(report, "near"))
    assert found.severity == "warning"
    assert "float32 and float64" in found.summary and "reference (30, 4), candidate (31, 4)" in found.summary


def test_a_runtime_that_chooses_otherwise_is_a_finding_and_its_source_is_found(report: Report) -> None:
    (found,) = (f for f in findings(report, "shape-mismatch") if f.tensor == named(report, "sound"))
    assert (*map(str, found.runtimes), found.severity) == ("chromium:webgl", "error")
    assert report.verdict is not pycheck.Verdict.PASS
    in_python, source = sorted(findings(report, "division-by-zero"), key=lambda finding: bool(finding.runtimes))
    assert (in_python.runtimes, in_python.evidence["op"]) == ((), "RealDiv")
    assert (*map(str, source.runtimes), source.evidence["op"]) == ("chromium:webgl", "RealDiv")
