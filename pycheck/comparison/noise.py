"""Sums up the errors that Python makes on purpose, to widen the limits of outputs that exceed them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..types import Array


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
