"""What the articles say and what happens: two of their claims; `python -m tests.training.seeds` runs every example."""

from __future__ import annotations

import pytest

from .lab import Lab
from .seeds import SEEDS


def test_every_seed_has_a_name_of_its_own() -> None:
    assert len({seed.name for seed in SEEDS}) == len(SEEDS)


@pytest.mark.parametrize(
    "name",
    ["regression 3 with L2, unscaled", "regression 3 without L2", "Keras 3: inputs beyond 0 to 1, cross-entropy"],
)
def test_what_really_happens_is_as_it_was_measured(lab: Lab, name: str) -> None:
    """L2 does not keep the unscaled regression finite, scaling does without it; inputs beyond 1 harm nothing."""
    (seed,) = [seed for seed in SEEDS if seed.name == name]
    trained = lab.train(*seed.make(), **seed.recipe)
    training = trained.report.training
    assert training is not None
    for curves in (training.curves[0], training.curves[2]):
        first = curves.first_nonfinite
        assert (first.step if first else None) == seed.first
