"""Finds the elements of an output that change when a runtime computes it again from the same inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..types import Array, WorstElement


@dataclass(frozen=True, slots=True)
class Changed:
    """The elements that changed: `count` of `element_count`.

    `element` is the one that changed most: its reference is the first value, its candidate the second. Its sample is
    the index along the first axis.
    """

    count: int
    element_count: int
    element: WorstElement


def changed(first: Array, again: Array) -> Changed | None:
    """Compare two results of the same shape bit for bit; None if they are equal.

    0 and -0 differ; two NaN are equal, whatever their bits.
    """
    differs = _differs(first, again)
    if not differs.any():
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        distance = np.abs(again.astype(np.float64) - first.astype(np.float64))
    distance = np.where(differs, np.nan_to_num(distance, nan=np.inf, posinf=np.inf), -1.0)
    place = tuple(int(i) for i in np.unravel_index(np.argmax(distance), distance.shape))
    values = float(first[place]), float(again[place])
    element = WorstElement(place[0] if place else 0, place[1:], *values, "error")
    return Changed(int(differs.sum()), first.size, element)


def _differs(first: Array, again: Array) -> Array:
    if first.dtype.kind != "f":
        return np.asarray(first != again)
    alike = (first == again) & (np.signbit(first) == np.signbit(again))
    return np.asarray(~(alike | (np.isnan(first) & np.isnan(again))))
