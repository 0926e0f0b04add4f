"""Asks what would explain a difference: Python once more, with TF.js's epsilon or TF.js's formulas, and is it gone?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..diagnose.training import Explanation
from ..runtimes.training import seen
from ..types import NATIVE_FLOAT32, NATIVE_FLOAT64, RuntimeId, TrainingCurves
from .bench import Outcome
from .measure import CurveBuilder, Floor, Observed
from .native import Rules
from .setup import variant
from .tfjs_optimizers import TfjsRule

_KERAS_EPSILON = 1e-7
_LEFT = 0.05
_LOSSES_WITH_EPSILON = (
    "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy", "kl_divergence", "poisson",
    "mean_absolute_percentage_error", "mean_squared_logarithmic_error", "cosine_similarity",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Variant:
    cause: str  # "epsilon" or "formula"
    rules: Rules


def explain(outcome: Outcome, curves: TrainingCurves) -> Explanation | None:
    """The first of the variants under which Python does what this page did; None where none does.

    That is: the error is within what is allowed, or 95 % of it are gone. What is left is float32's own in TF.js's
    scalars, such as 1 - 0.999, which another order of operations rounds otherwise.
    """
    if curves.parted is None or not outcome.trajectories or curves.runtime not in outcome.trajectories:
        return None
    before = _share(curves)
    for candidate in _variants(outcome, outcome.epsilons.get(curves.runtime, _KERAS_EPSILON)):
        after = _against(outcome, curves.runtime, candidate.rules)
        if _share(after) <= max(1.0, _LEFT * before):
            epsilon = outcome.epsilons.get(curves.runtime, _KERAS_EPSILON)
            return Explanation(curves.runtime, candidate.cause, epsilon, curves.parted.step, before, _share(after))
    return None


def _variants(outcome: Outcome, epsilon: float) -> list[_Variant]:
    recipe = outcome.ready.setup.recipe
    optimizer, other = recipe.optimizer, abs(epsilon - _KERAS_EPSILON) > 1e-9
    in_loss = epsilon if other and recipe.loss.name in _LOSSES_WITH_EPSILON else None
    found: list[_Variant] = []
    adaptive = optimizer.name not in ("sgd", "momentum")
    own = epsilon if adaptive and optimizer.epsilon is None else None
    if other:
        found.append(_Variant("epsilon", Rules(in_loss, None, own)))
    if adaptive:
        found.append(_Variant("formula", Rules(None, TfjsRule(optimizer, _KERAS_EPSILON))))
        if other:
            found.append(_Variant("epsilon", Rules(in_loss, TfjsRule(optimizer, epsilon))))
    return found


def _against(outcome: Outcome, runtime: RuntimeId, rules: Rules) -> TrainingCurves:
    """The page's curves with a native:float64 under other rules as the reference."""
    ready = outcome.ready
    trainer = variant(ready, rules)
    floor, builder = Floor(), CurveBuilder(runtime, ready.variables, half=runtime.kind == "webgl-f16")
    steps = zip(
        outcome.trajectories[NATIVE_FLOAT32],
        outcome.trajectories[NATIVE_FLOAT64],
        outcome.trajectories[runtime],
        strict=False,
    )
    for index, (single, double, page) in enumerate(steps):
        step = trainer.step(*ready.setup.plan.batch(index))
        floor.add(single, double)
        other = Observed(step.loss, tuple(map(seen, step.gradients)), tuple(map(seen, step.weights)), None)
        builder.add(page, other, floor)
        if not np.isfinite(step.loss):
            break
    return builder.curves()


def _share(curves: TrainingCurves) -> float:
    errors = (*curves.loss_error, *curves.gradient_error, *curves.weight_error)
    return max((error for error in errors if error is not None), default=0.0)
