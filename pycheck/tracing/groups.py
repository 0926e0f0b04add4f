"""Splits the points of an artifact into parts that fit into memory: segments in the page, groups in Python."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..artifact import Point

#: Bytes that an element takes in Python while its point is compared: float32, float64, the operation in isolation in
#: float64, and the comparison; then, for each runtime, the whole run and the operation in isolation.
_REFERENCE_BYTES = 4 + 8 + 8 + 4
_RUNTIME_BYTES = 4 + 4
_INPUT_BYTES = 4
#: Bytes that an element takes in a runtime's page until it is fetched.
_HELD_BYTES = 4

#: Shares of the memory: one group in Python, of which several run at once; Python's values that later groups read.
_GROUP_SHARE, _KEPT_SHARE = 1 / 4, 1 / 8
#: Every page may use this much in addition.
_HELD_SHARE = 1 / 2

#: The default memory is the first size; it grows up to the second if the largest value needs more.
_USUAL_BYTES, _MOST_BYTES = 400 << 20, 1 << 30


@dataclass(frozen=True, slots=True)
class Group:
    """Points that Python computes together, and the memory that they take, in bytes."""

    points: tuple[Point, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Segment:
    """Groups whose values come from one run of the whole model; each page keeps the values until they are fetched."""

    groups: tuple[Group, ...]

    @property
    def names(self) -> list[str]:
        """Return the names of its points."""
        return [point.name for group in self.groups for point in group.points]


@dataclass(frozen=True, slots=True)
class Plan:
    """All points in topological order, and points that exceed the memory alone, with the reason.

    `kept_bytes` is the memory for Python's values that later groups read.
    """

    segments: tuple[Segment, ...]
    too_large: Mapping[str, str]
    kept_bytes: int

    @property
    def group_count(self) -> int:
        """Count the groups of all segments."""
        return sum(len(segment.groups) for segment in self.segments)

    @property
    def points(self) -> list[Point]:
        """Return all points, without those that are too large."""
        return [point for segment in self.segments for group in segment.groups for point in group.points]


def cut(points: Iterable[Point], elements: Mapping[str, int], *, runtimes: int, memory_bytes: int) -> Plan:
    """Divide points into segments and groups; `elements` has the number of elements of each, over all traced samples.

    A point that needs more than its share is a group, or a segment, of its own.
    """
    too_large: dict[str, str] = {}
    segments: list[list[list[Point]]] = []
    sizes: list[list[int]] = []
    used = held = memory_bytes  # the first point then starts a segment and a group
    for point in points:
        needed, holding = _needed(point, elements, runtimes), elements[point.name] * _HELD_BYTES
        if needed > memory_bytes:
            too_large[point.name] = (
                f"it needs {readable(needed)}, more than --trace-memory {readable(memory_bytes)}; "
                "set a larger --trace-memory, or fewer --trace-samples"
            )
            continue
        if held + holding > memory_bytes * _HELD_SHARE:
            segments.append([])
            sizes.append([])
            used, held = memory_bytes, 0
        if used + needed > memory_bytes * _GROUP_SHARE:
            segments[-1].append([])
            sizes[-1].append(0)
            used = 0
        segments[-1][-1].append(point)
        sizes[-1][-1] += needed
        used, held = used + needed, held + holding
    made = tuple(
        Segment(tuple(Group(tuple(points), size) for points, size in zip(groups, sizes_of, strict=True)))
        for groups, sizes_of in zip(segments, sizes, strict=True)
    )
    largest = max((group.size_bytes for segment in made for group in segment.groups), default=0)
    kept = int(memory_bytes * _KEPT_SHARE)
    return Plan(made, too_large, kept if largest + kept <= memory_bytes else 0)


def usual_memory(points: Iterable[Point], elements: Mapping[str, int], *, runtimes: int) -> int:
    """Compute the default memory of a trace; `elements` as in `cut`."""
    return min(max(_USUAL_BYTES, _largest(points, elements, runtimes)), _MOST_BYTES)


def fitting(
    points: Sequence[Point],
    elements: Callable[[int], Mapping[str, int]],
    *,
    runtimes: int,
    memory_bytes: int,
    most: int,
) -> int:
    """Return the number of samples, from 1 to `most`, for which even the largest value fits into the memory.

    `elements` returns the `elements` of `cut` for a number of samples.
    """
    counts = range(most, 1, -1)
    return next((n for n in counts if _largest(points, elements(n), runtimes) <= memory_bytes), 1)


def _largest(points: Iterable[Point], elements: Mapping[str, int], runtimes: int) -> int:
    """Return the memory of the largest value; points that cannot be traced have no known size and are left out."""
    known = (point for point in points if point.name in elements)
    return max((_needed(point, elements, runtimes) for point in known), default=0)


def _needed(point: Point, elements: Mapping[str, int], runtimes: int) -> int:
    own = elements[point.name] * (_REFERENCE_BYTES + _RUNTIME_BYTES * runtimes)
    return own + _INPUT_BYTES * sum(elements.get(name, 0) for name in point.inputs)


class Pool:
    """A bounded amount of memory that tasks take and give back, first come first served."""

    def __init__(self, size_bytes: int) -> None:
        self._size = self._free = size_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size_bytes: int) -> None:
        """Wait until so much is free, and take it; ValueError if it is more than the whole pool."""
        if size_bytes > self._size:
            raise ValueError(f"{size_bytes} bytes of {self._size}")
        if not self._waiting and size_bytes <= self._free:
            self._free -= size_bytes
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size_bytes, turn))
        await turn

    def give(self, size_bytes: int) -> None:
        """Give memory back, and let waiting tasks continue if it is now enough for them."""
        self._free += size_bytes
        while self._waiting and (self._waiting[0][0] <= self._free or self._waiting[0][1].cancelled()):
            wanted, turn = self._waiting.popleft()
            if not turn.cancelled():
                self._free -= wanted
                turn.set_result(None)


def readable(size: int) -> str:
    """Format a size in kB, MB or GB."""
    unit, divisor = ("GB", 1e9) if size >= 1e9 else ("MB", 1e6) if size >= 1e6 else ("kB", 1e3)
    return f"{size / divisor:.3g} {unit}"
