from __future__ import annotations

from math import frexp

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pycheck.comparison import Statistics, measure
from pycheck.comparison.ulp import PRECISIONS, octave
from pycheck.types import MagnitudeErrors

single = st.floats(width=32, allow_nan=False, allow_infinity=False)
pairs = st.lists(st.tuples(single, single), min_size=1, max_size=40)


def measured(candidates: list[float], references: list[float], bits: int = 32) -> Statistics:
    reference = np.array(references, np.float64)
    return measure(np.array(candidates, np.float32), reference, reference, start=0, precision_bits=bits)


@given(pairs, st.sampled_from([16, 32, 64]))
@example([(1.0, 2.0**200), (0.0, 2.0**-149), (2.0**-149, 0.0)], 64)
def test_every_pair_is_counted_once_under_its_magnitude_and_its_error(
    values: list[tuple[float, float]], bits: int
) -> None:
    expected: dict[tuple[int | None, int], int] = {}
    least = max(PRECISIONS[bits].least_exponent, -160)
    for candidate, reference in values:
        distance = measured([candidate], [reference], bits).max_ulp_error
        assert distance is not None
        magnitude = min(max(frexp(abs(reference))[1] - 1 if reference else least, least), 160)
        place = (None if magnitude == least else magnitude), min(octave(distance), 63)
        expected[place] = expected.get(place, 0) + 1
    rows = measured(*zip(*values, strict=True), bits).error_by_magnitude  # type: ignore[arg-type]
    found = {(row.log2_magnitude, i): n for row in rows for i, n in enumerate(row.ulp_histogram) if n}
    assert found == expected


@given(pairs)
def test_the_ulp_histogram_is_the_sum_over_magnitudes(values: list[tuple[float, float]]) -> None:
    statistics = measured(*zip(*values, strict=True))  # type: ignore[arg-type]
    total = np.zeros(64, np.int64)
    for row in statistics.error_by_magnitude:
        total[: len(row.ulp_histogram)] += row.ulp_histogram
    known = np.array(statistics.ulp_histogram)
    assert (total[:63] == np.pad(known, (0, 64))[:63]).all()
    assert total[63] == known[63:].sum()


def test_rows_are_in_order_and_none_is_empty() -> None:
    statistics = measured([0.0, 3.0, 1.0, 1.0 + 2.0**-22], [0.0, 3.0, 1.0, 1.0])
    assert statistics.error_by_magnitude == (
        MagnitudeErrors(None, (1,)),
        MagnitudeErrors(0, (1, 0, 1)),
        MagnitudeErrors(1, (1,)),
    )


@pytest.mark.parametrize("dtype", [np.int32, np.bool_])
def test_integers_have_none(dtype: type) -> None:
    values = np.ones(3, dtype)
    assert measure(values, values, values, start=0).error_by_magnitude == ()


def test_who_draws_nothing_keeps_nothing_to_draw() -> None:
    image = np.zeros((1, 8, 8, 1), np.float32)
    statistics = measure(image + 1, image, image, start=0, drawn=False)
    assert statistics.error_by_magnitude == ()
    assert statistics.picture is None
    assert sum(statistics.ulp_histogram) == 64
