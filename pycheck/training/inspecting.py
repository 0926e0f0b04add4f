"""Gathers what explains a training: looks into the data, into the step that failed, and at what TF.js does else."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..diagnose.training import Certain, Explanation, Saturated, TrainingEvidence, loss_grew
from ..types import NATIVE_FLOAT32, Array, Curvature, PassCheck, TrainingCurves
from .backward import check_pass, largest_curvature, saturations
from .bench import Outcome
from .data_facts import nan_in_data, scales, target_ranges
from .explain import Explainer
from .native import NativeTrainer
from .recipe import Recipe
from .setup import Setup

_LOG_LOSSES = ("binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy", "kl_divergence")
_MOST_CURVATURES = 4


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found; `evidence` is for the rules."""

    evidence: TrainingEvidence
    passes: tuple[PassCheck, ...]
    curvatures: tuple[Curvature, ...]


def inspect(setup: Setup, outcome: Outcome, *, first_pass: bool = False) -> Inspection:
    """Look into a training that is done, and with `first_pass` into its first step anyway. In TensorFlow's thread."""
    native = outcome.of(NATIVE_FLOAT32)
    assert native is not None
    bad = native.first_nonfinite
    recipe, plan = setup.recipe, setup.plan
    single = outcome.ready.single
    final = single.weights
    passes: list[PassCheck] = []
    states: list[tuple[int, tuple[Array, ...]]] = [(0, outcome.snapshots[0])]
    if bad is not None and outcome.before_failure is not None:
        states.append((bad.step, outcome.before_failure))
        single.set_weights(outcome.before_failure)
        passes.append(check_pass(single, bad.step, *plan.batch(bad.step)))
    elif first_pass:
        single.set_weights(outcome.snapshots[0])
        passes.append(check_pass(single, 0, *plan.batch(0)))
    elif all(bool(np.isfinite(value).all()) for value in final):
        states.append((recipe.steps, final))
    evidence = TrainingEvidence(
        optimizer=recipe.optimizer.name,
        learning_rate=recipe.optimizer.learning_rate,
        momentum=recipe.optimizer.settings.get("momentum", 0.0),
        clipping=_clipping(recipe),
        loss_has_log=recipe.loss.name in _LOG_LOSSES or "log" in recipe.loss.program,
        scales=scales(plan.inputs),
        nan_in_data=nan_in_data(plan),
        target_ranges=tuple(target_ranges(plan.targets, recipe.loss)),
        certain=tuple(_certain(single, setup, states)),
        saturated=tuple(_saturated(single, setup, states)),
        explanations=tuple(_explanations(outcome)),
    )
    return Inspection(evidence, tuple(passes), tuple(_curvatures(setup, outcome, native)))


def _clipping(recipe: Recipe) -> str | None:
    kinds = {
        "clipnorm": recipe.clipnorm,
        "global_clipnorm": recipe.global_clipnorm,
        "clipvalue": recipe.clipvalue,
    }
    return next((kind for kind, value in kinds.items() if value is not None), None)


def _curvatures(setup: Setup, outcome: Outcome, native: TrainingCurves) -> list[Curvature]:
    """Before a few steps up to the one that failed; none where gradient descent is not what is done."""
    failed = native.first_nonfinite is not None or loss_grew(native) or any(c.first_nonfinite for c in outcome.curves)
    if not failed or setup.recipe.optimizer.name not in ("sgd", "momentum"):
        return []
    last = native.first_nonfinite.step if native.first_nonfinite else setup.recipe.steps
    steps = [step for step in sorted(outcome.snapshots) if step <= last][:_MOST_CURVATURES]
    found = [
        largest_curvature(outcome.ready.double, step, outcome.snapshots[step], *setup.plan.batch(step))
        for step in steps
        if all(bool(np.isfinite(value).all()) for value in outcome.snapshots[step])
    ]
    return [curvature for curvature in found if curvature is not None]


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
        for layer, (activation, share) in saturations(trainer, setup.plan.batch(step)[0]).items():
            if activation != "softmax" and math.isfinite(share):
                found.append(Saturated(layer, activation, share, step))
    return found


def _explanations(outcome: Outcome) -> list[Explanation]:
    explainer = Explainer(outcome)
    found = [explainer.explain(curves) for curves in outcome.curves if curves.runtime.engine != "native"]
    return [explanation for explanation in found if explanation is not None]
