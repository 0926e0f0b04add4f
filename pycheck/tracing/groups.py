"""Cuts the points of an artifact into groups whose values fit into memory together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..artifact import Point

#: Bytes an element takes while its point is looked at: float32, float64, the operation alone in float64,
#: and what comparing them takes; then the whole run and the operation alone, of each runtime.
_REFERENCE_BYTES = 4 + 8 + 8 + 4
_RUNTIME_BYTES = 4 + 4
_INPUT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of points in topological order, and what needs more than the memory by itself, with the reason."""

    groups: tuple[tuple[Point, ...], ...]
    too_large: Mapping[str, str]


def cut(points: Iterable[Point], elements: Mapping[str, int], *, runtimes: int, memory_bytes: int) -> Groups:
    """The groups; `elements` has the number of elements of every point and input, over all traced samples."""
    groups: list[tuple[Point, ...]] = []
    too_large: dict[str, str] = {}
    current: list[Point] = []
    used = 0
    for point in points:
        needed = _needed(point, elements, runtimes)
        if needed > memory_bytes:
            too_large[point.name] = (
                f"it needs {readable(needed)} and --trace-memory allows {readable(memory_bytes)}; "
                "allow more, or take fewer --trace-samples"
            )
            continue
        if current and used + needed > memory_bytes:
            groups.append(tuple(current))
            current, used = [], 0
        current.append(point)
        used += needed
    if current:
        groups.append(tuple(current))
    return Groups(tuple(groups), too_large)


def _needed(point: Point, elements: Mapping[str, int], runtimes: int) -> int:
    own = elements[point.name] * (_REFERENCE_BYTES + _RUNTIME_BYTES * runtimes)
    return own + _INPUT_BYTES * sum(elements.get(name, 0) for name in point.inputs)


def count(shape: Sequence[int], probed: int, samples: int) -> int:
    """Elements of a value over `samples`, from its shape over `probed` samples; never too few."""
    return math.ceil(math.prod(shape) * max(1.0, samples / probed))


def readable(size: int) -> str:
    """A size in kB, MB or GB."""
    unit, divisor = ("GB", 1e9) if size >= 1e9 else ("MB", 1e6) if size >= 1e6 else ("kB", 1e3)
    return f"{size / divisor:.3g} {unit}"
