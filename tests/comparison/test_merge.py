from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pycheck.comparison import Statistics, measure, merge
from pycheck.comparison.sums import ScaledSum
from pycheck.types import Array

any_single = st.floats(width=32) | st.sampled_from([0.0, 1.0, float("inf"), float("-inf"), float("nan")])


@st.composite
def split_batches(draw: st.DrawFn) -> tuple[Array, Array, list[int]]:
    samples = draw(st.integers(1, 12))
    shape = (2, samples, *draw(st.sampled_from([(3,), (2, 2), (), (1, 5)])))
    reference, candidate = draw(hnp.arrays(np.float32, shape, elements=any_single))
    cuts = draw(st.lists(st.integers(0, samples), max_size=4))
    return reference, candidate, sorted({0, samples, *cuts})


def measured(candidate: Array, reference: Array, start: int) -> Statistics:
    return measure(candidate, reference.astype(np.float64), reference, start=start, top_k=3, atol=0.5)


def assert_same(a: Statistics, b: Statistics) -> None:
    """Exactly the same but for sums, which agree to about 1e-13."""
    for field in fields(Statistics):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if isinstance(x, ScaledSum):
            assert x.value == pytest.approx(y.value, rel=1e-12, abs=1e-300), field.name
        else:
            assert repr(x) == repr(y), field.name  # repr: a NaN among the worst elements equals itself


@given(split_batches())
def test_merged_batches_equal_one_joint_measurement(batches: tuple[Array, Array, list[int]]) -> None:
    reference, candidate, cuts = batches
    parts = [measured(candidate[a:b], reference[a:b], a) for a, b in pairwise(cuts)]
    joint = measured(candidate, reference, 0)
    assert_same(reduce(merge, parts), joint)
    assert_same(reduce(merge, reversed(parts)), joint)


@given(split_batches())
def test_grouping_does_not_matter(batches: tuple[Array, Array, list[int]]) -> None:
    reference, candidate, _ = batches
    a, b, c = (measured(candidate, reference, start) for start in (0, 100, 50))
    assert_same(merge(merge(a, b), c), merge(a, merge(b, c)))


def test_sums_of_many_batches_keep_their_precision() -> None:
    errors = np.full(1000, 0.1, np.float32)
    errors[0] = 1e9
    zeros = np.zeros(1)
    parts = [measure(errors[i : i + 1], zeros, zeros, start=i) for i in range(len(errors))]
    assert reduce(merge, parts).error_sum.value == pytest.approx(1e9 + 999 * float(np.float32(0.1)), rel=1e-15)


def test_statistics_measured_differently_do_not_merge() -> None:
    a = measured(np.ones(2, np.float32), np.ones(2, np.float32), 0)
    with pytest.raises(ValueError, match="measured differently"):
        merge(a, replace(a, precision_bits=16))


def test_a_mismatch_of_shape_in_one_batch_stays() -> None:
    ones = np.ones((2, 3), np.float32)
    good, bad = measured(ones, ones, 0), measured(ones[:, :2], ones, 2)
    assert merge(good, bad).shape_mismatch == merge(bad, good).shape_mismatch == "reference (3,), candidate (2,)"


finite = st.floats(-1e150, 1e150)


@example([(2.225073858507e-311, 0), (2.225073858507e-311, 2)])
@given(st.lists(st.tuples(finite, st.integers(-600, 600)), min_size=1, max_size=8))
def test_scaled_sums_of_any_exponent_add_up(terms: list[tuple[float, int]]) -> None:
    total = reduce(lambda a, b: a + b, [ScaledSum(abs(v), 0.0, e) for v, e in terms])
    exact = sum(Fraction(abs(v)) * Fraction(2) ** e for v, e in terms)
    found = (Fraction(total.high) + Fraction(total.low)) * Fraction(2) ** total.exponent
    assert abs(found - exact) <= exact * Fraction(1, 2**50)
