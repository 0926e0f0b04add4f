"""Measures whether the samples of a tensor differ from one another."""

from __future__ import annotations

import sys

import numpy as np

from ..types import Array, SampleSpread

#: A share of the scale: samples that differ by more are different, and later batches need not be measured.
_ENOUGH = 2.0**-10


class Spread:
    """The largest difference of any sample from the first one. Batches come in order."""

    def __init__(self) -> None:
        self._first: Array | None = None
        self._count = 0
        self._largest = self._scale = 0.0

    def add(self, values: Array) -> None:
        """Measure one batch; tensors without a sample axis or without real numbers are left out."""
        if not values.ndim or not len(values) or values.dtype.kind not in "fiub":
            return
        self._count += len(values)
        if self._first is None:
            self._first = values[0].astype(np.float64)
        if self._count == 1 or self._largest > _ENOUGH * self._scale:
            return
        if values.shape[1:] != self._first.shape:
            self._largest = sys.float_info.max
            return
        rows = values.astype(np.float64)
        finite = rows[np.isfinite(rows)]
        self._scale = max(self._scale, float(np.abs(finite).max())) if finite.size else self._scale
        unequal = ~((rows == self._first) | (np.isnan(rows) & np.isnan(self._first)))
        with np.errstate(invalid="ignore", over="ignore"):
            differences = np.abs(rows - self._first)[unequal]
        if differences.size:
            largest = np.nan_to_num(differences, nan=sys.float_info.max, posinf=sys.float_info.max).max()
            self._largest = max(self._largest, float(largest))

    def summary(self, tensor: str) -> SampleSpread | None:
        """Return the largest difference; None if there is no second sample."""
        return SampleSpread(tensor, self._count, self._largest, self._scale) if self._count > 1 else None
