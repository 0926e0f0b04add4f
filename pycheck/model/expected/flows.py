"""Tracks which columns of which inputs arrive at a tensor, and their scale and offset."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ...types import Array

#: An input with a longer last axis has no columns.
MOST_COLUMNS = 4096


@dataclass(frozen=True, slots=True)
class Origin:
    """``scale * x + offset`` of the elements x of an input, or of one column of it; clipped to `low` and `high`.

    `smallest` and `largest` are the bounds of the value itself, infinite without a clip, a modulo or a narrow integer.
    """

    input: str
    column: int | None
    scale: float = 1.0
    offset: float = 0.0
    low: float = -math.inf
    high: float = math.inf
    split: bool = False  # a text that was split into words
    smallest: float = -math.inf
    largest: float = math.inf
    guarded: bool = False  # after a clip, a modulo or a selection
    selected: bool = False  # after a selection, which may replace any number

    @property
    def is_plain(self) -> bool:
        """Tell whether the values are unchanged values of the input."""
        return self.scale == 1 and self.offset == 0

    def mapped(self, scale: float, offset: float) -> Origin:
        """Return the origin of ``scale * value + offset``; the scale is not 0."""
        smallest, largest = sorted((self.smallest * scale + offset, self.largest * scale + offset))
        return replace(
            self, scale=self.scale * scale, offset=self.offset * scale + offset, smallest=smallest, largest=largest
        )

    def within(self, smallest: float, largest: float) -> Origin:
        """Return the origin of a value that an operation keeps within these bounds."""
        return replace(self, smallest=max(self.smallest, smallest), largest=min(self.largest, largest))

    def inverse(self, value: float) -> float:
        """Return the x that is mapped to this value."""
        return (value - self.offset) / self.scale


Cell = frozenset[Origin]


@dataclass(frozen=True, slots=True)
class Flow:
    """The origins of a tensor's elements: one cell for each index of `axis`.

    Without an axis, one cell for all elements.
    """

    cells: tuple[Cell, ...]
    axis: int | None

    @classmethod
    def of_input(cls, name: str, shape: tuple[int | None, ...] | None) -> Flow:
        """Make the flow of an input itself."""
        last = shape[-1] if shape and len(shape) > 1 else None
        if last is None or last > MOST_COLUMNS:
            return cls((frozenset({Origin(name, None)}),), None)
        return cls(tuple(frozenset({Origin(name, column)}) for column in range(last)), len(shape or ()) - 1)

    @property
    def origins(self) -> Cell:
        """Return the origins of all elements."""
        return frozenset().union(*self.cells)

    def mixed(self) -> Flow:
        """Return the same origins without their places."""
        return Flow((self.origins,), None)

    def moved(self, axis: int | None) -> Flow:
        """Return the same cells along a different axis; without an axis any element may have any origin."""
        return replace(self, axis=axis) if axis is not None and self.axis is not None else self.mixed()

    def each(self, change: Callable[[Origin, int], Origin]) -> Flow:
        """Change every origin; the number is the index of its cell."""
        return replace(
            self,
            cells=tuple(frozenset(change(origin, index) for origin in cell) for index, cell in enumerate(self.cells)),
        )


def along(constant: Array, flow: Flow, rank: int | None) -> list[float] | None:
    """Return a constant operand as one number for each cell, averaged over other axes; None if it does not fit."""
    if constant.size == 1:
        return [float(constant.reshape(-1)[0])] * len(flow.cells)
    if rank is None or flow.axis is None or constant.ndim > rank:
        return None
    spread = constant.reshape((1,) * (rank - constant.ndim) + constant.shape)
    values = spread.mean(axis=tuple(axis for axis in range(rank) if axis != flow.axis))
    if values.size not in (1, len(flow.cells)):
        return None
    return [float(value) for value in values] * (len(flow.cells) if values.size == 1 else 1)


def union(flows: Iterable[Flow]) -> Flow | None:
    """Merge alternatives, such as branches of a condition.

    Of two paths from a column, keep the one that changes it less. Keras 3 reads negative indices as ``where(x < 0, x +
    rows, x)``.
    """
    known = list(flows)
    if not known:
        return None
    alike = len({(flow.axis, len(flow.cells)) for flow in known}) == 1
    parts = known if alike else [flow.mixed() for flow in known]
    cells = []
    for index in range(len(parts[0].cells)):
        chosen: dict[tuple[str, int | None], Origin] = {}
        for origin in sorted(frozenset().union(*(part.cells[index] for part in parts)), key=_distance):
            chosen.setdefault((origin.input, origin.column), origin)
        cells.append(frozenset(chosen.values()))
    return Flow(tuple(cells), parts[0].axis)


def _distance(origin: Origin) -> tuple[float, float, float]:
    return abs(origin.offset), abs(origin.scale - 1), origin.offset
