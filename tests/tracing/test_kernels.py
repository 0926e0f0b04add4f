"""Where TensorFlow Lite's two kinds of kernels differ in NaN or infinity, a runtime may have either value."""

from __future__ import annotations

import numpy as np
import pytest

from pycheck.tracing.measuring import Expected, compare_point
from pycheck.types import ARTIFACT_LITERT, NanPolicy, RuntimeId

WASM = RuntimeId("chromium", "litert-wasm")
XNNPACK = np.array([[np.inf, np.nan, 1.0, np.nan]], np.float32)
BUILTIN = np.array([[3.4e38, 0.5, 1.0, np.nan]], np.float32)


def passes(given: list[float], also: np.ndarray | None = BUILTIN) -> bool | None:
    expected = Expected(XNNPACK, None, reference=ARTIFACT_LITERT, also=also)
    value = np.array([given], np.float32)
    return compare_point("y", value, expected, WASM, precision_bits=32, nan=NanPolicy.FAIL).passed


@pytest.mark.parametrize("given", [[np.inf, np.nan, 1.0, np.nan], [3.4e38, 0.5, 1.0, np.nan], [np.inf, 0.5, 1, np.nan]])
def test_either_kind_is_right_where_the_kernels_differ(given: list[float]) -> None:
    assert passes(given)


@pytest.mark.parametrize(
    "given",
    [
        [-np.inf, np.nan, 1.0, np.nan],  # neither gives this
        [np.inf, np.nan, 1.0, 0.0],  # both give NaN
        [np.inf, np.nan, np.nan, np.nan],  # both give a number
        [np.inf, np.nan, 1.1, np.nan],
    ],
)
def test_elsewhere_a_value_is_judged_as_ever(given: list[float]) -> None:
    assert passes(given) is False


def test_without_other_kernels_python_has_one_value() -> None:
    assert passes([3.4e38, 0.5, 1.0, np.nan], None) is False
