"""NaN and infinities of inputs are counted, and the first is found, the same whatever the batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycheck.inputs.nonfinite import found, together
from pycheck.types import Array, NonfiniteInput

VALUES = {"nan": np.nan, "+inf": np.inf, "-inf": -np.inf}


def of_batches(tensor: Array, size: int) -> NonfiniteInput | None:
    so_far = None
    for start in range(0, len(tensor), size):
        part = found("x", tensor[start : start + size], start)
        so_far = together(so_far, part) if part else so_far
    return so_far


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 3000), st.sampled_from(sorted(VALUES)))
def test_counts_and_the_first_do_not_depend_on_the_batches(samples: int, batch: int, seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(samples, 3, 2)).astype(np.float32)
    bad = rng.random(x.shape) < 0.1
    x[bad] = VALUES[kind]
    told = of_batches(x, batch)
    if not bad.any():
        assert told is None
        return
    sample, *index = (int(i) for i in np.argwhere(bad)[0])
    counts = (int(bad.sum()), 0) if kind == "nan" else (0, int(bad.sum()))
    affected = int(bad.any(axis=(1, 2)).sum())
    assert told == NonfiniteInput("x", *counts, affected, sample, tuple(index), kind)


@pytest.mark.parametrize("shape", [(), (7,), (2, 3)])
def test_an_input_without_a_sample_axis_has_no_samples(shape: tuple[int, ...]) -> None:
    x = np.zeros(shape, np.float32)
    at = tuple(size - 1 for size in shape)
    x[at] = np.nan
    assert found("x", x, 0, whole=True) == NonfiniteInput("x", 1, 0, 1, 0, at, "nan", has_sample_axis=False)


@pytest.mark.parametrize("kind", VALUES)
def test_a_scalar_of_each_sample_has_no_index(kind: str) -> None:
    told = of_batches(np.float32([1, VALUES[kind], 3]), 2)
    assert told is not None
    assert (told.sample, told.index, told.kind) == (1, (), kind)
