"""Finds the operations that LiteRT.js computes wrong together, although each is right once its result is returned."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from ..artifact import Point
from ..runtimes.native.litert_points import LitertPoints
from ..types import Array
from .asking import Asker
from .expecting import Expectations
from .selecting import upstream


async def wrong_together(
    asker: Asker, single: LitertPoints, feeds: Mapping[str, Array], python: Expectations, output: str
) -> tuple[str, str] | None:
    """Return the first and the last operation of the smallest range that is wrong as one file; None if none is.

    The end is the first point whose value is wrong in a run from the inputs that returns nothing else; then the
    beginning is the last one from which the range is still wrong on Python's values. Both are bisected.
    """
    points = upstream(single.points, [output])
    names = [point.name for point in points]

    async def is_wrong(begin: int, end: int) -> bool:
        given = dict(feeds)
        if border := _border(points, begin, end, feeds):
            given |= await single.run(feeds, border)
        value = await asker.value_of(points[end], given)
        expected = (await single.run(feeds, [names[end]]))[names[end]]
        found = None if value is None else asker.compare(names[end], value, python.expected(names[end], expected, None))
        return found is not None and found.passed is False

    if not points or not await is_wrong(0, len(points) - 1):
        return None
    end = await _first(0, len(points) - 1, lambda place: is_wrong(0, place))
    right = await _first(1, end + 1, lambda place: _not(is_wrong(place, end))) if end else 1
    return names[right - 1], names[end]


async def _first(low: int, high: int, holds: Callable[[int], Awaitable[bool]]) -> int:
    """Bisect for the first number for which a condition holds; it is taken to hold for `high`."""
    while low < high:
        middle = (low + high) // 2
        if await holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


async def _not(condition: Awaitable[bool]) -> bool:
    return not await condition


def _border(points: Sequence[Point], begin: int, end: int, feeds: Mapping[str, Array]) -> list[str]:
    """Return the points before `begin` that the operations from there to `end` read."""
    before = {point.name for point in points[:begin]}
    read = dict.fromkeys(name for point in points[begin : end + 1] for name in point.inputs)
    return [name for name in read if name in before and name not in feeds]
