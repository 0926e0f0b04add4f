"""Counts how the class (finite, NaN, +Inf, -Inf) of each element changed."""

from __future__ import annotations

import numpy as np

from ..types import CLASSES, Array

ClassCounts = tuple[tuple[int, ...], ...]

_SIZE = len(CLASSES)
NO_COUNTS: ClassCounts = ((0,) * _SIZE,) * _SIZE


def codes(values: Array) -> Array:
    """Return the index into CLASSES of every value, as int8."""
    result = np.zeros(values.shape, np.int8)
    if values.dtype.kind in "biu":
        return result
    result[np.isnan(values)] = 1
    result[values == np.inf] = 2
    result[values == -np.inf] = 3
    return result


def count_matrix(reference_codes: Array, candidate_codes: Array) -> Array:
    """Return the 4x4 counts as int64; rows are the reference's classes."""
    pairs = reference_codes * np.int8(_SIZE) + candidate_codes
    return np.bincount(pairs, minlength=_SIZE * _SIZE).reshape(_SIZE, _SIZE)


def add(a: ClassCounts, b: ClassCounts) -> ClassCounts:
    """Return the elementwise sum."""
    return tuple(tuple(x + y for x, y in zip(p, q, strict=True)) for p, q in zip(a, b, strict=True))
