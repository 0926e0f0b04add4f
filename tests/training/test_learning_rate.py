"""`learning-rate-too-high`: measured against the curvature that an optimizer meets, and told where it does harm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from pycheck.training.curvature import Snapshot, largest_curvature, stability
from pycheck.training.native import NativeTrainer
from pycheck.training.recipe import parse_optimizer

from .failures import column, dense, noise, sums
from .lab import Lab, Trained

RATE = "learning-rate-too-high"


def parabola() -> tuple[Any, Any, Any]:
    """The squared error of k x at targets of 0: k**2, whose curvature is 2. No gradient ever reaches the bias."""
    return dense(1, (1, None, 1.0)), column(1, -1), column(0, 0)


@pytest.fixture(scope="module")
def python() -> Iterator[Lab]:
    """No browser: the bound is measured in Python."""
    with Lab() as opened:
        yield opened


def after(steps: int, optimizer: str, rate: float, curvature: float) -> float:
    """Where an optimizer gets from 1 on a parabola, with nothing to divide by but 1."""
    recipe = parse_optimizer(optimizer)
    m, averaged = recipe.settings.get("momentum", 0.0), recipe.settings.get("beta_1")
    place, moment = 1.0, 0.0
    for _ in range(steps):
        gradient = curvature * place
        if averaged is not None:
            moment = averaged * moment + (1 - averaged) * gradient
            place -= rate * moment
        else:
            moment = m * moment - rate * gradient
            place += m * moment - rate * gradient if recipe.settings.get("nesterov") else moment
    return abs(place)


@pytest.mark.parametrize(
    ("optimizer", "factor"),
    [
        ("sgd", 2.0), ("adagrad", 2.0), ("rmsprop", 2.0), ("rmsprop:1,momentum=0.5", 3.0), ("momentum", 3.8),
        ("momentum:1,nesterov=true", 3.8 / 2.8), ("adam", 38.0), ("adamax:1,beta_1=0.5", 6.0),
    ],
)  # fmt: skip
def test_the_bound_of_each_kind_of_momentum_is_where_a_parabola_becomes_unstable(optimizer: str, factor: float) -> None:
    known = stability(parse_optimizer(optimizer))
    assert known is not None
    assert known.factor == pytest.approx(factor)
    bound, curvature = known.factor / 5.0, 5.0
    assert after(2000, optimizer, 0.99 * bound, curvature) < 1e-3
    assert after(2000, optimizer, 1.01 * bound, curvature) > 1e3


#: On the parabola with what is divided by all but constant: the optimizer's settings, and its bound in closed form.
CLOSED: Mapping[str, tuple[str, float]] = {
    "sgd": ("sgd:{}", 1.0),
    "rmsprop": ("rmsprop:{},epsilon=1e6", np.sqrt(0.1 * 4 + 1e6)),
    "adagrad": ("adagrad:{},initial_accumulator_value=1e6", np.sqrt(1e6 + 4)),
    "adam": ("adam:{},beta_1=0,beta_2=0,epsilon=1e3", 1e3 + 2),
    "adamax": ("adamax:{},beta_1=0,beta_2=0,epsilon=1e3", 1e3 + 2),
}


@pytest.mark.real
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind == "adam" else pytest.mark.exhaustive) for kind in CLOSED]
)
def test_just_below_the_bound_nothing_is_found_and_just_above_it_the_bound_and_a_rate_that_works(
    python: Lab, kind: str
) -> None:
    text, bound = CLOSED[kind]

    def train(rate: float) -> Trained:
        return python.train(*parabola(), optimizer=text.format(f"{rate:.9g}"), loss="mse", steps=24)

    assert RATE not in train(0.95 * bound).codes
    above = train(1.1 * bound)
    (found,) = [finding for finding in above.report.findings if finding.code == RATE]
    assert found.evidence["stable"] == pytest.approx(bound, rel=1e-3)
    assert found.evidence["preconditioned"] == (kind != "sgd")
    assert f"such as {bound / 2:.3g}"[:12] in found.advice
    assert python.cured(above, "stable-learning-rate").worked


@pytest.mark.real
def test_a_sound_training_above_the_bound_gives_no_finding(python: Lab) -> None:
    """Adaptive optimizers live at the edge of stability: what they divide by grows with the gradient."""
    x = noise(64, 4)
    trained = python.train(dense(4, (8, "tanh"), (1, None)), x, sums(x), optimizer="adam:0.5", loss="mse", steps=40)
    training = trained.report.training
    assert training is not None
    assert training.curves[0].loss[-1] < training.curves[0].loss[0]
    assert RATE not in trained.codes


@pytest.mark.real
def test_what_fails_of_something_else_is_not_put_down_to_the_rate_of_an_adaptive_optimizer(python: Lab) -> None:
    """In float32 the sigmoid of -90 is 0, whose logarithm is infinite; in float64 this very training succeeds."""
    x = column(-90, -1, 1)
    model = dense(1, (1, "sigmoid", 1.0))
    trained = python.train(model, x, np.ones_like(x), optimizer="adam:50", loss="mean(-y * log(p))", steps=6)
    training = trained.report.training
    assert training is not None and training.curves[0].first_nonfinite
    assert 38.0 / max(c.largest for c in training.curvatures) < 50.0
    assert RATE not in trained.codes


@pytest.mark.real
def test_adadelta_has_no_rate_to_measure_and_the_report_says_so(python: Lab) -> None:
    trained = python.train(*parabola(), optimizer="adadelta:100000", loss="mse", steps=12)
    training = trained.report.training
    assert training is not None
    assert training.curves[0].loss[-1] > 10 * training.curves[0].loss[0]
    assert RATE not in trained.codes
    assert any("adadelta's step is a multiple of its own earlier steps" in note for note in training.notes)


@pytest.mark.real
def test_an_operation_without_a_second_derivative_is_named_instead_of_the_curvature(python: Lab) -> None:
    x = noise(16, 3) * 100
    trained = python.train(dense(3, (4, "softsign"), (1, None)), x, sums(x), optimizer="sgd:10", loss="mse", steps=12)
    training = trained.report.training
    assert training is not None and training.curvatures == ()
    (note,) = [note for note in training.notes if "curvature" in note]
    assert note == (
        "the largest curvature was not measured: an operation has no second derivative: gradient registry has no entry "
        "for: SoftsignGrad"
    )


def test_a_defect_in_the_measurement_is_not_taken_for_a_missing_derivative() -> None:
    class Defective(NativeTrainer):
        trainable_count = 1

        def __init__(self) -> None:
            self._variables = []

        def set_weights(self, values: Sequence[Any]) -> None: ...

        def hessian_vector(self, *_: Any) -> list[Any]:
            raise KeyError("x")

    with pytest.raises(KeyError):
        largest_curvature(Defective(), 0, Snapshot((np.ones(2),)), {}, {})
