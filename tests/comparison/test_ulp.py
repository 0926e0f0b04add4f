from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pycheck.comparison import measure
from pycheck.comparison.ulp import PRECISIONS, binades, distances, octave, octaves

FORMATS = {16: (11, -14), 32: (24, -126), 64: (53, -1022)}
single = st.floats(width=32, allow_nan=False, allow_infinity=False)
double = st.floats(allow_nan=False, allow_infinity=False)


def exact_unit(reference: float, bits: int) -> Fraction:
    """The spacing of the format at a real number, in exact arithmetic."""
    digits, least = FORMATS[bits]
    magnitude, exponent = abs(Fraction(reference)), least
    if magnitude >= Fraction(2) ** least:
        while magnitude >= Fraction(2) ** (exponent + 1):
            exponent += 1
    return Fraction(2) ** (exponent - digits + 1)


def distance(error: float, reference: float, bits: int) -> float:
    precision = PRECISIONS[bits]
    return float(distances(np.array([error]), binades(np.array([reference]), precision), precision)[0])


@given(candidate=single, reference=st.floats(-1e38, 1e38), bits=st.sampled_from([16, 32]))
@example(candidate=0.0, reference=0.0, bits=32)
@example(candidate=1e-45, reference=0.0, bits=32)
@example(candidate=-0.0, reference=5e-324, bits=32)
@example(candidate=1.0, reference=0.9999999999999999, bits=32)
@example(candidate=65504.0, reference=70000.0, bits=16)
def test_a_distance_is_the_error_in_units_of_the_references_binade(
    candidate: float, reference: float, bits: int
) -> None:
    error = abs(candidate - reference)
    expected = Fraction(error) / exact_unit(reference, bits)
    assert distance(error, reference, bits) == float(expected)


@given(candidate=st.floats(-1e300, 1e300), reference=st.floats(-1e300, 1e300))
def test_double_precision_candidates_are_measured_in_their_own_units(candidate: float, reference: float) -> None:
    error = abs(candidate - reference)
    expected = Fraction(error) / exact_unit(reference, 64)
    assert distance(error, reference, 64) == float(min(expected, Fraction(np.finfo(np.float64).max)))


@given(st.lists(single, min_size=1, max_size=20))
def test_a_correctly_rounded_result_is_within_half_a_unit(values: list[float]) -> None:
    references = np.array(values, np.float64) * (1.0 + 1e-9)
    rounded = references.astype(np.float32)
    statistics = measure(rounded, references, references, start=0)
    if statistics.pair_count == len(values):  # nothing rounded to infinity
        assert statistics.max_ulp_error is not None
        assert statistics.max_ulp_error <= 0.5


def test_neighbouring_floats_are_one_unit_apart() -> None:
    reference = np.array([1.0, 1.5, 1e-40, 3e38], np.float32)
    candidate = np.nextafter(reference, np.float32(np.inf))
    assert measure(candidate, reference.astype(np.float64), reference, start=0).ulp_histogram == (0, 4)


def test_the_precision_asked_for_is_the_one_counted_in() -> None:
    reference = np.array([1.0])
    candidate = np.array([1.0 + 2.0**-10], np.float32)
    halves = measure(candidate, reference, reference, start=0, precision_bits=16)
    singles = measure(candidate, reference, reference, start=0, precision_bits=32)
    assert halves.max_ulp_error == 1.0
    assert singles.max_ulp_error == 2.0**13


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="precision_bits is 24; known: 16, 32, 64"):
        measure(np.ones(1), np.ones(1), np.ones(1), start=0, precision_bits=24)


@given(st.lists(st.floats(0, 1e30), min_size=1, max_size=50))
def test_the_histogram_counts_powers_of_two(distances: list[float]) -> None:
    expected: dict[int, int] = {}
    for d in distances:
        bin_ = 0
        while d >= 2**bin_:
            bin_ += 1
        expected[bin_] = expected.get(bin_, 0) + 1
    found = octaves(np.array(distances))
    assert {i: n for i, n in enumerate(np.bincount(found).tolist()) if n} == expected
    assert [octave(d) for d in distances] == found.tolist()
