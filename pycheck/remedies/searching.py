"""Searches with slow trials: for the smallest set that passes, and for the largest number that passes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

T = TypeVar("T")

#: The smallest share of the whole that is tried; a smaller one is no useful fix.
SMALLEST_SHARE = 2.0**-16
#: The search for the largest number ends if a number that fails is at most this many times larger.
CLOSE_ENOUGH = 1.2


class ExhaustedError(Exception):
    """The error if the number or the time of the trials is used up."""


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """The result of a search. `complete` is False if the trials were used up before it was minimal, or maximal."""

    value: T
    complete: bool = True


async def smallest(
    items: Sequence[T], passes: Callable[[tuple[T, ...]], Awaitable[bool]], likely: Sequence[T] = ()
) -> Found[tuple[T, ...]] | None:
    """Find a set of items that passes and from which no item can be removed; None if all items together do not pass.

    Delta debugging (Zeller and Hildebrandt 2002, ddmin): one culprit of n takes about 2 log2(n) trials. `likely` items
    are tried first. The empty set is known to fail. ExhaustedError if the trials are used up before any set has
    passed.
    """
    best = await _start(items, passes, likely)
    if best is None:
        return None
    parts = 2
    try:
        while len(best) > 1:
            chunks = _split(best, parts)
            rests = [tuple(item for item in best if item not in chunk) for chunk in chunks] if parts > 2 else []
            smaller = await _first([*chunks, *rests], passes)
            if smaller is not None:
                parts = 2 if smaller in chunks else max(parts - 1, 2)
                best = smaller
            elif parts < len(best):
                parts = min(2 * parts, len(best))
            else:
                break
    except ExhaustedError:
        return Found(best, complete=False)
    return Found(best)


async def _start(
    items: Sequence[T], passes: Callable[[tuple[T, ...]], Awaitable[bool]], likely: Sequence[T]
) -> tuple[T, ...] | None:
    return await _first([tuple(chosen) for chosen in (likely, items) if chosen], passes)


async def _first(
    candidates: Iterable[tuple[T, ...]], passes: Callable[[tuple[T, ...]], Awaitable[bool]]
) -> tuple[T, ...] | None:
    for candidate in candidates:
        if await passes(candidate):
            return candidate
    return None


def _split(items: tuple[T, ...], parts: int) -> list[tuple[T, ...]]:
    """Split items into consecutive parts whose lengths differ by one at most."""
    bounds = [len(items) * part // parts for part in range(parts + 1)]
    return [items[start:end] for start, end in pairwise(bounds)]


async def largest(passes: Callable[[float], Awaitable[bool]]) -> Found[float] | None:
    """Find the largest share of 1 that passes, within `CLOSE_ENOUGH`.

    None if no share down to `SMALLEST_SHARE` passes. The whole is known to fail, and a smaller share than one that
    passes is assumed to pass. 1/2, 1/4, 1/16 and so on are tried first, then shares between. ExhaustedError if the
    trials are used up before any share has passed.
    """
    failing, exponent = 1.0, 1
    while not await passes(share := 2.0**-exponent):
        failing, exponent = share, 2 * exponent
        if 2.0**-exponent < SMALLEST_SHARE:
            return None
    passing = share
    try:
        while failing / passing > CLOSE_ENOUGH:
            middle = (failing * passing) ** 0.5
            if await passes(middle):
                passing = middle
            else:
                failing = middle
    except ExhaustedError:
        return Found(passing, complete=False)
    return Found(passing)
