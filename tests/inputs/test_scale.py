"""The scale of inputs: exact where it can be, the same whatever the batches, in bounded memory."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycheck.inputs.scale import ScaleSketch
from pycheck.types import Array


def sketch(tensor: Array, batch_size: int) -> ScaleSketch:
    parts, before = [], 0
    for start in range(0, len(tensor), batch_size):
        part = ScaleSketch.of(tensor[start : start + batch_size], start, before)
        parts.append(part)
        before = part.rows
    return reduce(ScaleSketch.merge, parts)


@settings(max_examples=60)
@given(st.integers(1, 300), st.integers(1, 5), st.integers(1, 40), st.integers(1, 3000))
def test_extremes_are_exact_and_their_samples_right_whatever_the_batches(n: int, c: int, batch: int, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(n, 7, c)).astype(np.float32)
    found = sketch(x, batch)
    np.testing.assert_array_equal(found.low, x.min(axis=(0, 1)))
    np.testing.assert_array_equal(found.high, x.max(axis=(0, 1)))
    np.testing.assert_array_equal(found.high_sample, x.max(axis=1).argmax(axis=0))
    assert found.rows == n * 7


@pytest.mark.parametrize("batch", [1, 7, 100, 3000])
def test_the_rows_that_are_kept_are_bounded_and_do_not_depend_on_the_batches(batch: int) -> None:
    x = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32)
    found = sketch(x, batch)
    assert len(found.kept) <= 1024
    np.testing.assert_array_equal(found.kept, x[:: found.stride])


def test_a_wide_input_keeps_no_more_elements_than_a_narrow_one() -> None:
    assert sketch(np.zeros((400, 4000), np.float32), 32).kept.nbytes <= 8 << 20
    assert sketch(np.zeros((4, 9000), np.float32), 2).low.shape == (1,)


def test_an_outlier_is_found_with_its_place_and_how_far_it_lies() -> None:
    x = np.random.default_rng(1).normal(size=(500, 4)).astype(np.float32)
    x[321, 2] = 1e6
    found = sketch(x, 32).summary("x")
    assert found is not None and found.outlier is not None
    outlier = found.outlier
    assert (outlier.column, outlier.sample, outlier.value) == (2, 321, 1e6)
    assert outlier.robust_z == pytest.approx(1e6, rel=0.2)
    assert found.largest.index == 2


def test_what_is_normal_has_no_far_outlier_and_what_is_constant_is_listed() -> None:
    x = np.random.default_rng(2).normal(size=(2000, 4)).astype(np.float32)
    x[:, 1] = 3.0
    found = sketch(x, 50).summary("x")
    assert found is not None and found.outlier is not None
    assert found.outlier.robust_z < 8
    assert found.constant_columns == (1,)


def test_a_few_rows_of_what_is_normal_have_no_far_outlier() -> None:
    for rows in range(1, 12):
        found = sketch(np.random.default_rng(3).normal(size=(rows, 4000)).astype(np.float32), 4).summary("x")
        assert found is not None and (found.outlier is None or found.outlier.robust_z < 50), rows


def test_nan_and_infinity_are_left_out() -> None:
    x = np.array([[1, np.nan], [np.inf, 5], [-2, 4]], np.float32)
    found = sketch(x, 2)
    np.testing.assert_array_equal(found.low, [-2, 4])
    np.testing.assert_array_equal(found.high, [1, 5])
    nothing = ScaleSketch.of(np.full((3, 2), np.nan, np.float32), 0)
    assert nothing.summary("x") is None


def test_one_sample_and_one_axis_are_enough() -> None:
    assert sketch(np.array([7.0], np.float32), 1).summary("x") is not None
