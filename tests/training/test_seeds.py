"""What five articles on NaN claim, and what happens: every example of theirs in Python, in each runtime.

The JavaScript ones are in js_harness/test/seeds.test.js; docs/seeds.md lists all.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from pycheck.types import Comparison, Report, RuntimeId

from ..shared import session
from .lab import Lab
from .seeds import BACKENDS, SEEDS, Seed

CONSTANT = 7.0

#: One that ends in NaN, and two of those that stay finite everywhere, as most do; the others with `--exhaustive`.
ALWAYS = {
    "cost 1 unclipped, outputs of 0 and 1",
    "Keras 3: inputs beyond 0 to 1, cross-entropy",
    "cost 1: clipped cross-entropy by hand",
}
#: Regressions that explode, of which test_failures.py tries one always.
EXPLODING = {"regression 1: rate 0.1, inputs to 4000", "regression 3 unscaled, with L2"}
MEASURED = [
    pytest.param(
        seed,
        id=seed.name.replace(" ", "-"),
        marks=() if seed.name in ALWAYS else pytest.mark.exhaustive,
    )
    for seed in SEEDS
]


def test_every_seed_has_a_name_of_its_own() -> None:
    assert len({seed.name for seed in SEEDS}) == len(SEEDS)


def test_the_laboratory_has_the_backends_that_the_seeds_tell_of(wide_lab: Lab) -> None:
    assert tuple(str(runtime) for runtime in wide_lab.runtimes) == BACKENDS


@pytest.mark.real
@pytest.mark.parametrize("seed", MEASURED)
def test_what_really_happens_in_each_runtime_is_as_it_was_measured(wide_lab: Lab, seed: Seed) -> None:
    outcome = wide_lab.outcome(*seed.make(), **seed.recipe)
    first = tuple(c.first_nonfinite.step if c.first_nonfinite else None for c in outcome.curves)
    assert first == seed.first_by_runtime
    if seed.first is None:
        assert all(curves.loss[-1] <= curves.loss[0] for curves in outcome.curves)


@pytest.mark.real
@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(s, id=s.name.replace(" ", "-"), marks=pytest.mark.exhaustive if s.name in EXPLODING else ())
        for s in SEEDS
        if s.codes and s.first is not None
    ],
)
def test_what_is_wrong_with_a_seed_is_found(lab: Lab, seed: Seed) -> None:
    found = lab.train(*seed.make(), **seed.recipe).codes
    assert seed.codes - {"nan-masked"} <= found  # which is WebGL's alone
    assert "vanishing-gradient" not in found  # a large gradient beside which others look small is what is wrong


@pytest.mark.real
def test_what_cures_a_seed_is_seen_to_work_in_each_runtime(wide_lab: Lab) -> None:
    """One of them; `python -m tests.training.seeds` applies all."""
    (seed,) = [seed for seed in SEEDS if seed.name == "cost 2: NaN in the loss made 0"]
    trained = wide_lab.train(*seed.make(), **seed.recipe)
    assert {cure: wide_lab.cured(trained, cure).worked for cure in (*seed.cures, *seed.no_cures)} == {
        **dict.fromkeys(seed.cures, True),
        **dict.fromkeys(seed.no_cures, False),
    }


@pytest.mark.real
def test_the_example_that_looks_for_nan_calls_a_function_that_tensorflow_lacks() -> None:
    import tensorflow as tf

    assert not hasattr(tf.debugging, "is_nan")
    assert list(tf.math.is_nan([1.0, np.nan]).numpy()) == [False, True]


@pytest.fixture(scope="module")
def masked_and_scaled() -> Iterator[Report]:
    """NaN replaced by 0, and robust scaling with a column that does not vary, as a model that a page runs.

    With 200 elements, for WebGL leaves less than 128 to the CPU.
    """
    import keras

    rng = np.random.default_rng(0)
    x = np.stack([rng.normal(size=100), np.full(100, CONSTANT)], axis=1).astype(np.float32)
    low, median, high = np.quantile(x, (0.25, 0.5, 0.75), axis=0).astype(np.float32)
    given = keras.Input((2,), name="x")
    masked = keras.ops.where(keras.ops.isnan(given), keras.ops.zeros_like(given), given)
    scaled = (given - median) / (high - low)
    model = keras.Model(given, {"masked": masked, "scaled": scaled})
    x[3, 0] = np.nan
    yield session.compare(model, x, runtimes=list(BACKENDS))


def of(report: Report, tensor: str, runtime: RuntimeId) -> Comparison:
    (found,) = [c for c in report.comparisons if (c.tensor, c.candidate) == (tensor, runtime)]
    return found


@pytest.mark.real
@pytest.mark.parametrize("runtime", BACKENDS)
def test_a_nan_is_replaced_by_0_alike_in_every_backend(masked_and_scaled: Report, runtime: str) -> None:
    comparison = of(masked_and_scaled, "masked", RuntimeId.parse(runtime))
    assert comparison.passed
    assert comparison.finite_count == comparison.element_count == 200


@pytest.mark.real
@pytest.mark.parametrize("runtime", BACKENDS)
def test_robust_scaling_makes_nan_of_a_column_that_does_not_vary(masked_and_scaled: Report, runtime: str) -> None:
    comparison = of(masked_and_scaled, "scaled", RuntimeId.parse(runtime))
    assert comparison.nonfinite.counts[1] == (0, 101, 0, 0)
    assert comparison.finite_count == 99
