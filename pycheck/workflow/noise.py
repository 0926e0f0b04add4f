"""Measures an error in Python on the inputs of a run, to widen the limits of outputs that exceed them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..types import Array, Batch, Comparison
from .references import References

#: The most samples that run in Python again.
_MOST_SAMPLES = 128


def exceeds(c: Comparison) -> bool:
    """Tell whether an output of a browser exceeds the automatic limits."""
    is_auto = c.tolerance is not None and c.tolerance.mode == "auto"
    return is_auto and c.drifted and not c.is_noise_floor


def chosen_batches(references: References, rows: Sequence[Comparison]) -> list[Batch]:
    """Return the batches with the elements that differ most, and then others, up to `_MOST_SAMPLES`."""
    worst = {element.sample for c in rows for element in c.worst}
    places = [(batch.index, range(batch.start, batch.start + batch.size)) for batch in references.again()]
    places.sort(key=lambda place: worst.isdisjoint(place[1]))
    count, chosen = 0, set[int]()
    for index, samples in places:
        if chosen and count + len(samples) > _MOST_SAMPLES:
            break
        count += len(samples)
        chosen.add(index)
    return [batch for batch in references.again() if batch.index in chosen]  # never all of them in memory


@dataclass(slots=True)
class Errors:
    """The largest finite error, sums of the powers of errors, and their count."""

    largest: float = 0.0
    squares: float = 0.0
    fourths: float = 0.0
    count: int = 0

    def add(self, one: Array, other: Array) -> None:
        """Add the differences of two results."""
        if one.shape != other.shape:  # it depends on values
            return
        error = np.abs(one.astype(np.float64) - other)
        squared = np.square(error[np.isfinite(error)])
        self.largest = max(self.largest, math.sqrt(squared.max(initial=0.0)))
        self.squares += float(squared.sum())
        self.fourths += float(np.square(squared).sum())
        self.count += squared.size

    @property
    def mean_square(self) -> float:
        """Return the mean of the squares."""
        return self.squares / self.count if self.count else 0.0

    @property
    def effective_count(self) -> float:
        """Compute 3 times the participation ratio, as for the noise floor (pycheck/comparison/summary.py)."""
        return min(3.0 * self.squares**2 / self.fourths, self.count) if self.fourths else 1.0
