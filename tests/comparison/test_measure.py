from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pycheck.comparison import Statistics, measure, summarize
from pycheck.types import CLASSES, NATIVE_FLOAT32, NATIVE_FLOAT64, Array, Comparison, RuntimeId

WEBGL = RuntimeId("chromium", "webgl")
any_single = st.floats(width=32) | st.sampled_from(
    [0.0, -0.0, math.inf, -math.inf, math.nan, float(np.float32(1e-45)), float(np.float32(3.4e38))]
)


def floats(*values: float) -> Array:
    return np.array(values, np.float32)


def summary(statistics: Statistics) -> Comparison:
    return summarize(statistics, tensor="y", reference=NATIVE_FLOAT64, candidate=WEBGL, class_reference=NATIVE_FLOAT32)


def compared(candidate: Array, reference: Array) -> Comparison:
    """Against a float64 reference and its float32 rounding."""
    with np.errstate(over="ignore"):
        return summary(measure(candidate, reference.astype(np.float64), reference.astype(np.float32), start=0))


def class_of(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return "finite" if math.isfinite(value) else "+inf" if value > 0 else "-inf"


@given(hnp.arrays(np.float32, (2, 30), elements=any_single))
def test_the_class_matrix_counts_every_pair_of_classes(values: Array) -> None:
    reference, candidate = values
    counts = measure(candidate, reference.astype(np.float64), reference, start=0).class_counts
    for i, row in enumerate(CLASSES):
        for j, column in enumerate(CLASSES):
            pairs = zip(reference, candidate, strict=True)
            assert counts[i][j] == sum(class_of(r) == row and class_of(c) == column for r, c in pairs)


@given(hnp.arrays(np.float32, (2, 40), elements=any_single))
def test_metrics_match_those_of_plain_python_over_finite_pairs(values: Array) -> None:
    reference, candidate = values
    pairs = [(float(r), float(c)) for r, c in zip(reference, candidate, strict=True)]
    pairs = [(r, c) for r, c in pairs if math.isfinite(r) and math.isfinite(c)]
    errors = [abs(c - r) for r, c in pairs]
    relative = [abs(c - r) / abs(r) for r, c in pairs if r]
    result = compared(candidate, reference)
    assert result.finite_count == len(pairs)
    assert result.max_abs_error == max(errors, default=None)
    assert result.max_rel_error == max(relative, default=None)
    if pairs:
        assert result.mean_abs_error == pytest.approx(math.fsum(errors) / len(pairs), rel=1e-12)
        squares = math.fsum(e * e for e in errors) / len(pairs)
        assert result.rms_error == pytest.approx(math.sqrt(squares), rel=1e-12, abs=1e-200)


def test_without_a_finite_pair_every_metric_is_absent_and_never_zero() -> None:
    result = compared(floats(np.nan, 1.0, np.inf), floats(1.0, np.nan, np.inf))
    metrics = (
        result.max_abs_error, result.mean_abs_error, result.rms_error, result.max_rel_error, result.max_ulp_error,
        result.cosine_similarity, result.sqnr_db, result.reference_rms,
    )  # fmt: skip
    assert metrics == (None,) * 8
    assert result.finite_count == 0
    assert result.element_count == 3
    assert result.ulp_histogram == ()


def test_an_empty_batch_has_no_metric() -> None:
    empty = np.empty((0, 4), np.float32)
    result = compared(empty, empty)
    assert result.element_count == 0
    assert result.max_abs_error is None
    assert result.reference_scale is None


def test_minus_zero_equals_plus_zero() -> None:
    result = compared(floats(-0.0, 0.0), floats(0.0, -0.0))
    assert (result.max_abs_error, result.max_ulp_error, result.nonfinite.changed) == (0.0, 0.0, 0)


def test_equal_infinities_and_nans_are_no_divergence() -> None:
    assert compared(floats(np.nan, np.inf, -np.inf), floats(np.nan, np.inf, -np.inf)).nonfinite.changed == 0


def test_introduced_and_masked_elements_are_told_apart() -> None:
    result = compared(floats(np.nan, 1.0, np.inf, 2.0), floats(1.0, np.nan, 3.0, 2.0))
    assert (result.nonfinite.introduced, result.nonfinite.masked, result.nonfinite.changed) == (2, 1, 3)


def test_class_is_judged_against_float32_and_size_against_float64() -> None:
    double, single, candidate = np.array([1e39, 1.0]), floats(np.inf, 1.0), floats(np.inf, 1.5)
    statistics = measure(candidate, double, single, start=0)
    assert statistics.class_counts[2][2] == 1
    assert statistics.pair_count == 1
    assert statistics.max_abs_error == 0.5


def test_a_row_of_which_python_has_two_answers_is_measured_against_the_nearer_one() -> None:
    double = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    single = np.array([[0.1, 0.9], [0.2, 0.8], [0.9, 0.1]], np.float32)
    candidate = np.array([[0.1, 0.875], [0.2, 0.8], [0.3, 0.7]], np.float32)
    statistics = measure(candidate, double, single, start=0)
    assert statistics.max_abs_error == pytest.approx(0.025, rel=1e-6)
    assert statistics.reference_scale == 0.9
    assert statistics.worst.elements[0].reference == pytest.approx(0.9) and statistics.worst.elements[0].sample == 0
    assert statistics.top1 is not None and (statistics.top1.rows, statistics.top1.changed) == (3, 0)


def test_neither_answer_of_python_is_an_error_and_small_differences_of_the_two_are_none() -> None:
    double, single = np.array([1.0, 100.0, 50.0]), floats(0.5, 1.0, 50.25)
    assert measure(floats(1.0, 30.0, 50.25), double, single, start=0).max_abs_error == 29.0
    assert measure(floats(1.0, 100.0, 50.25), double, single, start=0).max_abs_error == 0.25  # not apart


@pytest.mark.parametrize("other", [math.nan, math.inf])
def test_a_row_without_a_finite_answer_in_float32_is_measured_against_float64(other: float) -> None:
    assert measure(floats(2.0, 1.0), np.array([1.0, 1.0]), floats(other, 1.0), start=0).max_abs_error == 1.0


def test_a_row_has_two_references_whatever_is_not_finite_elsewhere() -> None:
    double, single = np.array([1.0, math.nan, 1.0, 5.0]), floats(1.0, math.nan, math.inf, 3.0)
    assert measure(floats(1.0, math.nan, math.inf, 3.0), double, single, start=0).max_abs_error == 0.0


def test_a_large_number_of_float32_is_no_scale_for_other_rows() -> None:
    statistics = measure(floats(1e20, 2.0), np.array([1.0, 1.0]), floats(1e20, 1.0), start=0)
    assert (statistics.reference_scale, statistics.max_abs_error) == (1.0, 1.0)


def test_a_reference_of_zero_has_no_relative_error() -> None:
    assert compared(floats(1.0, 0.0), floats(0.0, 0.0)).max_rel_error is None
    assert compared(floats(1.0, 3.0), floats(0.0, 2.0)).max_rel_error == 0.5


def test_squares_of_the_largest_float32_do_not_overflow() -> None:
    result = compared(floats(3e38, -3e38), floats(2e38, -2e38))
    assert result.rms_error == pytest.approx(1e38, rel=1e-6)
    assert result.cosine_similarity == pytest.approx(1.0)


def test_squares_of_huge_and_tiny_doubles_neither_overflow_nor_vanish() -> None:
    for magnitude in (1e300, 1e-300):
        reference = np.array([3.0, 4.0]) * magnitude
        result = summary(measure(reference * 2, reference, reference, start=0, precision_bits=64))
        assert result.rms_error == pytest.approx(math.sqrt(12.5) * magnitude, rel=1e-12)
        assert result.sqnr_db == pytest.approx(0.0, abs=1e-9)
        assert result.cosine_similarity == pytest.approx(1.0)


def test_an_error_beyond_float64_is_held_at_its_largest_number() -> None:
    result = summary(measure(np.array([-1.7e308]), np.array([1.7e308]), np.array([1.7e308]), start=0))
    assert result.max_abs_error == np.finfo(np.float64).max
    assert result.rms_error is not None and math.isfinite(result.rms_error)


def test_sqnr_is_the_energy_ratio_in_decibels() -> None:
    reference = floats(10.0, -10.0, 10.0)
    assert compared(reference * np.float32(1.125), reference).sqnr_db == pytest.approx(20 * math.log10(8))
    assert compared(reference, reference).sqnr_db == math.inf
    assert compared(floats(1.0), floats(0.0)).sqnr_db == -math.inf
    assert compared(floats(0.0), floats(0.0)).sqnr_db is None


def test_cosine_similarity_is_absent_for_an_output_of_zeros() -> None:
    assert compared(floats(1.0, 2.0), floats(0.0, 0.0)).cosine_similarity is None
    assert compared(floats(-1.0, -2.0), floats(1.0, 2.0)).cosine_similarity == pytest.approx(-1.0)
    assert compared(floats(1.0, 0.0), floats(0.0, 1.0)).cosine_similarity == 0.0


def test_integers_are_right_when_they_equal_either_reference() -> None:
    single, double = np.array([1, 2, 3], np.int64), np.array([1, 9, 3], np.int64)
    assert measure(np.array([1, 9, 3], np.int32), double, single, start=0).max_abs_error == 0.0
    assert measure(np.array([1, 2, 3], np.int32), double, single, start=0).max_abs_error == 0.0
    wrong = measure(np.array([1, 4, 3], np.int32), double, single, start=0)
    assert wrong.max_abs_error == 2.0
    assert (wrong.max_ulp_error, wrong.top1) == (None, None)


def test_integers_beyond_the_precision_of_float64_still_differ() -> None:
    reference = np.array([2**53], np.int64)
    assert measure(reference + 1, reference, reference, start=0).max_abs_error == 1.0


def test_booleans_compare_exactly() -> None:
    reference = np.array([True, False])
    assert measure(reference, reference, reference, start=0).max_abs_error == 0.0
    assert measure(~reference, reference, reference, start=0).max_abs_error == 1.0


def test_elements_beyond_rtol_and_atol_are_counted_as_numpy_does() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(size=1000)
    candidate = (reference * (1 + 0.01 * rng.normal(size=1000))).astype(np.float32)
    statistics = measure(candidate, reference, reference, start=0, rtol=0.01, atol=1e-3)
    close = np.isclose(candidate.astype(np.float64), reference, rtol=0.01, atol=1e-3)
    assert 0 < statistics.outside_count == np.count_nonzero(~close)
    assert summary(statistics).outside_count == statistics.outside_count
    shares = np.abs(candidate - reference) / (1e-3 + 0.01 * np.abs(reference))
    assert summary(statistics).element_share == pytest.approx(shares.max())


def test_another_shape_is_reported_and_not_raised() -> None:
    result = summary(measure(np.zeros((4, 9)), np.zeros((4, 10)), np.zeros((4, 10)), start=0))
    assert result.shape_mismatch == "reference (10,), candidate (9,)"
    assert (result.element_count, result.max_abs_error) == (0, None)
    assert measure(np.zeros((3, 2)), np.zeros((4, 2)), np.zeros((4, 2)), start=0).shape_mismatch == (
        "reference (4, 2), candidate (3, 2)"
    )


def test_arrays_that_hold_no_real_numbers_are_refused() -> None:
    with pytest.raises(TypeError, match="complex64"):
        measure(np.zeros(2, np.complex64), np.zeros(2), np.zeros(2), start=0)


def test_worst_elements_say_where_they_are_in_the_whole_input() -> None:
    reference = np.zeros((3, 2, 4))
    candidate = reference.astype(np.float32)
    candidate[1, 0, 2], candidate[2, 1, 3], candidate[0, 0, 1] = 0.5, -2.0, np.nan
    worst = summary(measure(candidate, reference, reference, start=100)).worst
    found = [(w.kind, w.sample, w.index, w.candidate) for w in worst if w.kind == "error"]
    assert found == [("error", 102, (1, 3), -2.0), ("error", 101, (0, 2), 0.5)]
    assert [(w.kind, w.sample, w.index) for w in worst if w.kind != "error"] == [("introduced", 100, (0, 1))]


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0]), min_size=1, max_size=60), st.integers(1, 9))
def test_the_worst_errors_are_the_largest_and_ties_go_to_the_earlier(errors: list[float], top_k: int) -> None:
    candidate = np.array(errors, np.float32)
    zeros = np.zeros(len(errors))
    worst = measure(candidate, zeros, zeros, start=0, top_k=top_k).worst.errors
    expected = sorted((-e, i) for i, e in enumerate(errors) if e)[:top_k]
    assert [(-r.size, r.element.sample) for r in worst] == expected


