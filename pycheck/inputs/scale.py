"""Measures the scale of inputs, column by column, batch by batch, in little memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ..types import Array, Column, InputHint, InputScale, Outlier

#: An input with a longer last axis counts as one column: its elements are not features.
_MOST_COLUMNS = 4096
#: The most rows of an input that are kept for medians, and the most elements in all.
_MOST_ROWS, _LEAST_ROWS, _MOST_KEPT = 1024, 64, 1 << 19
#: The MAD of a normal distribution, in standard deviations, inverted.
_MAD_TO_SIGMA = 1.4826
#: The fewest rows for a median absolute deviation (MAD). With fewer, the MAD of a column of normal numbers may be so
#: small by chance that an ordinary number is 50 MAD away (with three rows, in every fiftieth column).
_FEWEST_ROWS = 10

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScaleSketch:
    """The scale of one input so far, in float64.

    It has exact extremes with their samples, and every `stride`-th row for medians. A column is one index of the last
    axis; an array with one axis, or with a long last axis, is one column. NaN and infinities are left out. `kept` is
    bounded, deterministic and independent of the batch size, because rows are kept by their position.
    """

    rows: int
    stride: int
    kept: _Floats  # (rows kept, columns), NaN for what is not finite
    low: _Floats
    high: _Floats
    low_sample: npt.NDArray[np.int64]
    high_sample: npt.NDArray[np.int64]

    @classmethod
    def of(cls, tensor: Array, start: int, before: int = 0) -> Self:
        """Measure one batch, whose first sample is `start`; `before` is the rows of earlier batches."""
        columns = tensor.shape[-1] if tensor.ndim > 1 and tensor.shape[-1] <= _MOST_COLUMNS else 1
        table = tensor.reshape(-1, columns)
        per_sample = len(table) // len(tensor)
        finite = np.isfinite(table)
        whole = bool(finite.all())
        lows = table if whole else np.where(finite, table, np.inf)
        highs = table if whole else np.where(finite, table, -np.inf)
        at_low, at_high = lows.argmin(axis=0), highs.argmax(axis=0)
        every = np.arange(columns)
        stride = 1
        while len(table) // stride > cls._most(columns):
            stride *= 2
        kept = np.asarray(table[-before % stride :: stride], np.float64)
        return cls(
            before + len(table),
            stride,
            np.where(np.isfinite(kept), kept, np.nan),
            np.asarray(lows[at_low, every], np.float64),
            np.asarray(highs[at_high, every], np.float64),
            start + at_low // per_sample,
            start + at_high // per_sample,
        )

    def merge(self, later: Self) -> Self:
        """Merge with a later batch, which was measured with `before=self.rows`."""
        stride = max(self.stride, later.stride)
        parts = [(self.kept, self.stride, 0), (later.kept, later.stride, self.rows)]
        kept = np.concatenate([_thinned(*part, stride) for part in parts])
        while len(kept) > self._most(len(self.low)):
            kept, stride = kept[::2], 2 * stride
        lower, higher = later.low < self.low, later.high > self.high
        return type(self)(
            later.rows,
            stride,
            kept,
            np.where(lower, later.low, self.low),
            np.where(higher, later.high, self.high),
            np.where(lower, later.low_sample, self.low_sample),
            np.where(higher, later.high_sample, self.high_sample),
        )

    def summary(self, name: str, hint: InputHint | None = None) -> InputScale | None:
        """Return the scale for the rules; None if no value is finite, or if the input holds indices of a table."""
        entries = hint.entry_columns if hint else ()
        if entries is None:
            return None
        known = np.setdiff1d(np.flatnonzero(np.isfinite(self.low)), entries)
        if not known.size:
            return None
        magnitude = np.maximum(np.abs(self.low), np.abs(self.high))
        constant = [int(i) for i in known if self.low[i] == self.high[i]]
        varying = [i for i in known if self.low[i] != self.high[i]] or list(known)
        largest, smallest = (pick(varying, key=lambda i: magnitude[i]) for pick in (max, min))
        return InputScale(
            name,
            columns=len(self.low),
            largest=Column(int(largest), float(magnitude[largest])),
            smallest=Column(int(smallest), float(magnitude[smallest])),
            outlier=self._outlier(known),
            constant_columns=tuple(constant) if len(constant) < len(known) else (),
        )

    def _outlier(self, known: npt.NDArray[Any]) -> Outlier | None:
        """Find the value farthest from its column's median, in robust standard deviations (1.4826 MAD).

        Iglewicz and Hoaglin, How to detect and handle outliers, 1993. If most values of a column are equal, its MAD is
        0 and no outlier is found; likewise if there are too few values.
        """
        kept = self.kept[:, known]
        with np.errstate(all="ignore"):
            median = np.nanmedian(kept, axis=0) if len(kept) else np.zeros(len(known))
            sigma = _MAD_TO_SIGMA * np.nanmedian(np.abs(kept - median), axis=0)
            distances = np.stack([median - self.low[known], self.high[known] - median]) / sigma
        distances[~np.isfinite(distances)] = 0.0
        distances[:, np.isfinite(kept).sum(axis=0) < _FEWEST_ROWS] = 0.0
        side, at = np.unravel_index(np.argmax(distances), distances.shape)
        if not distances[side, at]:
            return None
        column = int(known[at])
        values, samples = (self.low, self.low_sample) if side == 0 else (self.high, self.high_sample)
        return Outlier(
            column,
            sample=int(samples[column]),
            value=float(values[column]),
            median=float(median[at]),
            robust_z=float(distances[side, at]),
        )

    @staticmethod
    def _most(columns: int) -> int:
        return max(_LEAST_ROWS, min(_MOST_ROWS, _MOST_KEPT // columns))


def _thinned(kept: _Floats, stride: int, before: int, wanted: int) -> _Floats:
    """Keep every row whose position is a multiple of `wanted`, from rows that are `stride` apart."""
    first = -(-before // stride)  # the position of the first kept row, in strides
    return kept[-first % (wanted // stride) :: wanted // stride]
