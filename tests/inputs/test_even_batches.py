"""How samples are cut into batches that GPU programs fit again and again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycheck.inputs import even_batch_size


@pytest.mark.parametrize(
    ("limit", "samples", "size"), [(32, 48, 24), (32, 1000, 25), (32, 64, 32), (32, 5, 5), (1, 7, 1)]
)
def test_batches_are_of_one_size_where_they_can_be(limit: int, samples: int, size: int) -> None:
    assert even_batch_size(limit, samples) == size


def test_where_no_size_divides_the_samples_the_last_batch_is_the_only_other_one() -> None:
    assert even_batch_size(32, 47) == 24  # and one of 23


@given(limit=st.integers(1, 300), samples=st.integers(1, 20_000))
def test_a_batch_has_at_least_one_sample_and_never_more_than_asked(limit: int, samples: int) -> None:
    size = even_batch_size(limit, samples)
    assert 1 <= size <= min(limit, samples)
    assert -(-samples // size) <= 2 * -(-samples // limit)  # never so small that batches multiply
