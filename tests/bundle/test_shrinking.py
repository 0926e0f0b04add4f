"""Fewer operands, as long as what is looked for is there."""

from __future__ import annotations

import asyncio

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pycheck.bundle.shrinking import Axis, Operands, axes, shrunk, windows


@given(st.integers(1, 300), st.data())
def test_windows_grow_hold_the_wrong_element_and_are_shorter_than_the_axis(size: int, data: st.DataObject) -> None:
    focus = data.draw(st.integers(0, size - 1))
    found = list(windows(size, focus))
    assert all(0 <= start <= focus < stop <= size for start, stop in found)
    lengths = [stop - start for start, stop in found]
    assert lengths == [2**n for n in range(len(lengths))]
    assert all(length < size for length in lengths)


def test_operands_that_are_paired_are_cut_together_and_those_that_are_spread_are_not() -> None:
    operands = {"x": np.zeros((4, 3, 8)), "bias": np.zeros(8), "row": np.zeros((4, 1, 1))}
    found = list(axes(operands, (4, 3, 8), (2, 1, 7), paired=True))
    assert found == [
        Axis((("x", 0), ("row", 0)), 4, 2),
        Axis((("x", 1),), 3, 1),
        Axis((("x", 2), ("bias", 0)), 8, 7),
    ]


def test_where_elements_are_not_paired_only_rows_are_left_out() -> None:
    operands = {"x": np.zeros((4, 3)), "w": np.zeros((3, 5))}
    assert list(axes(operands, (4, 5), (2, 0), paired=False)) == [Axis((("x", 0),), 4, 2)]
    assert list(axes(operands, (), (), paired=False)) == []


def test_the_shortest_window_that_still_shows_it_is_taken() -> None:
    async def still(operands: Operands) -> str | None:
        return "there" if {4, 5} <= set(operands["x"][0]) else None

    found = asyncio.run(shrunk({"x": np.arange(16).reshape(1, 16)}, Axis((("x", 1),), 16, 5), still))
    assert found is not None
    assert (list(found[0]["x"][0]), found[1]) == ([4, 5], "there")


def test_nothing_is_taken_where_only_the_whole_shows_it() -> None:
    async def still(operands: Operands) -> str | None:
        return None

    assert asyncio.run(shrunk({"x": np.arange(16)}, Axis((("x", 0),), 16, 5), still)) is None
