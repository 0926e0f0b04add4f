"""Tells a difference that roundoff makes by itself: Python differs as much when each weight is moved by one roundoff.

A ReLU at 0 or a max pooling of two nearly equal values has a gradient that jumps. Roundoff then decides which way, and
from this step on the weights differ by far more than roundoff. native:float32 often happens to decide as native:float64
does, so that the noise floor does not show it. Trainings in float32 with moved weights do, and join the noise floor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.evidence import layers_of
from ..runtimes.browser.training import seen
from ..types import NATIVE_FLOAT32, NATIVE_FLOAT64, Array, GradientComparison, RuntimeId, TrainingCurves
from .measure import CurveBuilder, Floor, Observed
from .setup import single_again

if TYPE_CHECKING:
    from .bench import Outcome

#: The most trainings with moved weights. Where two ways are equally likely, all decide alike in 1 of 256 cases.
_TRAININGS = 8
_RELUS = frozenset({"relu", "relu6", "leaky_relu", "ReLU", "LeakyReLU", "PReLU", "ThresholdedReLU"})
_MOST_NAMED = 5

Steps = Sequence[Observed]


def with_roundoff(outcome: Outcome) -> Outcome:
    """Judge pages whose gradients differ again, beside trainings with moved weights; in TensorFlow's thread.

    A page that differs no more than these agrees afterwards, and a note says from which step on roundoff decides.
    """
    suspects = {
        curves.runtime: curves
        for curves in outcome.curves
        if curves.parted and curves.parted.what == "gradient" and curves.runtime in outcome.trajectories
    }
    if not suspects or not outcome.floor.finite:
        return outcome
    moved: list[Steps] = []
    judged = dict(suspects)
    rows: dict[RuntimeId, tuple[GradientComparison, ...]] = {}
    for seed in range(_TRAININGS):
        first = min(curves.parted.step for curves in judged.values() if curves.parted)
        steps = _moved(outcome, seed, first, [*suspects], moved)
        if steps is None:
            continue
        moved.append(steps)
        for runtime in suspects:
            judged[runtime], rows[runtime] = judge(outcome, runtime, outcome.trajectories[NATIVE_FLOAT64], moved)
        if not any(curves.parted for curves in judged.values()):
            break
    return _settled(replace(outcome, moved=tuple(moved)), suspects, judged, rows)


def judge(
    outcome: Outcome, runtime: RuntimeId, reference: Steps, moved: Sequence[Steps]
) -> tuple[TrainingCurves, tuple[GradientComparison, ...]]:
    """Compute the curves of a page against a reference, and its first gradients, as far as all trainings go."""
    known = outcome.trajectories
    floor = Floor(outcome.floor.summation)
    builder = CurveBuilder(runtime, outcome.ready.variables, half=runtime.kind == "webgl-f16")
    for single, double, page, other, *others in zip(
        known[NATIVE_FLOAT32], known[NATIVE_FLOAT64], known[runtime], reference, *moved, strict=False
    ):
        floor.add(single, double, others)
        builder.add(page, other, floor)
    return builder.curves(), builder.gradients


def _moved(outcome: Outcome, seed: int, first: int, pages: Sequence[RuntimeId], moved: Sequence[Steps]) -> Steps | None:
    """Train with moved weights; None if it does not explain a page at the step `first`, at which it then stops."""
    steps: list[Observed] = []
    for step in _steps(outcome, seed):
        steps.append(step)
        if len(steps) == first + 1 and not any(_explains(outcome, page, first, [*moved, steps]) for page in pages):
            return None
    return steps


def _explains(outcome: Outcome, page: RuntimeId, first: int, moved: Sequence[Steps]) -> bool:
    parted = judge(outcome, page, outcome.trajectories[NATIVE_FLOAT64], moved)[0].parted
    return parted is None or parted.step > first


def _steps(outcome: Outcome, seed: int) -> Iterator[Observed]:
    ready, random = outcome.ready, np.random.default_rng(seed)
    trainer = single_again(ready)
    trainer.set_weights(outcome.snapshots[0].weights)
    for number in range(ready.setup.recipe.steps):
        trainer.set_weights([_move(weight, random) for weight in trainer.weights])
        step = trainer.step(*ready.setup.plan.batch(number))
        yield Observed(step.loss, tuple(map(seen, step.gradients)), tuple(map(seen, step.weights)), None)


def _move(weight: Array, random: np.random.Generator) -> Array:
    """Move each number up, down or not at all, to the next one of its precision."""
    towards = random.choice(np.array([-np.inf, np.nan, np.inf], weight.dtype), weight.shape)
    return np.where(np.isnan(towards), weight, np.nextafter(weight, towards))


def _settled(
    outcome: Outcome,
    before: dict[RuntimeId, TrainingCurves],
    judged: dict[RuntimeId, TrainingCurves],
    rows: dict[RuntimeId, tuple[GradientComparison, ...]],
) -> Outcome:
    """Replace the curves of the pages that agree now."""
    agree = {runtime for runtime, curves in judged.items() if curves.parted is None}
    if not agree:
        return outcome
    curves = tuple(
        replace(judged[each.runtime], activation_error=each.activation_error) if each.runtime in agree else each
        for each in outcome.curves
    )
    gradients = [row for row in outcome.gradients if row.runtime not in agree]
    notes = []
    for runtime in sorted(agree, key=str):
        parted = before[runtime].parted
        assert parted is not None
        gradients += rows[runtime]
        notes.append(
            f"{runtime}: roundoff decides this training from step {parted.step} on, at the gradient of {parted.name}: "
            f"Python differs as much when each weight is moved by one roundoff; {_jumps(outcome.ready.single.model)}"
        )
    return replace(outcome, curves=curves, gradients=tuple(gradients), notes=(*outcome.notes, *notes))


def _jumps(model: Any) -> str:
    """Say which layers have a gradient that jumps; that roundoff grows if none is known."""
    relus, pools = [], []
    for layer in layers_of(model):
        if _RELUS.intersection((type(layer).__name__, getattr(getattr(layer, "activation", None), "__name__", ""))):
            relus.append(str(layer.name))
        elif "MaxPool" in type(layer).__name__:
            pools.append(str(layer.name))
    where = [f"the input of a ReLU is near 0 ({_named(relus)})"] if relus else []
    where += [f"two values of a max pooling are nearly equal ({_named(pools)})"] if pools else []
    return f"the gradient jumps if {' or '.join(where)}" if where else "this training amplifies roundoff"


def _named(layers: Sequence[str]) -> str:
    more = f" and {len(layers) - _MOST_NAMED} more" if len(layers) > _MOST_NAMED else ""
    return ", ".join(layers[:_MOST_NAMED]) + more
