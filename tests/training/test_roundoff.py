"""A training that roundoff decides by itself agrees, and a fault of a page still does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pycheck.training.bench import Outcome
from pycheck.training.measure import Observed
from pycheck.training.roundoff import judge, with_roundoff
from pycheck.types import NATIVE_FLOAT64, RuntimeId

from .lab import Lab

pytestmark = pytest.mark.real

CPU = RuntimeId("chromium", "cpu")


def relu_at_zero() -> tuple[Any, Any, Any]:
    """0.1 + 0.2 - 0.3 is 0 but for roundoff, and the ReLU after it has a gradient of 0 or 1."""
    import keras

    given = keras.Input((3,))
    hidden = keras.layers.Dense(1, activation="relu", use_bias=False, name="hidden")(given)
    model = keras.Model(given, keras.layers.Dense(1, use_bias=False, name="out")(hidden))
    model.set_weights([np.float32([[0.1], [0.2], [-0.3]]), np.float32([[1.0]])])
    return model, np.ones((1, 3), np.float32), np.ones((1, 1), np.float32)


@pytest.fixture(scope="module")
def outcome(lab: Lab) -> Outcome:
    return lab.outcome(*relu_at_zero(), optimizer="sgd:0.1", loss="mse", steps=2, batch_size=1)


def of_page(outcome: Outcome, steps: Sequence[Observed]) -> Outcome:
    """The outcome as if the page had computed these steps."""
    seen = replace(outcome, trajectories={**outcome.trajectories, CPU: tuple(steps)}, moved=(), notes=())
    curves, rows = judge(seen, CPU, seen.trajectories[NATIVE_FLOAT64], ())
    others = tuple(each for each in outcome.curves if each.runtime != CPU)
    return replace(seen, curves=(*others, curves), gradients=rows)


def decided_otherwise(outcome: Outcome) -> list[Observed]:
    """The steps of native:float64 with the gradient of the ReLU that it did not take."""
    first, *later = outcome.trajectories[NATIVE_FLOAT64]
    hidden = first.gradients[0]
    assert hidden is not None
    return [
        replace(first, gradients=(np.zeros_like(hidden) if hidden.any() else hidden - 2, *first.gradients[1:])),
        *later,
    ]


def test_a_gradient_that_jumps_by_roundoff_agrees_and_a_note_says_from_which_step_on(outcome: Outcome) -> None:
    apart = of_page(outcome, decided_otherwise(outcome))
    parted = apart.of(CPU)
    assert parted is not None and parted.parted is not None and parted.parted.what == "gradient"
    settled = with_roundoff(apart)
    agreeing = settled.of(CPU)
    assert agreeing is not None and agreeing.parted is None
    assert all(row.passed for row in settled.gradients)
    assert "roundoff decides this training from step 0 on, at the gradient of hidden/kernel" in settled.notes[-1]
    assert settled.notes[-1].endswith("; the gradient jumps if the input of a ReLU is near 0 (hidden)")


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ((), "this training amplifies roundoff"),
        (("LSTM",), "this training amplifies roundoff"),
        (
            ("MaxPooling1D", "LeakyReLU"),
            "input of a ReLU is near 0 (b) or two values of a max pooling are nearly equal (a)",
        ),
    ],
)
def test_only_layers_that_the_model_has_are_named(
    outcome: Outcome, layers: Sequence[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    kinds = [getattr(keras.layers, kind) for kind in layers]
    arguments = [(2,) if kind == "LSTM" else () for kind in layers]
    made = [kind(*own, name=name) for kind, own, name in zip(kinds, arguments, "ab", strict=False)]
    monkeypatch.setattr(outcome.ready.single, "model", keras.Sequential([keras.Input((4, 2)), *made]))
    assert with_roundoff(of_page(outcome, decided_otherwise(outcome))).notes[-1].endswith(told)


def test_a_gradient_that_is_wrong_where_nothing_jumps_does_not_agree(outcome: Outcome) -> None:
    first, *later = outcome.trajectories[NATIVE_FLOAT64]
    out = first.gradients[1]
    assert out is not None
    wrong = replace(first, gradients=(first.gradients[0], out + np.float32(1e-3)))
    apart = of_page(outcome, [wrong, *later])
    parted = apart.of(CPU)
    assert parted is not None and parted.parted is not None
    assert with_roundoff(apart) == replace(apart, moved=())
