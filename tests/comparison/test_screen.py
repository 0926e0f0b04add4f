"""The quick measurement and the full one agree wherever the quick one has an answer."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pycheck.comparison import Statistics, measure, screen
from pycheck.comparison.nearer import APART

SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, max_side=40)
EXACT = ("element_count", "pair_count", "sample_count", "class_counts", "max_abs_error", "reference_scale")
SUMS = ("error_sum", "squared_error_sum", "fourth_error_sum", "squared_reference_sum")


def assert_same(quick: Statistics, full: Statistics) -> None:
    for name in EXACT:
        assert getattr(quick, name) == getattr(full, name), name
    for name in SUMS:
        assert getattr(quick, name).value == pytest.approx(getattr(full, name).value, rel=1e-12), name


@settings(max_examples=60)
@given(st.data())
def test_it_gives_what_the_full_measurement_gives(data: st.DataObject) -> None:
    shape = data.draw(SHAPES)
    values = st.floats(-1e6, 1e6, width=32)
    single = data.draw(hnp.arrays(np.float32, shape, elements=values))
    double = single.astype(np.float64) + data.draw(hnp.arrays(np.float64, shape, elements=st.floats(-1e-3, 1e-3)))
    candidate = data.draw(hnp.arrays(np.float32, shape, elements=values))
    assume(np.abs(single - double).max() <= APART * np.abs(double).max())  # else a row has two references
    floor = screen(single, double)
    if floor is None:  # squares of errors below 2**-200 would vanish
        return
    assert_same(floor, measure(single, double, double, start=0))
    quick = screen(candidate, double, known=floor)
    if quick is not None:
        full = measure(candidate, double, single, start=0)
        assert_same(quick, full)
        assert quick.dtype == full.dtype


def test_more_than_one_chunk_is_measured_whole() -> None:
    rng = np.random.default_rng(0)
    double = rng.normal(size=(5, 20_001))
    single = double.astype(np.float32)
    quick, full = screen(single, double), measure(single, double, double, start=0)
    assert quick is not None
    assert_same(quick, full)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["candidate", "reference"])
def test_it_has_no_answer_where_something_is_not_finite(bad: float, where: str) -> None:
    arrays = {"candidate": np.ones((2, 50_000), np.float32), "reference": np.ones((2, 50_000))}
    arrays[where][1, 49_999] = bad
    assert screen(arrays["candidate"], arrays["reference"]) is None


@pytest.mark.parametrize(
    ("candidate", "reference"),
    [
        (np.ones((2, 3), np.float32), np.ones((2, 4))),
        (np.ones((2, 3), np.int32), np.ones((2, 3), np.int32)),
        (np.ones((2, 3), np.float32), np.full((2, 3), 1e300)),
        (np.zeros((0, 3), np.float32), np.zeros((0, 3))),
    ],
    ids=["another shape", "integers", "too large to square", "nothing"],
)
def test_it_has_no_answer_where_the_full_measurement_has_rules_of_its_own(
    candidate: np.ndarray, reference: np.ndarray
) -> None:
    assert screen(candidate, reference) is None


def test_what_is_known_of_the_reference_is_taken_over() -> None:
    reference = np.linspace(-3.0, 2.0, 12).reshape(3, 4)
    known = screen(reference.astype(np.float32), reference)
    assert known is not None
    again = screen(reference, reference, known=dataclasses.replace(known, reference_scale=7.0))
    assert again is not None
    assert (again.reference_scale, again.max_abs_error) == (7.0, 0.0)
