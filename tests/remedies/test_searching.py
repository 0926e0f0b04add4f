"""The searches, with oracles that answer at once."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycheck.remedies.searching import CLOSE_ENOUGH, ExhaustedError, Found, largest, smallest

FLAGS = tuple("abcdefghijklmnop")


class Oracle:
    """Passes whatever holds all culprits; counts, and after `trials` answers no more."""

    def __init__(self, culprits: Sequence[str], trials: int = 1000) -> None:
        self.culprits = set(culprits)
        self.asked: list[tuple[str, ...]] = []
        self._trials = trials

    async def __call__(self, items: tuple[str, ...]) -> bool:
        if len(self.asked) == self._trials:
            raise ExhaustedError
        self.asked.append(items)
        return self.culprits <= set(items)


def find(oracle: Oracle, likely: Sequence[str] = ()) -> Found[tuple[str, ...]] | None:
    return asyncio.run(smallest(FLAGS, oracle, likely))


@given(st.sets(st.sampled_from(FLAGS), min_size=1))
def test_every_set_of_culprits_is_found_and_nothing_else(culprits: set[str]) -> None:
    found = find(Oracle(sorted(culprits)))
    assert found is not None
    assert set(found.value) == culprits
    assert found.complete


@pytest.mark.parametrize("culprit", FLAGS)
def test_one_culprit_of_sixteen_takes_at_most_nine_trials(culprit: str) -> None:
    oracle = Oracle([culprit])
    assert find(oracle) == Found((culprit,))
    assert len(oracle.asked) <= 9


def test_a_likely_culprit_that_is_the_one_takes_one_trial() -> None:
    oracle = Oracle(["k"])
    assert find(oracle, likely=["k"]) == Found(("k",))
    assert oracle.asked == [("k",)]


def test_a_likely_culprit_that_is_not_the_one_costs_one_trial() -> None:
    oracle, plain = Oracle(["k"]), Oracle(["k"])
    assert find(oracle, likely=["b"]) == find(plain) == Found(("k",))
    assert len(oracle.asked) == len(plain.asked) + 1


def test_where_all_together_do_not_pass_nothing_is_searched() -> None:
    oracle = Oracle(["not one of them"])
    assert find(oracle) is None
    assert oracle.asked == [FLAGS]


def test_any_of_several_that_cure_by_themselves_is_enough() -> None:
    async def passes(items: tuple[str, ...]) -> bool:
        return "c" in items or "n" in items

    found = asyncio.run(smallest(FLAGS, passes))
    assert found is not None
    assert found.value in (("c",), ("n",))


def test_trials_that_end_leave_what_passes_so_far_and_say_so() -> None:
    found = find(Oracle(["a", "p"], trials=4))
    assert found is not None
    assert not found.complete
    assert {"a", "p"} <= set(found.value)


def test_trials_that_end_before_anything_passed_are_an_error() -> None:
    with pytest.raises(ExhaustedError):
        find(Oracle(["a"], trials=0))


def share_up_to(limit: float, asked: list[float] | None = None) -> Callable[[float], object]:
    async def passes(share: float) -> bool:
        if asked is not None:
            asked.append(share)
        return share <= limit

    return passes


@given(st.floats(2.0**-16, 0.99))
def test_the_largest_share_is_found_to_within_what_is_close_enough(limit: float) -> None:
    asked: list[float] = []
    found = asyncio.run(largest(share_up_to(limit, asked)))  # type: ignore[arg-type]
    assert found is not None and found.complete
    assert found.value <= limit
    assert limit <= found.value * CLOSE_ENOUGH or math.isclose(limit, found.value * CLOSE_ENOUGH)
    assert len(asked) <= 11


def test_where_no_share_passes_there_is_none() -> None:
    asked: list[float] = []
    assert asyncio.run(largest(share_up_to(0.0, asked))) is None  # type: ignore[arg-type]
    assert asked == [2.0**-1, 2.0**-2, 2.0**-4, 2.0**-8, 2.0**-16]
