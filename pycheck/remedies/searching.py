"""Two searches by trials that cost seconds each: for the smallest set that passes, and for the largest number."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

T = TypeVar("T")

#: Below this share of the whole a number is not looked for: nobody would scale an input by less.
SMALLEST_SHARE = 2.0**-16
#: The largest number that passes is known when one that fails is at most this many times larger.
CLOSE_ENOUGH = 1.2


class ExhaustedError(Exception):
    """No more trials may be made: their number or their time is used up."""


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """What passes. `complete` is False where the trials ended before it was as small, or as large, as it can be."""

    value: T
    complete: bool = True


async def smallest(
    items: Sequence[T], passes: Callable[[tuple[T, ...]], Awaitable[bool]], likely: Sequence[T] = ()
) -> Found[tuple[T, ...]] | None:
    """A set of items that passes and none of which can be left out; None where all together do not pass.

    Delta debugging (Zeller and Hildebrandt 2002, ddmin): one culprit of n takes about 2 log2(n) trials. `likely`
    are tried first. That no item at all fails is taken as known. ExhaustedError where nothing has passed before
    the trials ended.
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
    """Consecutive parts that differ by one item at most."""
    bounds = [len(items) * part // parts for part in range(parts + 1)]
    return [items[start:end] for start, end in pairwise(bounds)]


async def largest(passes: Callable[[float], Awaitable[bool]]) -> Found[float] | None:
    """The largest share of 1 that passes, to within `CLOSE_ENOUGH`; None where none down to `SMALLEST_SHARE` does.

    That the whole fails is taken as known, and that what passes passes also when it is smaller: 1/2, 1/4, 1/16 and
    so on are tried, then what lies between. ExhaustedError where nothing has passed before the trials ended.
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
