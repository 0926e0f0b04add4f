"""Counts rows whose top-1 class changed.

An output is measured if it has a sample axis, is floating point, and its last axis has 2 to 100,000 entries. Its rows
are certainly classes if each is a probability distribution (a softmax, also over pixels and tokens), or if the output
has two axes and a name such as "logits". Other outputs with two axes may be the logits of a classifier, an embedding
or a regression of several targets, which values cannot distinguish. They are measured, since a budget may limit them,
but they are not `certain`: reports call them entries, not classes. A name such as "boxes" or "embedding" excludes an
output. So do more axes without distributions, which are feature maps and sequences.

A row counts if the reference has no NaN. A candidate's row with NaN has no top-1 class and counts as changed.
Infinities are compared as numbers. If the candidate chose a different class with the same reference value, the row
counts as unchanged.
"""

from __future__ import annotations

import heapq
import re
from dataclasses import dataclass

import numpy as np

from ..types import Array, Top1Flip

_FEWEST_CLASSES, _MOST_CLASSES = 2, 100_000
_SUM_TOLERANCE = 1e-3
_CHUNK_ELEMENTS = 1 << 17
_CLASSES = re.compile(r"logit|class|categor|label|prob|softmax", re.IGNORECASE)
_NO_CLASSES = re.compile(
    r"box|coord|embed|encod|feature|latent|regress|landmark|keypoint|offset|anchor|position|pose", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Top1:
    """Exact counts over rows, and the flips with the largest margins, at most `limit`."""

    limit: int
    rows: int = 0
    changed: int = 0
    flips: tuple[Top1Flip, ...] = ()
    certain: bool = True  # whether the rows are certainly classes

    def __add__(self, other: Top1) -> Top1:
        flips = _largest(self.limit, (*self.flips, *other.flips))
        certain = self.certain and other.certain
        return Top1(self.limit, self.rows + other.rows, self.changed + other.changed, flips, certain)


def _largest(limit: int, flips: tuple[Top1Flip, ...]) -> tuple[Top1Flip, ...]:
    return tuple(heapq.nsmallest(limit, flips, key=lambda f: (-f.margin, f.sample, f.index)))


def measure_top1(candidate: Array, reference: Array, *, start: int, limit: int, name: str = "") -> Top1 | None:
    """Compare the top-1 classes of one batch; None if the output does not look like classes.

    `name` is the name of the output; both arrays have the samples first.
    """
    if _NO_CLASSES.search(name) and not _CLASSES.search(name):
        return None
    if candidate.dtype.kind in "biu" or reference.dtype.kind in "biu" or reference.ndim < 2:
        return None
    classes = reference.shape[-1]
    if not _FEWEST_CLASSES <= classes <= _MOST_CLASSES:
        return None
    rows = reference.reshape(-1, classes)
    others = candidate.reshape(-1, classes)
    step = max(1, _CHUNK_ELEMENTS // classes)
    named = reference.ndim == 2 and bool(_CLASSES.search(name))
    total = Top1(limit)
    for low in range(0, len(rows), step):
        certain = named or _are_distributions(rows[low : low + step])
        if reference.ndim > 2 and not certain:
            return None
        total += Top1(limit, certain=certain) + _chunk(
            others[low : low + step], rows[low : low + step], low, start, reference.shape[1:-1], limit
        )
    return total


def _are_distributions(rows: Array) -> bool:
    """Tell whether every finite row is non-negative and sums to 1."""
    with np.errstate(invalid="ignore", over="ignore"):  # +Inf and -Inf in one row
        sums = rows.sum(axis=1, dtype=np.float64)
    known = np.isfinite(sums)
    return not (known.any() and (np.abs(sums[known] - 1.0).max() > _SUM_TOLERANCE or rows[known].min() < 0.0))


def _chunk(candidate: Array, reference: Array, low: int, start: int, inner: tuple[int, ...], limit: int) -> Top1:
    # argmax returns the index of a NaN if the row has one.
    expected, chosen = reference.argmax(axis=1), candidate.argmax(axis=1)
    everywhere = np.arange(len(reference))
    counted = ~np.isnan(reference[everywhere, expected])
    lost = np.isnan(candidate[everywhere, chosen]) & counted
    other = np.flatnonzero((expected != chosen) & counted & ~lost)
    top, taken = reference[other, expected[other]], reference[other, chosen[other]]
    other, top, taken = other[top != taken], top[top != taken], taken[top != taken]
    with np.errstate(over="ignore"):
        margins = top.astype(np.float64) - taken
    listed = np.lexsort((other, -margins))[:limit]
    per_sample = int(np.prod(inner, dtype=np.int64))
    flips = tuple(
        Top1Flip(
            start + (low + row) // per_sample,
            tuple(int(i) for i in np.unravel_index((low + row) % per_sample, inner)) if inner else (),
            int(expected[row]),
            int(chosen[row]),
            float(margin),
        )
        for row, margin in zip(other[listed].tolist(), margins[listed], strict=True)
    )
    return Top1(limit, int(counted.sum()), len(other) + int(lost.sum()), flips)
