"""Selects the points and the samples of a trace."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches

from ..artifact import Point
from ..errors import UsageError
from ..types import Comparison

_MOST_NEAR = 4


def of_layers(points: Sequence[Point], names: Iterable[str]) -> tuple[Point, ...]:
    """Return the points with these names, the points of layers with these names, and the points that they read.

    UsageError with the nearest names if no point and no layer has such a name.
    """
    chosen: set[str] = set()
    for name in names:
        found = [
            p for p in points if name in (p.name, p.layer, *p.merged) or p.name.startswith((f"{name}/", f"{name}@"))
        ]
        if not found:
            raise _unknown(points, name)
        chosen.update(point.name for point in found)
        chosen.update(read for point in found for read in point.inputs)
    return tuple(point for point in points if point.name in chosen)


def _unknown(points: Sequence[Point], name: str) -> UsageError:
    layers = dict.fromkeys(layer for point in points for layer in (*point.merged, point.layer) if layer)
    known = list(dict.fromkeys([*layers, *(point.name for point in points)]))
    folded: dict[str, str] = {other.lower(): other for other in reversed(known)}
    near = [folded[match] for match in get_close_matches(name.lower(), folded, n=_MOST_NEAR, cutoff=0.5)]
    inside = [other for other in known if name.lower() in other.lower() and other not in near]
    nearest = [*near, *inside][:_MOST_NEAR]
    return UsageError(
        f"--layer {name}: the artifact has no layer and no node of that name",
        f"The nearest: {', '.join(nearest)}." if nearest else f"Its layers begin with {', '.join(known[:_MOST_NEAR])}.",
    )


def upstream(points: Sequence[Point], names: Collection[str]) -> tuple[Point, ...]:
    """Return the points with these names and all points that they depend on."""
    needed = set(names)
    for point in reversed(points):
        if point.name in needed:
            needed.update(point.inputs)
    return tuple(point for point in points if point.name in needed)


def called_again(points: Iterable[Point]) -> dict[str, str]:
    """Return the points of layers that are called more than once.

    From the second call on, they are named ``layer@1``.
    """
    names = [point.name for point in points]
    layers = {name.partition("@")[0] for name in names if "@" in name}
    reason = "its layer is called more than once, and tfjs-layers cannot return the value of each call"
    return {name: reason for name in names if any(re.match(rf"{re.escape(at)}([@/:]|$)", name) for at in layers)}


def worst_samples(comparisons: Iterable[Comparison], *, count: int, total: int) -> tuple[int, ...]:
    """Select up to `count` samples: those that failed, the worst of each comparison first, then the first ones."""
    ranked: list[list[int]] = []
    for comparison in comparisons:
        if comparison.passed is False:
            flips = [flip.sample for flip in comparison.top1_flips]
            ranked.append(list(dict.fromkeys([*(w.sample for w in comparison.worst), *flips])))
    chosen: dict[int, None] = {}
    for rank in range(max(map(len, ranked), default=0)):
        chosen.update(dict.fromkeys(samples[rank] for samples in ranked if rank < len(samples)))
    chosen.update(dict.fromkeys(range(total)))
    return tuple(sorted(list(chosen)[:count]))