def test_a_scalar_has_no_sample_axis() -> None:
    result = measure(np.array(2.0), np.array(1.0), np.array(1.0), start=0)
    (worst,) = result.worst.errors
    assert (worst.element.sample, worst.element.index, worst.element.place) == (0, (), "the value")
    assert (result.sample_count, result.element_count) == (0, 1)


@pytest.mark.parametrize("shape", [(5, 4), (1, 4), (5,), (2, 9, 8, 3)])
def test_an_output_without_a_sample_axis_is_compared_whole(shape: tuple[int, ...]) -> None:
    reference = np.random.default_rng(0).normal(size=shape)
    candidate = reference.astype(np.float32)
    at = tuple(size - 1 for size in shape)
    candidate[at] += 1
    whole = measure(candidate, reference, reference, start=32, has_sample_axis=False)
    rows = measure(candidate, reference, reference, start=32)
    (element, *_) = whole.worst.elements
    assert (element.sample, element.index, element.has_sample_axis) == (32, at, False)
    assert element.place == f"element {list(at)} of the batch from sample 32"
    assert (whole.sample_count, rows.sample_count, whole.top1) == (0, shape[0], None)
    assert (whole.max_abs_error, whole.squared_error_sum) == (rows.max_abs_error, rows.squared_error_sum)
    assert measure(candidate[None], reference, reference, start=0, has_sample_axis=False).shape_mismatch == (
        f"reference {shape}, candidate {(1, *shape)}"
    )


