"""Measures the effect of one source on the outputs: Python computes them from its wrong value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..errors import PycheckError
from ..runtimes.native.artifact import ArtifactRuntime
from ..runtimes.native.litert_points import LitertPoints
from ..types import Array, Comparison, Effect, PointResult, TracePoint
from .asking import Asker
from .measuring import Expected

#: The effects of so many sources of a runtime are measured, the largest errors first: each takes a run in Python.
MOST = 8


class Effects:
    """Python's side for the effects of sources.

    `reference` is the artifact in Python in the best precision; `outputs` has Python's values, by output of the model.
    `names` maps the outputs of the model to names that `reference` knows.
    """

    def __init__(
        self,
        reference: ArtifactRuntime | LitertPoints,
        feeds: Mapping[str, Array],
        names: Mapping[str, str],
        outputs: Mapping[str, Expected],
    ) -> None:
        self._reference = reference
        self._feeds = feeds
        self._names = names
        self._outputs = outputs

    async def of(
        self, point: str, value: Array, dtype: str | None, compare: Callable[[str, Array, Expected], Comparison]
    ) -> Effect | None:
        """Find the output that moves most if `point` alone has a wrong value; None if Python cannot run with it.

        `dtype` is that of the point in Python. A number that it cannot hold would become a different one.
        """
        if not _fits(value, dtype):
            return None
        try:
            moved = await self._reference.run({**self._feeds, point: value}, list(dict.fromkeys(self._names.values())))
        except PycheckError:
            return None  # Python cannot run with the wrong value
        return largest_effect(
            {output: compare(output, moved[name], self._outputs[output]) for output, name in self._names.items()}
        )


def _fits(value: Array, dtype: str | None) -> bool:
    """Tell whether a type of integers holds all numbers of a value; other types may round them."""
    if dtype is None or np.dtype(dtype).kind not in "iu" or not value.size:
        return True
    limits = np.iinfo(dtype)
    return bool(limits.min <= value.min() and value.max() <= limits.max)


def largest_effect(moved: Mapping[str, Comparison]) -> Effect | None:
    """Return the effect on the output that moves most.

    `moved` compares each output with its value without the error.
    """
    found = [_effect(output, row) for output, row in moved.items()]
    return max(found, key=lambda effect: effect.share, default=None)


def _effect(output: str, row: Comparison) -> Effect:
    size, reshapes = row.share_or_inf, row.shape_mismatch is not None
    flips = math.isinf(size) and not reshapes and not row.nonfinite.changed
    return Effect(output, size, reshapes, flips)


def worth_measuring(points: Sequence[TracePoint], asker: Asker) -> list[tuple[TracePoint, PointResult]]:
    """Return the sources of a runtime whose effect is measured."""
    found = [(p, r) for p in points for r in p.results if r.runtime == asker.id and r.role == "source"]

    def size(source: tuple[TracePoint, PointResult]) -> float:
        own = source[1].own or source[1].inherited
        return own.share_or_inf if own else 0.0

    return sorted(found, key=size, reverse=True)[:MOST]
