"""Measures the size of the value at every point in a run on few samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..artifact import Point
from ..errors import RuntimeFailedError
from ..runtimes.native.artifact import ArtifactRuntime
from ..runtimes.native.litert_points import LitertPoints
from ..tensors import parts
from ..types import Array
from .expecting import first_line
from .selecting import called_again

_AT_ONCE = 24
_NUMBERS = "fbiuc"
_BYTES = 4
#: The share of the memory for the values of all points on each runtime, if no number of samples is given.
_SHARE = 1 / 2


@dataclass(frozen=True, slots=True)
class Probed:
    """Points to trace, the number of elements of each in a run of `samples`, and points that cannot be traced."""

    points: tuple[Point, ...]
    sizes: Mapping[str, int]
    samples: int
    skipped: Mapping[str, str]

    def elements(self, samples: int) -> dict[str, int]:
        """Estimate the number of elements of every value for so many samples, rounded up."""
        return {name: math.ceil(size * max(1.0, samples / self.samples)) for name, size in self.sizes.items()}

    def affordable(self, memory_bytes: int) -> int:
        """Return the number of samples that fit into the memory, at least one."""
        total = sum(self.sizes[point.name] for point in self.points if point.name in self.sizes)
        return max(1, int(memory_bytes * _SHARE * self.samples / (total * _BYTES or 1)))


async def probe(
    single: ArtifactRuntime | LitertPoints,
    feeds: Mapping[str, Array],
    points: Sequence[Point],
    *,
    samples: int,
    is_graph: bool,
) -> Probed:
    """Run these points once on `feeds`, which are the artifact's inputs for so many samples."""
    skipped = {} if is_graph else called_again(single.points)
    sizes = {name: value.size for name, value in feeds.items()}
    names = [point.name for point in points]
    for low in range(0, len(names), _AT_ONCE):
        for name, value in (await _values(single, feeds, names[low : low + _AT_ONCE], skipped)).items():
            if value.dtype.kind in _NUMBERS:
                sizes[name] = parts(value).size
            else:
                skipped[name] = f"values of dtype {value.dtype} are not compared"
    return Probed(tuple(points), sizes, samples, skipped)


async def _values(
    single: ArtifactRuntime | LitertPoints, feeds: Mapping[str, Array], names: Sequence[str], skipped: dict[str, str]
) -> dict[str, Array]:
    """Return the values that can be fetched; after an error, fetch each alone to find the points that fail."""
    try:
        return await single.run(feeds, names)
    except RuntimeFailedError as error:
        if len(names) == 1:
            skipped[names[0]] = f"Python cannot return its value: {first_line(error)}"
            return {}
    found: dict[str, Array] = {}
    for name in names:
        found |= await _values(single, feeds, [name], skipped)
    return found
