"""A fault of a tenth of a percent in one layer is called drift, and its absence is not."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.workflow import summation

from ..conftest import more
from ..shared import session

pytestmark = pytest.mark.real

MODELS = Path(__file__).parents[2] / "models"
BACKENDS = tuple(f"chromium:{kind}" for kind in ("cpu", "wasm", "webgl"))
WEBGPU = (*BACKENDS, "chromium:webgpu")


def _entries(folder: Path) -> list[dict[str, Any]]:
    return [
        entry
        for group in json.loads((folder / "model.json").read_text())["weightsManifest"]
        for entry in group["weights"]
    ]


def _kernels(folder: Path) -> list[str]:
    """Weights of two dimensions or more: kernels, not biases."""
    return [entry["name"] for entry in _entries(folder) if len(entry["shape"]) > 1 and entry["dtype"] == "float32"]


def _scale(folder: Path, name: str, factor: float) -> None:
    """Multiply one weight where it lies in its shard (samples have one shard)."""
    document = json.loads((folder / "model.json").read_text())
    (group,) = document["weightsManifest"]
    (shard,) = group["paths"]
    data = bytearray((folder / shard).read_bytes())
    offset = 0
    for entry in group["weights"]:
        size = prod(entry["shape"]) * {"float32": 4, "int32": 4, "bool": 1}[entry["dtype"]]
        if entry["name"] == name:
            values = np.frombuffer(data, np.float32, size // 4, offset)
            values *= np.float32(factor)
            (folder / shard).write_bytes(data)
            return
        offset += size
    raise AssertionError(f"no weight {name}")


def _passed(model: str, artifact: Path, runtimes: tuple[str, ...]) -> dict[str, bool | None]:
    (inputs,) = MODELS.glob(f"{Path(model).stem}_inputs.*")
    report = session.compare(MODELS / model, inputs, tfjs_model=artifact, runtimes=runtimes)
    assert [str(record.id) for record in report.runtimes if record.status != "ok"] == []
    return {str(c.candidate): c.passed for c in report.comparisons if c.passed is not None}


@pytest.mark.exhaustive
@pytest.mark.parametrize("format", ["graph", *more("layers")])
def test_an_artifact_that_nobody_touched_passes(tmp_path: Path, format: str) -> None:
    pycheck.convert(MODELS / "cnn.keras", tmp_path / "web", format=format, verify=False)
    assert _passed("cnn.keras", tmp_path / "web", WEBGPU) == dict.fromkeys(WEBGPU, True)


@pytest.mark.parametrize(
    ("model", "format", "place", "runtimes"),
    [
        ("cnn.keras", "layers", 0, BACKENDS),
        *more(
            ("cnn.keras", "layers", 0, WEBGPU),
            ("recurrent.keras", "graph", -1, WEBGPU),
            ("cnn.keras", "layers", -1, WEBGPU),
            ("cnn.keras", "graph", 0, WEBGPU),
            ("cnn.keras", "graph", -1, WEBGPU),
            ("recurrent.keras", "graph", 0, WEBGPU),
        ),
    ],
)
def test_one_kernel_scaled_by_1_001_is_drift_on_every_backend(
    tmp_path: Path,
    model: str,
    format: str,
    place: int,  # of a kernel: 0 the first, -1 the last
    runtimes: tuple[str, ...],
) -> None:
    pycheck.convert(MODELS / model, tmp_path / "web", format=format, verify=False)
    _scale(tmp_path / "web", _kernels(tmp_path / "web")[place], 1.001)
    assert _passed(model, tmp_path / "web", runtimes) == dict.fromkeys(runtimes, False)


def test_a_dense_layer_on_an_image_is_roundoff_although_browsers_sum_in_sequence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """76,800 terms: the error of wasm is ten times the noise floor, and a kernel times 1.001 is still found.

    The error of the sums is measured once for a model that does not change.
    """
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((160, 160, 3)), keras.layers.Flatten(), keras.layers.Dense(10)])
    model.save(tmp_path / "m.keras")
    x = np.random.default_rng(0).random((4, 160, 160, 3), np.float32)
    report = session.compare(tmp_path / "m.keras", x, runtimes=("chromium:wasm", "chromium:webgl"))
    assert report.passed, str(report)
    assert all(c.summation_noise for c in report.comparisons if not c.is_noise_floor)
    with monkeypatch.context() as patch:
        patch.setattr(summation, "_simulated", None)
        again = session.compare(tmp_path / "m.keras", x, runtimes=("chromium:wasm", "chromium:webgl"))
        assert again.comparisons == report.comparisons
    pycheck.convert(model, tmp_path / "web", verify=False)
    _scale(tmp_path / "web", _kernels(tmp_path / "web")[0], 1.001)
    assert not session.compare(model, x, tfjs_model=tmp_path / "web", runtimes="chromium:wasm").passed
