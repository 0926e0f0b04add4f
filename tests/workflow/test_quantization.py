"""The limits of a quantized artifact: what rounding makes of it in Python, measured for real."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

import pycheck
from pycheck.types import QuantizationNoise
from pycheck.workflow import quantization

from ..conftest import more
from ..shared import session

pytestmark = pytest.mark.real

WASM = "chromium:litert-wasm"
GPU = "chromium:litert-webgpu"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has m.keras, other.keras with one weight times 1.5, x.npy, and both as int8 files m.tflite and other.tflite."""
    folder = tmp_path_factory.mktemp("quantized")
    keras.utils.set_random_seed(3)
    image = keras.Input((12, 12, 2), name="image")
    features = keras.layers.Conv2D(12, 3, activation="relu")(keras.layers.Conv2D(16, 3, activation="relu")(image))
    kind = keras.layers.Dense(6, activation="softmax", name="kind")
    model = keras.Model(image, kind(keras.layers.Flatten()(features)))
    np.save(folder / "x.npy", np.random.default_rng(0).uniform(0, 1, (24, 12, 12, 2)).astype(np.float32))
    for name, scale in (("m", 1.0), ("other", 1.5)):
        kernel, bias = kind.get_weights()
        kind.set_weights([kernel * scale, bias])
        model.save(folder / f"{name}.keras")
        made = folder / name
        pycheck.convert(
            folder / f"{name}.keras", made, format="tflite", quantize="int8", inputs=folder / "x.npy", verify=False
        )
        (made / "model.tflite").rename(folder / f"{name}.tflite")
    return folder


def _codes(report: pycheck.Report) -> dict[str, str]:
    return {finding.code: finding.severity.value for finding in report.findings}


@pytest.mark.parametrize("quantize", ["int8", "dynamic", *more("float16")])
def test_a_sound_file_passes_and_what_rounding_costs_is_a_warning(folder: Path, quantize: str) -> None:
    report = session.compare(folder / "m.keras", folder / "x.npy", runtimes=[WASM, GPU], quantize=quantize)
    assert report.passed, report.findings
    rows = [c for c in report.comparisons if c.candidate.is_litert]
    noises = {c.quantization_noise for c in rows}
    (noise,) = noises
    assert noise is not None and noise.rms
    assert all(0.1 * noise.rms < (c.rms_error or 0.0) < 2.0 * noise.rms for c in rows)
    assert _codes(report)["quantization-drift"] in ("warning", "info")


def test_what_rounding_costs_an_unchanged_model_is_measured_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def noises() -> list[QuantizationNoise | None]:
        report = session.compare(folder / "m.keras", folder / "x.npy", runtimes=WASM, quantize="dynamic")
        return [c.quantization_noise for c in report.comparisons if c.candidate.is_litert]

    first = noises()
    monkeypatch.setattr(quantization, "_noises", None)
    assert noises() == first and all(first)


def test_a_file_as_the_model_may_round_its_values_differently_and_its_rounding_costs_nothing(folder: Path) -> None:
    report = session.compare(folder / "m.tflite", folder / "x.npy", runtimes=[WASM, GPU])
    assert report.passed, report.findings
    assert "quantization-drift" not in _codes(report)


def test_a_file_of_other_weights_is_not_explained_by_rounding(folder: Path) -> None:
    report = session.compare(folder / "m.keras", folder / "x.npy", tflite_model=folder / "other.tflite", runtimes=WASM)
    assert report.verdict is pycheck.Verdict.DRIFT
    codes = _codes(report)
    assert codes["conversion-drift"] == "error" and "quantization-drift" not in codes


def test_a_saved_run_is_judged_again_by_the_same_noise(folder: Path, tmp_path: Path) -> None:
    report = session.compare(
        folder / "m.keras", folder / "x.npy", runtimes="chromium:wasm", quantize="uint8", save_run=tmp_path / "run"
    )
    again = pycheck.rejudge(tmp_path / "run")
    assert report.passed and again.passed
    assert [c.tolerance for c in again.comparisons] == [c.tolerance for c in report.comparisons]


def test_a_saved_run_with_limits_of_its_own_has_no_noise_and_1_percent_is_allowed(folder: Path, tmp_path: Path) -> None:
    given = {"runtimes": "chromium:wasm", "quantize": "float16", "save_run": tmp_path / "run", "atol": 0.1}
    session.compare(folder / "m.keras", folder / "x.npy", **given)
    again = pycheck.rejudge(tmp_path / "run")
    assert again.passed
    (row,) = [c for c in again.comparisons if not c.is_noise_floor]
    assert row.tolerance is not None and "could not be measured" in row.tolerance.derivation
