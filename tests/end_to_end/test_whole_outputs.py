"""Outputs and inputs without a sample axis, from the model to every form of the report, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pycheck.cli.main import run
from pycheck.report.json import report_from_dict
from pycheck.types import Tensors, Verdict

from ..shared import session

pytestmark = pytest.mark.real

CPU = ["chromium:cpu"]


def spec(shape: list[int | None], name: str = "x", dtype: Any = tf.float32) -> tf.TensorSpec:
    return tf.TensorSpec(shape, dtype, name=name)


def kept(rows: Any, most: int = 6) -> Any:
    return tf.image.non_max_suppression(rows[:, :4], rows[:, 4], most, 0.5)


def detector(image: Any) -> dict[str, Any]:
    rows = tf.reshape(image, [-1, 5])
    chosen = kept(rows)
    return {"boxes": tf.gather(rows[:, :4], chosen), "scores": tf.gather(rows[:, 4], chosen), "count": tf.size(chosen)}


def scalars(x: Any) -> dict[str, Any]:
    return {"y": x * 2.0, "total": tf.reduce_sum(x), "largest": tf.reduce_max(x), "any": tf.reduce_any(x > 0.9)}


def waveform(audio: Any) -> dict[str, Any]:
    return {"frames": tf.signal.frame(audio, 16, 8), "loudness": tf.sqrt(tf.reduce_mean(audio * audio))}


def table() -> dict[str, Any]:
    t = tf.cast(tf.range(16), tf.float32) / 16
    return {"table": tf.einsum("i,j->ij", t, t)}


def switched(x: Any, factor: Any, on: Any) -> dict[str, Any]:
    return {"y": tf.where(on, x * factor, x + factor)}


MODELS: dict[str, tuple[Callable[..., Any], list[Any], Any]] = {
    "scalars": (scalars, [spec([None, 8])], np.random.default_rng(0).random((5, 8), np.float32)),
    "scalars_of_batch_1": (scalars, [spec([1, 8])], np.ones((3, 8), np.float32)),
    "scalars_of_batch_3": (scalars, [spec([3, 8])], np.ones((6, 8), np.float32)),
    "detector": (detector, [spec([1, None, 5], "image")], np.random.default_rng(1).random((3, 9, 5), np.float32)),
    "detector_of_any_batch": (
        detector,
        [spec([None, 9, 5], "image")],
        np.random.default_rng(2).random((4, 9, 5), np.float32),
    ),
    "waveform": (waveform, [spec([None], "audio")], np.random.default_rng(3).normal(size=2205).astype(np.float32)),
    "no_input": (table, [], None),
    "switched": (
        switched,
        [spec([None, 3]), spec([], "factor"), spec([], "on", tf.bool)],
        {"x": np.ones((5, 3), np.float32), "factor": np.float32(3), "on": np.True_},
    ),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    root = tmp_path_factory.mktemp("models")
    function_of = {name: tf.function(f, input_signature=specs) for name, (f, specs, _) in MODELS.items()}

    def folder(name: str) -> Path:
        if not (root / name).exists():
            module = tf.Module()
            module.f = function_of[name]
            tf.saved_model.save(module, str(root / name), signatures=module.f)
        return root / name

    return folder


@pytest.mark.parametrize("name", MODELS)
def test_it_is_compared_and_traced_as_what_it_is(name: str, saved: Callable[[str], Path]) -> None:
    report = session.trace(saved(name), MODELS[name][2], runtimes=CPU, batch_size=2)
    assert report.verdict is Verdict.PASS
    whole = {c.tensor for c in report.comparisons if not c.has_sample_axis}
    assert whole == {spec.name for spec in report.model.signature.outputs} - {"y"}
    assert not any(c.top1_agreement is not None for c in report.comparisons if not c.has_sample_axis)
    assert {finding.code for finding in report.findings} <= {"weak-comparison", "loose-limit", "equal-outputs"}
    assert report.trace is not None and not [p for p in report.trace.points if p.skipped]


def broken(monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], None]) -> None:
    from pycheck.runtimes.browser.page import BrowserRuntime

    predict = BrowserRuntime.predict

    async def wrong(runtime: BrowserRuntime, inputs: Tensors, **options: Any) -> Tensors:
        outputs = {name: value.copy() for name, value in (await predict(runtime, inputs, **options)).items()}
        change(outputs)
        return outputs

    monkeypatch.setattr(BrowserRuntime, "predict", wrong)


def test_a_wrong_box_and_a_wrong_scalar_are_told_with_their_batch_in_every_report(
    saved: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def change(outputs: dict[str, Any]) -> None:
        outputs["boxes"][1, 2] += 1
        outputs["scores"][0] += 1

    broken(monkeypatch, change)
    np.save(tmp_path / "x.npy", MODELS["detector"][2])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(tmp_path / "cache"))
    files = ["--json", "r.json", "--html", "r.html", "--junit", "r.xml", "--markdown", "r.md", "--save-run", "run"]
    arguments = ["compare", str(saved("detector")), "x.npy", "--runtime", "chromium:cpu", "--no-color", *files]
    assert run(arguments) == 1
    terminal = capsys.readouterr().out
    told = "element [1, 2] of the batch from sample 2"
    assert "batch from 2" in terminal or told in terminal
    assert told in (tmp_path / "r.xml").read_text()
    report = report_from_dict(json.loads((tmp_path / "r.json").read_text()))
    (boxes,) = (c for c in report.comparisons if c.tensor == "boxes" and not c.is_noise_floor)
    assert {(w.sample, w.index, w.has_sample_axis) for w in boxes.worst[:3]} == {(n, (1, 2), False) for n in range(3)}
    assert "top1-flip" not in {finding.code for finding in report.findings}
    assert run(["report", "run", "--json", "again.json"]) == 1
    again = report_from_dict(json.loads((tmp_path / "again.json").read_text()))
    assert again.comparisons == report.comparisons
    assert "batch from" in (tmp_path / "r.html").read_text()


def test_another_count_is_a_shape_that_depends_on_values(
    saved: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(outputs: dict[str, Any]) -> None:
        outputs["boxes"] = outputs["boxes"][:-1]

    broken(monkeypatch, change)
    report = session.compare(saved("detector_of_any_batch"), MODELS["detector_of_any_batch"][2], runtimes=CPU)
    (finding,) = (f for f in report.findings if f.code == "shape-mismatch")
    assert "depends on values" in finding.summary


@pytest.mark.parametrize("name", ["waveform", "no_input"])
def test_a_waveform_is_not_called_samples(name: str, saved: Callable[[str], Path]) -> None:
    report = session.compare(saved(name), MODELS[name][2], runtimes=CPU)
    assert report.inputs.sample_count == 1
    text = str(report)
    assert "2,205 samples" not in text
    assert ("one value for each input" in text) == (name == "waveform")
    assert ("none, the model runs once" in text) == (name == "no_input")
