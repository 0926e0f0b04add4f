"""Makes the operands of an operation smaller, axis by axis, as long as what is looked for is still there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ..types import Array

Operands = Mapping[str, Array]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis that several operands have: (operand, number of its axis), its size, and where the wrong element is."""

    places: tuple[tuple[str, int], ...]
    size: int
    focus: int


def axes(operands: Operands, output_shape: tuple[int, ...], place: tuple[int, ...], *, paired: bool) -> Iterator[Axis]:
    """Axes along which less may be enough, of an operation whose wrong element is at `place` of its output.

    Where the operation pairs elements these are all axes, operands being aligned as NumPy broadcasts them; else
    the first one, of the rows, where operands have it.
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
    """The shortest of a few windows around the wrong element for which `still` gives something; None for none."""
    for start, stop in windows(axis.size, axis.focus):
        fewer = dict(operands)
        for name, at in axis.places:
            fewer[name] = fewer[name][(slice(None),) * at + (slice(start, stop),)]
        if (found := await still(fewer)) is not None:
            return fewer, found
    return None


def windows(size: int, focus: int) -> Iterator[tuple[int, int]]:
    """1, 2, 4, ... indices of `size` with `focus` among them, each window at a multiple of its length."""
    length = 1
    while length < size:
        start = min(focus // length * length, size - length)
        yield start, start + length
        length *= 2
