"""Models in every browser of the matrix, with pytest: `pytest examples --pycheck-runtimes=chromium:webgl,firefox:wasm`.

Each test is one model on one runtime, so `-k webgl`, `--lf`, `-n 2` and the rest do what they always do.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pycheck import Report, RuntimeId

MODELS = Path(__file__).parents[1] / "models"

Compare = Callable[..., Report]


@pytest.mark.parametrize("name", ["cnn", "two_io", "recurrent", "attention"])
def test_a_model_answers_in_the_browser_as_in_python(
    name: str, pycheck_runtime: RuntimeId, pycheck_compare: Compare
) -> None:
    (inputs,) = MODELS.glob(f"{name}_inputs.*")
    pycheck_compare(MODELS / f"{name}.keras", inputs).assert_ok()


@pytest.mark.pycheck(runtimes=["chromium:webgl-f16"], atol=5e-3)
def test_half_floats_move_no_probability_by_half_a_percent(pycheck_compare: Compare) -> None:
    pycheck_compare(MODELS / "two_io.keras", MODELS / "two_io_inputs.npz").assert_ok()


@pytest.mark.pycheck(runtimes=["chromium:webgl"])
def test_a_known_divergence_is_still_there(pycheck_trace: Compare) -> None:
    report = pycheck_trace(MODELS / "webgl_nan.keras", MODELS / "webgl_nan_inputs.npy", layers=["no_less_than_none"])
    assert "infinity-mishandled" in {finding.code for finding in report.findings}
