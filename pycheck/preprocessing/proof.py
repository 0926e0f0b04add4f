"""Takes differences apart: which of them an error needs, if all others are undone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

#: An error must become smaller by this factor, or the difference is no cause.
_PROVEN_FACTOR = 1.05


@dataclass(frozen=True, slots=True)
class Proven:
    """A difference by its code: `before` and `after` are errors with all others undone, and with this one too."""

    code: str
    before: float
    after: float


def proven(codes: Sequence[str], error: Callable[[frozenset[str]], float], least: float) -> list[Proven]:
    """Return the differences whose undoing is needed, the largest first.

    `error` is the RMS error of the input when a set of differences is undone. A difference whose share of the error is
    below `least`, in quadrature, or below 5 %, is left out, one after the other.
    """
    left = list(codes)
    known: dict[frozenset[str], float] = {}

    def measured(undone: frozenset[str]) -> float:
        if undone not in known:
            known[undone] = error(undone)
        return known[undone]

    while True:
        every = frozenset(left)
        after = measured(every)
        before = {code: measured(every - {code}) for code in left}
        weak = [code for code in left if not _is_needed(before[code], after, least)]
        if not weak:
            break
        left.remove(min(weak, key=lambda code: before[code]))
    found = [Proven(code, before[code], after) for code in left]
    return sorted(found, key=lambda each: each.before, reverse=True)


def _is_needed(before: float, after: float, least: float) -> bool:
    return before > after * _PROVEN_FACTOR and math.sqrt(max(before**2 - after**2, 0.0)) > least
