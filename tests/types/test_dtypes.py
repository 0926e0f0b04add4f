"""What the stages know of number types."""

from __future__ import annotations

import numpy as np
import pytest

from pycheck.types import UNIT_ROUNDOFF, is_exact


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_unit_roundoff_is_the_largest_that_is_lost_beside_1(dtype: str) -> None:
    one, roundoff = np.ones((), dtype), np.asarray(UNIT_ROUNDOFF[dtype], dtype)
    assert one + roundoff == one
    assert one + roundoff * np.asarray(1.01, dtype) > one


@pytest.mark.parametrize(
    ("dtype", "exact"),
    [
        *((dtype, True) for dtype in ("bool", "int8", "uint8", "int64", "uint64")),
        *((dtype, False) for dtype in ("float32", "bfloat16", "complex64", "string")),
    ],
)
def test_whole_numbers_and_booleans_are_exact(dtype: str, exact: bool) -> None:
    assert is_exact(dtype) is exact