def test_a_picture_without_a_batch_is_drawn_whole() -> None:
    reference = np.random.default_rng(0).uniform(size=(16, 12, 3))
    candidate = reference.astype(np.float32)
    candidate[3, 4, 1] = 9
    seen = measure(candidate, reference, reference, start=0, has_sample_axis=False).picture
    assert seen is not None
    assert (seen.height, seen.width, seen.channels, seen.encoded().has_sample_axis) == (16, 12, 3, False)


def test_large_arrays_are_measured_like_small_ones() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(7, 30_011))  # several chunks, the last one odd
    candidate = (reference * (1 + 1e-6 * rng.normal(size=reference.shape))).astype(np.float32)
    candidate[5, 777], candidate[6, 30_010] = np.nan, 99.0
    result = compared(candidate, reference)
    error = np.abs(candidate.astype(np.float64) - reference)
    assert result.finite_count == reference.size - 1
    assert result.max_abs_error == np.nanmax(error)
    assert result.rms_error == pytest.approx(math.sqrt(np.nanmean(error**2)), rel=1e-12)
    assert [(w.kind, w.sample, w.index) for w in result.worst[:2]] == [
        ("introduced", 5, (777,)),
        ("error", 6, (30_010,)),
    ]
    assert sum(result.ulp_histogram) == reference.size - 1
