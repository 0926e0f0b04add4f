"""Counts errors by their size in ULP and by the magnitude of the reference, both in octaves."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np

from ..types import Array, MagnitudeErrors
from . import ulp

#: Larger values are counted with the last octave: no float32 is that large, and such an error is never small.
LARGEST_MAGNITUDE = 160
MOST_OCTAVES = 64

Rows = tuple[MagnitudeErrors, ...]


class ErrorGrid:
    """The counts of one batch, added in place: binades of the reference by octaves of the error."""

    def __init__(self, precision: ulp.Precision) -> None:
        self._least = max(precision.least_exponent, -LARGEST_MAGNITUDE)
        self._counts = np.zeros((LARGEST_MAGNITUDE - self._least + 1, MOST_OCTAVES), np.int64)

    def add(self, binades: Array, octaves: Array, *, largest: float, most_octave: int) -> Array:
        """Count pairs, and return their ULP histogram, as long as needed.

        `largest` is the largest magnitude and `most_octave` the largest octave.
        """
        histogram = None
        if most_octave >= MOST_OCTAVES:
            histogram = np.bincount(octaves)
            octaves, most_octave = np.minimum(octaves, MOST_OCTAVES - 1), MOST_OCTAVES - 1
        shape = len(self._counts), most_octave + 1
        if largest >= 2.0**LARGEST_MAGNITUDE or self._least == -LARGEST_MAGNITUDE:
            cells = np.clip(binades - (ulp.BIAS + self._least), 0, shape[0] - 1)
        else:
            cells = binades - (ulp.BIAS + self._least)
        cells *= shape[1]
        cells += octaves
        counts = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
        self._counts[:, : shape[1]] += counts
        return counts.sum(axis=0) if histogram is None else histogram

    def rows(self) -> Rows:
        """Return the counts without empty rows, the smallest magnitude first."""
        return tuple(
            MagnitudeErrors(
                log2_magnitude=row + self._least if row else None,
                ulp_histogram=tuple(self._counts[row, : self._counts[row].nonzero()[0][-1] + 1].tolist()),
            )
            for row in np.flatnonzero(self._counts.any(axis=1)).tolist()
        )


def add(a: Rows, b: Rows) -> Rows:
    """Return the counts of both together."""
    rows: dict[int | None, tuple[int, ...]] = {}
    for row in (*a, *b):
        known = rows.get(row.log2_magnitude, ())
        rows[row.log2_magnitude] = tuple(x + y for x, y in zip_longest(known, row.ulp_histogram, fillvalue=0))
    return tuple(MagnitudeErrors(at, rows[at]) for at in sorted(rows, key=_order))


def _order(log2_magnitude: int | None) -> float:
    return float("-inf") if log2_magnitude is None else log2_magnitude
