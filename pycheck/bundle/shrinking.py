"""Shrinks the operands of an operation, axis by axis, while the divergence remains."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ..types import Array

Operands = Mapping[str, Array]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of several operands: (operand, number of its axis), its size, and the index of the wrong element."""

    places: tuple[tuple[str, int], ...]
    size: int
    focus: int


def axes(operands: Operands, output_shape: tuple[int, ...], place: tuple[int, ...], *, paired: bool) -> Iterator[Axis]:
    """Return the axes along which operands may be shrunk, for a wrong element at `place` of the output.

    If the operation is elementwise, these are all axes, with operands aligned as in NumPy's broadcasting; otherwise
    only the first axis, that of the rows, if operands have it.
    """
    for axis in range(len(output_shape) if paired else min(1, len(output_shape))):
        size = output_shape[axis]
        from_end = len(output_shape) - axis
        places = [(name, value.ndim - from_end if paired else 0) for name, value in operands.items()]
        having = tuple(
            (name, at) for name, at in places if 0 <= at < operands[name].ndim and operands[name].shape[at] == size
        )
        if having and size > 1:
            yield Axis(having, size, place[axis])


async def shrunk(
    operands: Operands, axis: Axis, still: Callable[[Operands], Awaitable[T | None]]
) -> tuple[Operands, T] | None:
    """Return the shortest of a few windows around the wrong element for which `still` returns a result.

    None if none does.
    """
    for start, stop in windows(axis.size, axis.focus):
        fewer = dict(operands)
        for name, at in axis.places:
            fewer[name] = fewer[name][(slice(None),) * at + (slice(start, stop),)]
        if (found := await still(fewer)) is not None:
            return fewer, found
    return None


def windows(size: int, focus: int) -> Iterator[tuple[int, int]]:
    """Yield 1, 2, 4, ... indices of `size` that include `focus`, each window at a multiple of its length."""
    length = 1
    while length < size:
        start = min(focus // length * length, size - length)
        yield start, start + length
        length *= 2
