"""Chooses the reference of a row where Python's two precisions give different answers.

A model may decide inside: a floor, a cast to an integer, a comparison. If roundoff moves a number across such a border,
native:float32 and native:float64 differ by far more than roundoff, and both are Python's answers. A candidate that
gives one of them is as right as Python. Its error is measured against the nearer one. Each batch decides by its own
largest magnitude.
"""

from __future__ import annotations

import math

import numpy as np

from ..types import Array

#: Rows whose two references differ by more than this share of the output's largest magnitude are apart. It is the upper
#: bound of the automatic limits: below it, a candidate that equals native:float32 passes anyway.
APART = 0.01

_CHUNK_ELEMENTS = 1 << 15


def nearer(candidate: Array, size: Array, klass: Array) -> Array:
    """Return `size` with the rows of `klass` where the two are apart and the candidate is nearer to `klass`.

    All three are floating point and of one shape, with the samples first. A row is the last axis, because what a row
    answers is one decision (a softmax); an output of one number for each sample has rows of one element.
    """
    if klass is size or not size.size or _are_near(size, klass):
        return size
    width = size.shape[-1] if size.ndim > 1 else 1
    c, s, k = (np.ascontiguousarray(array).reshape(-1, width) for array in (candidate, size, klass))
    limit = APART * float(np.abs(size[np.isfinite(size)]).max(initial=0.0))
    step = max(1, _CHUNK_ELEMENTS // width)
    parts = (slice(low, low + step) for low in range(0, len(s), step))
    places = np.concatenate([part.start + _chosen(c[part], s[part], k[part], limit) for part in parts])
    if not places.size:
        return size
    result = s.copy()
    result[places] = k[places]
    return result.reshape(size.shape)


def _are_near(size: Array, klass: Array) -> bool:
    """Tell whether all are finite and no row is apart, as in most outputs."""
    flat_size, flat_klass = np.ascontiguousarray(size).reshape(-1), np.ascontiguousarray(klass).reshape(-1)
    work = np.empty(min(_CHUNK_ELEMENTS, size.size))
    farthest = largest = 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        for low in range(0, size.size, _CHUNK_ELEMENTS):
            s, k = (each[low : low + _CHUNK_ELEMENTS] for each in (flat_size, flat_klass))
            room = work[: len(s)]
            distance = float(np.abs(np.subtract(k, s, out=room), out=room).max())
            magnitude = float(np.abs(s, out=room).max())
            if not (math.isfinite(distance) and math.isfinite(magnitude)):
                return False
            farthest, largest = max(farthest, distance), max(largest, magnitude)
    return farthest <= APART * largest


def _chosen(candidate: Array, size: Array, klass: Array, limit: float) -> Array:
    """Return the rows of a chunk that are apart, and in which the candidate is nearer to `klass`."""
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.flatnonzero((np.abs(klass - size) > limit).any(axis=1))
        to_size, to_klass = (_farthest(candidate[apart], reference[apart]) for reference in (size, klass))
    return apart[to_klass < to_size]


def _farthest(candidate: Array, reference: Array) -> Array:
    """Return the largest distance in each row; an element that is not finite in the candidate has a class, no error."""
    errors = np.abs(candidate.astype(np.float64) - reference)
    errors[~np.isfinite(candidate)] = 0.0
    largest: Array = np.nan_to_num(errors, nan=math.inf, posinf=math.inf).max(axis=1, initial=0.0)
    return largest
