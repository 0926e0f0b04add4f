"""One comparison with runtimes of TF.js and of LiteRT.js: each loads its own artifact, against the same references."""

from __future__ import annotations

from pathlib import Path

import pytest

import pycheck

from ..shared import session

pytestmark = pytest.mark.real

MODELS = Path(__file__).parents[2] / "models"
BOTH = ("chromium:cpu", "chromium:litert-wasm", "chromium:litert-webgpu")


@pytest.mark.exhaustive
@pytest.mark.parametrize("quantize", ["float16", "none"])
def test_both_libraries_run_in_one_comparison(quantize: str) -> None:
    report = session.compare(
        MODELS / "cnn.keras", MODELS / "cnn_inputs.npy", runtimes=BOTH, quantize=quantize, atol=1e-2, rtol=0
    )
    assert report.passed, report.findings
    assert {str(c.candidate) for c in report.comparisons if c.passed} == set(BOTH)
    assert [artifact.format for artifact in report.artifacts] == ["layers", "tflite"]
    assert [artifact.quantization for artifact in report.artifacts] == [quantize] * 2


def test_a_file_for_litert_is_converted_verified_and_written(tmp_path: Path) -> None:
    artifact = pycheck.convert(MODELS / "cnn.keras", tmp_path / "lite", format="tflite")
    assert [file.name for file in artifact.folder.iterdir()] == [artifact.model_file] == ["model.tflite"]
    assert artifact.size_bytes == (tmp_path / "lite" / "model.tflite").stat().st_size
    again = pycheck.convert(MODELS / "cnn.keras", tmp_path / "again", format="tflite", verify=False)
    assert (again.folder / again.model_file).read_bytes() == (artifact.folder / artifact.model_file).read_bytes()


def test_litert_does_not_train() -> None:
    with pytest.raises(pycheck.UsageError, match=r"LiteRT\.js only predicts"):
        pycheck.train(MODELS / "cnn.keras", MODELS / "cnn_inputs.npy", MODELS / "cnn_inputs.npy",
                      runtimes="chromium:litert-wasm")  # fmt: skip
