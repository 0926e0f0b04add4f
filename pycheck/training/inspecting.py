"""Gathers evidence on a training: its data, the step that failed, and TF.js's formulas that differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..diagnosis.training import Certain, Explanation, Saturated, TrainingEvidence, loss_grew
from ..types import NATIVE_FLOAT32, NATIVE_FLOAT64, Array, Curvature, PassCheck, TrainingCurves
from .backward import check_pass, saturations
from .bench import Outcome
from .cancellation import cancelled_gradients
from .curvature import NotMeasuredError, largest_curvature, stability
from .data_facts import nan_in_data, scales, target_ranges
from .explain import Explainer
from .native import NativeTrainer
from .recipe import Recipe
from .setup import Setup

_LOG_LOSSES = ("binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy", "kl_divergence")
_MOST_CURVATURES = 4
#: The number of batches whose loss is compared before and after a training.
_MOST_BATCHES = 16
_NO_RATE = (
    "learning-rate-too-high is not measured: adadelta's step is a multiple of its own earlier steps, so no rate "
    "bounds it"
)


@dataclass(frozen=True, slots=True)
class Inspection:
    """The result of an inspection; `evidence` is for the rules, `notes` say what could not be measured."""

    evidence: TrainingEvidence
    passes: tuple[PassCheck, ...]
    curvatures: tuple[Curvature, ...]
    notes: tuple[str, ...] = ()


def inspect(setup: Setup, outcome: Outcome, *, first_pass: bool = False) -> Inspection:
    """Inspect a finished training, in TensorFlow's thread.

    `first_pass` also inspects the first step of a sound one.
    """
    native = outcome.of(NATIVE_FLOAT32)
    assert native is not None
    bad = native.first_nonfinite
    recipe, plan = setup.recipe, setup.plan
    single = outcome.ready.single
    final = single.weights
    passes: list[PassCheck] = []
    states: list[tuple[int, tuple[Array, ...]]] = [(0, outcome.snapshots[0].weights)]
    if bad is not None and outcome.before_failure is not None:
        states.append((bad.step, outcome.before_failure))
        single.set_weights(outcome.before_failure)
        passes.append(check_pass(single, bad.step, *plan.batch(bad.step)))
    elif first_pass:
        single.set_weights(outcome.snapshots[0].weights)
        passes.append(check_pass(single, 0, *plan.batch(0)))
    elif _finite(final):
        states.append((recipe.steps, final))
    curvatures, notes = _curvatures(setup, outcome, native)
    cancelled = _cancelled(setup, outcome)
    evidence = TrainingEvidence(
        optimizer=recipe.optimizer.name,
        learning_rate=recipe.optimizer.learning_rate,
        stability=stability(recipe.optimizer),
        growth=_growth(setup, outcome) if any(c.preconditioned for c in curvatures) else None,
        clipping=_clipping(recipe),
        loss_has_log=recipe.loss.name in _LOG_LOSSES or "log" in recipe.loss.program,
        scales=scales(plan.inputs, setup.hints),
        nan_in_data=nan_in_data(plan),
        target_ranges=tuple(target_ranges(plan.targets, recipe.loss)),
        certain=tuple(_certain(single, setup, states)),
        saturated=tuple(_saturated(single, setup, states)),
        explanations=tuple(_explanations(outcome)),
        cancelled=cancelled,
    )
    return Inspection(evidence, tuple(passes), curvatures, (*notes, *map(_without_gradient, cancelled)))


def _cancelled(setup: Setup, outcome: Outcome) -> tuple[str, ...]:
    """Return the variables whose gradient at the first step is 0 by algebra."""
    double, curves = outcome.ready.double, outcome.of(NATIVE_FLOAT64)
    if curves is None or not curves.largest_gradient or not math.isfinite(curves.loss[0]):
        return ()
    final = double.weights
    double.set_weights(outcome.snapshots[0].weights)
    try:
        return cancelled_gradients(double, curves.largest_gradient[0], *setup.plan.batch(0))
    finally:
        double.set_weights(final)


def _without_gradient(name: str) -> str:
    return f"{name} has no gradient, because the layers after it cancel its effect on the loss"


def _clipping(recipe: Recipe) -> str | None:
    kinds = {
        "clipnorm": recipe.clipnorm,
        "global_clipnorm": recipe.global_clipnorm,
        "clipvalue": recipe.clipvalue,
    }
    return next((kind for kind, value in kinds.items() if value is not None), None)


def _curvatures(
    setup: Setup, outcome: Outcome, native: TrainingCurves
) -> tuple[tuple[Curvature, ...], tuple[str, ...]]:
    """Measure the curvature of a failed training before some of its steps.

    Return also why it could not be measured.
    """
    failed = native.first_nonfinite is not None or loss_grew(native) or any(c.first_nonfinite for c in outcome.curves)
    if not failed:
        return (), ()
    if stability(setup.recipe.optimizer) is None:
        return (), (_NO_RATE,)
    last = native.first_nonfinite.step if native.first_nonfinite else setup.recipe.steps
    steps = [step for step in sorted(outcome.snapshots) if step <= last][:_MOST_CURVATURES]
    found: list[Curvature] = []
    notes: list[str] = []
    for step in steps:
        at = outcome.snapshots[step]
        if _finite(at.weights):
            try:
                found.append(largest_curvature(outcome.ready.double, step, at, *setup.plan.batch(step)))
            except NotMeasuredError as error:
                notes.append(f"the largest curvature was not measured: {error}")
    return tuple(found), tuple(dict.fromkeys(notes)) if not found else ()


def _growth(setup: Setup, outcome: Outcome) -> float | None:
    """Compute the growth of native:float64's loss: that of the last state over that of the first, on the same batches.

    The last state is the last snapshot with a finite loss; None if the first loss is not above 0.
    """
    trainer, plan = outcome.ready.double, setup.plan
    final = trainer.weights
    count = -(-plan.sample_count // plan.batch_size)
    batches = sorted({i * count // _MOST_BATCHES for i in range(_MOST_BATCHES)})

    def loss(weights: tuple[Array, ...]) -> float:
        trainer.set_weights(weights)
        return sum(trainer.loss(*plan.batch(step)) for step in batches) / len(batches)

    try:
        first = loss(outcome.snapshots[0].weights)
        kept = [outcome.snapshots[step].weights for step in sorted(outcome.snapshots, reverse=True)]
        ends = (loss(weights) for weights in (final, *kept) if _finite(weights))
        last = next((value for value in ends if math.isfinite(value)), math.nan)
    finally:
        trainer.set_weights(final)
    return last / first if math.isfinite(first) and first > 0.0 and math.isfinite(last) else None


def _finite(weights: tuple[Array, ...]) -> bool:
    return all(bool(np.isfinite(value).all()) for value in weights)


def _certain(trainer: NativeTrainer, setup: Setup, states: list[tuple[int, tuple[Array, ...]]]) -> list[Certain]:
    found = []
    if setup.recipe.loss.from_logits:
        return []
    for step, weights in states:
        trainer.set_weights(weights)
        inputs, targets = setup.plan.batch(step)
        rows = setup.plan.rows(step)
        for (name, wanted), given in zip(targets.items(), trainer.outputs(inputs), strict=True):
            if wanted.shape != given.shape:
                wanted = _one_hot(wanted, given)
            wrong = (given <= 0.0) & (wanted > 0.0)
            if setup.recipe.loss.name == "binary_crossentropy":
                wrong |= (given >= 1.0) & (wanted < 1.0)
            if wrong.any():
                place = tuple(int(i) for i in np.argwhere(wrong)[0])
                count = int(np.count_nonzero(wrong))
                found.append(Certain(name, step, count, rows.start + place[0], float(given[place])))
    return found


def _one_hot(classes: Array, like: Array) -> Array:
    return np.asarray(np.eye(like.shape[-1])[classes[..., 0].astype(int)])


def _saturated(trainer: NativeTrainer, setup: Setup, states: list[tuple[int, tuple[Array, ...]]]) -> list[Saturated]:
    found = []
    for step, weights in states:
        trainer.set_weights(weights)
        for layer, (activation, share, slope) in saturations(trainer, setup.plan.batch(step)[0]).items():
            found.append(Saturated(layer, activation, share, slope, step))
    return found


def _explanations(outcome: Outcome) -> list[Explanation]:
    explainer = Explainer(outcome)
    found = [explainer.explain(curves) for curves in outcome.curves if curves.runtime.engine != "native"]
    return [explanation for explanation in found if explanation is not None]
