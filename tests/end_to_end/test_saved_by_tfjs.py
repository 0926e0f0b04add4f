"""What TF.js itself saves: a model file of any name, and a path to its weights that begins with a dot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pycheck

from ..shared import session

pytestmark = pytest.mark.real

MODELS = Path(__file__).parents[2] / "models"


def test_a_model_that_the_browser_saved_is_compared_and_traced(tmp_path: Path) -> None:
    """`model.save('downloads://digits')` writes the path ./digits.weights.bin."""
    pycheck.convert(MODELS / "cnn.keras", tmp_path / "web", format="layers", verify=False)
    document = json.loads((tmp_path / "web" / "model.json").read_text())
    weights = b"".join(
        (tmp_path / "web" / path).read_bytes() for group in document["weightsManifest"] for path in group["paths"]
    )
    entries = [entry for group in document["weightsManifest"] for entry in group["weights"]]
    document["weightsManifest"] = [{"paths": ["./digits.weights.bin"], "weights": entries}]
    (tmp_path / "digits.json").write_text(json.dumps(document))
    (tmp_path / "digits.weights.bin").write_bytes(weights)
    report = session.trace(tmp_path / "digits.json", samples=4, runtimes=["chromium:cpu", "chromium:wasm"])
    assert report.passed
    assert report.trace is not None and report.trace.points and not report.trace.sources()
