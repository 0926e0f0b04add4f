"""Where an error on LiteRT.js begins, from the results of the same file in Python."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pycheck.comparison import measure, summarize
from pycheck.types import NATIVE_FLOAT64, Comparison, FaultyPart, RuntimeId
from pycheck.workflow.tflite_check import faulty_part

REFERENCE = np.random.default_rng(0).normal(size=(6, 4))
SAMPLES = range(6)


def _off_by(error: float, *, passed: bool = False) -> Comparison:
    values = (REFERENCE + error * np.sin(np.arange(REFERENCE.size)).reshape(REFERENCE.shape)).astype(np.float32)
    summary = summarize(
        measure(values, REFERENCE, REFERENCE, start=0),
        tensor="y",
        reference=NATIVE_FLOAT64,
        candidate=RuntimeId("chromium", "litert-webgpu"),
        class_reference=NATIVE_FLOAT64,
    )
    return replace(summary, passed=passed)


@pytest.mark.parametrize(
    ("browser", "builtin", "xnnpack", "part"),
    [
        (0.1, 0.1, 0.1, FaultyPart.FILE),
        (0.1, 0.06, 0.1, FaultyPart.FILE),
        (0.1, 0.3, 0.3, FaultyPart.FILE),
        (0.1, None, 0.1, FaultyPart.XNNPACK),
        (0.1, 0.01, 0.1, FaultyPart.XNNPACK),
        (0.1, 0.1, None, FaultyPart.BUILTIN),
        (0.1, 0.01, None, FaultyPart.MOSTLY_BROWSER),
        (0.1, None, None, FaultyPart.BROWSER),
        (0.1, 0.01, 0.02, FaultyPart.MOSTLY_BROWSER),
        (0.1, None, 0.02, FaultyPart.MOSTLY_BROWSER),
    ],
)
def test_an_error_begins_where_python_has_at_least_half_of_it(
    browser: float, builtin: float | None, xnnpack: float | None, part: FaultyPart
) -> None:
    own, python = _off_by(browser), [_off_by(error or 0.0, passed=error is None) for error in (builtin, xnnpack)]
    assert faulty_part(own, *python, SAMPLES) is part


def test_errors_of_the_browser_on_samples_that_python_did_not_run_again_are_not_compared() -> None:
    own = _off_by(0.1)
    assert faulty_part(own, _off_by(0.01), None, SAMPLES) is FaultyPart.MOSTLY_BROWSER
    assert faulty_part(own, _off_by(0.01), _off_by(0.01), ()) is FaultyPart.FILE
