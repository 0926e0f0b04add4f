"""Which fixes are tried on a runtime of LiteRT.js: another accelerator, finer quantization, TF.js, changed inputs."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest

import pycheck
from pycheck.options.table import QUANTIZATIONS
from pycheck.remedies import Trial
from pycheck.report.next_steps import next_steps
from pycheck.runtimes.fake import giving
from pycheck.types import RuntimeId

from ..fakes import Fakes, dense
from .conftest import Bench, report

GPU, CPU = RuntimeId("chromium", "litert-webgpu"), RuntimeId("chromium", "litert-wasm")


def never(trial: Trial) -> bool:
    return False


def test_no_fix_of_tfjs_is_tried() -> None:
    bench = Bench(report({str(GPU): "nan"}), never)
    assert set(bench.remedies()) == {"backend", "library", "inputs"}
    assert all(not (t.flags or t.cpu_kernels or t.epsilons or t.keep_float or t.batch_size) for t in bench.trials)


@pytest.mark.parametrize(("failed", "other"), [(GPU, CPU), (CPU, GPU)])
def test_the_other_accelerator_is_advised_with_lines_of_litert(failed: RuntimeId, other: RuntimeId) -> None:
    remedy = Bench(report({str(failed): "nan"}), lambda trial: trial.runtimes == (other,)).remedies()["backend"]
    assert remedy.options == ("--runtime", str(other))
    assert f"accelerator: '{other.kind.removeprefix('litert-')}'" in remedy.code
    assert "tf." not in remedy.code


def test_an_accelerator_that_ran_is_not_run_again() -> None:
    bench = Bench(report({str(GPU): "nan", str(CPU): "pass"}), never)
    assert bench.remedies()["backend"].trial_count == 0
    assert all(CPU not in trial.runtimes for trial in bench.trials)


@pytest.mark.parametrize(
    ("failed", "options", "expected"),
    [
        (GPU, {}, ("--runtime", "chromium:webgl")),
        (GPU, {"format": "tflite", "quantize": "dynamic"},
         ("--runtime", "chromium:webgl", "--format", "auto", "--quantize", "none")),
        (CPU, {"quantize": "float16"}, ("--runtime", "chromium:cpu")),
    ],
)  # fmt: skip
def test_tfjs_runs_on_the_same_hardware_in_a_format_and_quantization_that_it_has(
    failed: RuntimeId, options: dict[str, str], expected: tuple[str, ...]
) -> None:
    bench = Bench(report({str(failed): "nan"}), lambda t: str(t.runtimes[0]) == expected[1], **options)
    remedy = bench.remedies()["library"]
    assert (remedy.worked, remedy.options) == (True, expected)
    assert remedy.code.splitlines()[0] == f"await tf.setBackend('{expected[1].partition(':')[2]}');"
    assert "tf.loadGraphModel(" in remedy.code
    ran = [str(t.runtimes[0]) for t in bench.trials if not t.runtimes[0].is_litert]
    assert set(ran) <= {f"chromium:{kind}" for kind in (("webgpu", "webgl") if failed == GPU else ("wasm", "cpu"))}


def test_the_coarsest_finer_quantization_of_litert_is_advised() -> None:
    bench = Bench(report({str(CPU): "nan"}), lambda trial: trial.quantize == "float16", quantize="dynamic")
    assert bench.remedies()["quantization"].options == ("--quantize", "float16")
    bench = Bench(report({str(CPU): "nan"}), lambda trial: trial.quantize == "none", quantize="dynamic")
    assert bench.remedies()["quantization"].options == ("--quantize", "none")
    assert {t.quantize for t in bench.trials} <= {None, *QUANTIZATIONS} - {"uint8", "uint16"}


def test_each_library_that_failed_is_tried_apart() -> None:
    bench = Bench(report({"chromium:webgl": "nan", str(GPU): "nan", str(CPU): "nan"}), never)
    bench.remedies()
    assert all(len({runtime.is_litert for runtime in trial.runtimes}) == 1 for trial in bench.trials)
    assert any(trial.runtimes == (GPU, CPU) for trial in bench.trials)


def test_inputs_are_changed_as_typed_arrays() -> None:
    bench = Bench(report({str(GPU): "nan"}), lambda trial: 0 < dict(trial.factors).get("x", 0) <= 0.1)
    python, javascript = bench.remedies()["inputs"].code.splitlines()
    assert python.endswith("* x  # Python")
    assert "x.map(" in javascript and "tf." not in javascript


def test_a_whole_run_ends_with_the_command_that_passes(fakes: Fakes, tmp_path: Path) -> None:
    model, x = fakes.save(tmp_path / "m.keras"), tmp_path / "x.npy"
    np.save(x, np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32))
    fakes.break_(str(GPU), giving(np.nan))
    fakes.break_(str(CPU), giving(np.nan))
    found = pycheck.compare(model, x, format="tflite", runtimes=[str(GPU), str(CPU)], try_remedies=True)
    assert {(r.kind, str(r.runtime)) for r in found.remedies if r.worked} == {
        ("library", str(GPU)),
        ("library", str(CPU)),
    }
    (command,) = [line for _, line in next_steps(found) if line.startswith("pycheck compare")]
    words = shlex.split(command)
    assert "tflite" not in words
    assert {"chromium:webgpu", "chromium:wasm"} <= set(words)


def test_a_finer_quantization_converts_the_tflite_file_again(fakes: Fakes) -> None:
    seen: list[str] = []
    convert = fakes.made_from
    fakes.made_from = lambda artifact: (seen.append(artifact.quantization), convert(artifact))[1]  # type: ignore[method-assign]
    fakes.break_(str(CPU), giving(np.nan))
    x = np.ones((8, 4), np.float32)
    pycheck.compare(dense(), x, runtimes=[str(CPU)], quantize="dynamic", try_remedies=True)
    assert {"dynamic", "float16", "none"} <= set(seen)
