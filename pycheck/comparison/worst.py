"""Keeps the elements that differ most, in an order that does not depend on how the data was split."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..types import Array, WorstElement


@dataclass(frozen=True, slots=True)
class Ranked:
    """A worst element with the size that it is ranked by, 0 if only its place counts."""

    size: float
    element: WorstElement

    @property
    def order(self) -> tuple[float, int, tuple[int, ...]]:
        """Return the sort key: the largest first; the earlier element wins a tie."""
        return -self.size, self.element.sample, self.element.index


@dataclass(frozen=True, slots=True)
class Worst:
    """At most `limit` elements of each kind; `errors` by size, the others by place."""

    limit: int
    errors: tuple[Ranked, ...] = ()
    masked: tuple[Ranked, ...] = ()
    introduced: tuple[Ranked, ...] = ()
    changed: tuple[Ranked, ...] = ()

    def __add__(self, other: Worst) -> Worst:
        return Worst(
            self.limit,
            first(self.limit, (*self.errors, *other.errors)),
            first(self.limit, (*self.masked, *other.masked)),
            first(self.limit, (*self.introduced, *other.introduced)),
            first(self.limit, (*self.changed, *other.changed)),
        )

    @property
    def elements(self) -> tuple[WorstElement, ...]:
        """Return all of them: masked, introduced, other changes of class, then errors."""
        return tuple(r.element for r in (*self.masked, *self.introduced, *self.changed, *self.errors))


NO_WORST = Worst(0)


def first(limit: int, ranked: Iterable[Ranked]) -> tuple[Ranked, ...]:
    """Return the first `limit` in order."""
    return tuple(heapq.nsmallest(limit, ranked, key=lambda r: r.order))


def largest_positions(errors: Array, limit: int, above: float) -> Array:
    """Return the positions of the `limit` largest errors greater than `above`; the earlier one wins a tie."""
    positions = np.flatnonzero(errors > above)
    if len(positions) <= limit:
        return positions
    values = errors[positions]
    least = np.partition(values, len(values) - limit)[len(values) - limit]
    greater = positions[values > least]
    ties = positions[values == least][: limit - len(greater)]
    return np.concatenate([greater, ties])
