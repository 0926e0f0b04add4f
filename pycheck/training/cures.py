"""Searches for fixes of a training: each changes data, recipe or model in one way; only those that work are advised."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..diagnosis.training import TrainingCase, loss_grew
from ..errors import PycheckError
from ..types import Array, CureTrial, RuntimeStatus, Tensors, TrainingCurves
from .bench import Bench, Outcome
from .explain import Explainer
from .plan import Plan
from .recipe import Loss
from .setup import Setup

_LARGEST = 10.0
_GUARDS: Mapping[str, tuple[str, ...]] = {
    "log": ("1e-07", "maximum"),
    "sqrt": ("1e-07", "add"),
    "exp": ("50.0", "minimum"),
    "div": ("1e-07", "add"),
}
_ADAPTIVE = ("rmsprop", "adadelta", "adam", "adamax")


@dataclass(frozen=True, slots=True)
class Cure:
    """One fix of a training, with the changed setup. `option` is the text that a user writes to apply it."""

    name: str
    description: str
    option: str
    setup: Setup


def cures(setup: Setup, case: TrainingCase) -> Iterator[Cure]:
    """Return the fixes that fit the findings; few, because each needs a training."""
    codes = _codes(case)
    yield from _of_data(setup, case, codes)
    yield from _of_rate(setup, case)
    yield from _of_loss(setup)
    yield from _of_model(setup, case)
    yield from _of_recipe(setup)
    if "broken-gradient" in codes:
        single = replace(setup, plan=replace(setup.plan, batch_size=1))
        yield Cure("single-samples", "batches of one sample", "--batch-size 1", single)


def _codes(case: TrainingCase) -> frozenset[str]:
    from ..diagnosis.training import diagnose_training

    return frozenset(found.code for found in diagnose_training(case))


def _of_data(setup: Setup, case: TrainingCase, codes: frozenset[str]) -> Iterator[Cure]:
    plan = setup.plan
    if "nan-in-data" in codes:
        keep = np.ones(plan.sample_count, bool)
        for array in (*plan.inputs.values(), *plan.targets.values()):
            if array.dtype.kind == "f":
                keep &= np.isfinite(array).reshape(len(array), -1).all(axis=1)
        if keep.any():
            kept = replace(plan, inputs=_rows(plan.inputs, keep), targets=_rows(plan.targets, keep))
            kept = replace(kept, batch_size=min(plan.batch_size, kept.sample_count))
            yield Cure(
                "without-nan", f"the {np.count_nonzero(~keep)} samples with NaN or infinity are removed",
                "keep = np.isfinite(x).all(axis=1)", replace(setup, plan=kept),
            )  # fmt: skip
            setup, plan = replace(setup, plan=kept), kept
    if "target-range" in codes and setup.recipe.loss.name in ("binary_crossentropy", "kl_divergence", "poisson"):
        high = 1.0 if setup.recipe.loss.name != "poisson" else math.inf
        clipped = replace(plan, targets={name: np.clip(y, 0.0, high) for name, y in plan.targets.items()})
        yield Cure(
            "targets-in-range", "targets are clipped to the loss's range", "y = np.clip(y, 0, 1)",
            replace(setup, plan=clipped),
        )  # fmt: skip
    if "target-range" in codes and setup.recipe.loss.name in ("hinge", "squared_hinge"):
        signs = replace(
            plan, targets={name: np.where(y > 0, 1, -1).astype(y.dtype) for name, y in plan.targets.items()}
        )
        yield Cure("targets-in-range", "targets are -1 and 1", "y = np.where(y > 0, 1, -1)", replace(setup, plan=signs))
    if setup.recipe.loss.name in ("mean_squared_error", "mean_absolute_error"):
        scaled = replace(plan, targets={name: _standardized(y) for name, y in plan.targets.items()})
        yield Cure(
            "scaled-targets", "each column of the targets has mean 0 and standard deviation 1",
            "y = (y - y.mean(axis=0)) / y.std(axis=0)", replace(setup, plan=scaled),
        )  # fmt: skip
    if any(array.dtype.kind == "f" for array in plan.inputs.values()):
        yield Cure(
            "standardized-inputs", "each column of the inputs has mean 0 and standard deviation 1",
            "x = (x - x.mean(axis=0)) / x.std(axis=0)", replace(setup, plan=_scaled(plan, _standardized)),
        )  # fmt: skip
        yield Cure(
            "robust-scaled-inputs",
            f"each column minus its median, divided by its interquartile range, clipped at {_LARGEST:g}",
            f"x = np.clip((x - np.median(x, 0)) / (q75 - q25), -{_LARGEST:g}, {_LARGEST:g})",
            replace(setup, plan=_scaled(plan, _robust)),
        )  # fmt: skip


def _rows(arrays: Tensors, keep: Array) -> dict[str, Array]:
    return {name: array[keep] for name, array in arrays.items()}


def _scaled(plan: Plan, scale: Any) -> Plan:
    scaled = {name: scale(array) if array.dtype.kind == "f" else array for name, array in plan.inputs.items()}
    return replace(plan, inputs=scaled)


def _standardized(array: Array) -> Array:
    """Standardize each column of the last axis, with statistics of finite values; a constant column becomes 0."""
    table = array.reshape(-1, array.shape[-1]).astype(np.float64)
    known = np.where(np.isfinite(table), table, np.nan)
    mean, deviation = np.nanmean(known, axis=0), np.nanstd(known, axis=0)
    return np.asarray(
        ((table - mean) / np.where(deviation > 0, deviation, 1.0)).astype(np.float32).reshape(array.shape)
    )


def _robust(array: Array) -> Array:
    table = array.reshape(-1, array.shape[-1]).astype(np.float64)
    known = np.where(np.isfinite(table), table, np.nan)
    low, median, high = np.nanpercentile(known, (25, 50, 75), axis=0)
    spread = np.where(high > low, high - low, 1.0)
    return np.asarray(np.clip((table - median) / spread, -_LARGEST, _LARGEST).astype(np.float32).reshape(array.shape))


def _of_rate(setup: Setup, case: TrainingCase) -> Iterator[Cure]:
    optimizer = setup.recipe.optimizer
    smaller = [optimizer.learning_rate / 10, optimizer.learning_rate / 100]
    bound, adaptive = case.stable_rate, case.steepest is not None and case.steepest.preconditioned
    stable: list[float] = []
    if bound is not None and (case.too_fast or not adaptive):
        half = float(f"{bound / 2:.2g}")
        stable = [half] if half < optimizer.learning_rate else []
        smaller = [rate for rate in smaller if adaptive and rate > half]  # an adaptive optimizer's bound is low
    for rate in (*smaller, *stable):
        slower = replace(optimizer, learning_rate=rate)
        why = "half of the largest stable rate" if rate in stable else "a smaller rate"
        yield Cure(
            "stable-learning-rate", f"the learning rate {rate:g}, {why}", f"--optimizer {slower}",
            _with(setup, optimizer=slower),
        )  # fmt: skip


def _of_recipe(setup: Setup) -> Iterator[Cure]:
    yield Cure(
        "clip-by-norm", "each gradient's norm is at most 1", "--clipnorm 1",
        _with(setup, clipnorm=1.0, global_clipnorm=None, clipvalue=None),
    )  # fmt: skip
    yield Cure(
        "clip-by-value", "each element of a gradient is at most 0.5", "--clipvalue 0.5",
        _with(setup, clipnorm=None, global_clipnorm=None, clipvalue=0.5),
    )  # fmt: skip
    yield Cure("l2", "an L2 penalty of 0.01 on every kernel", "--regularize l2:0.01", _with(setup, l2=0.01))
    optimizer = setup.recipe.optimizer
    if optimizer.name in _ADAPTIVE:
        for epsilon in (1e-7, 1e-3):
            changed = replace(optimizer, epsilon=epsilon)
            if changed != optimizer:
                yield Cure(
                    "same-epsilon" if epsilon < 1e-6 else "larger-epsilon", f"epsilon {epsilon:g} on both sides",
                    f"--optimizer {changed}", _with(setup, optimizer=changed),
                )  # fmt: skip


def _of_loss(setup: Setup) -> Iterator[Cure]:
    loss = setup.recipe.loss
    if any(word in _GUARDS for word in loss.program):
        words = tuple(w for word in loss.program for w in (*_GUARDS.get(word, ()), word))
        yield Cure(
            "guarded-loss", "arguments of log, sqrt, exp and divisors in the loss are clipped",
            "log(maximum(p, 1e-7)), sqrt(x + 1e-7), exp(minimum(x, 50)), a / (b + 1e-7)",
            _with(setup, loss=Loss(f"guarded {loss.name}", program=words)),
        )  # fmt: skip
    last = setup.model.layers[-1]
    activation = getattr(getattr(last, "activation", None), "__name__", "")
    ends = {"binary_crossentropy": "sigmoid", "categorical_crossentropy": "softmax"}
    if not loss.from_logits and ends.get(loss.name) == activation:

        def linear(class_name: str, config: dict[str, Any]) -> None:
            if config.get("name") == last.name:
                config["activation"] = "linear"

        changed = replace(_with(setup, loss=replace(loss, from_logits=True)), change=linear)
        yield Cure(
            "loss-from-logits", f"{last.name} without its {activation}, and the loss from logits",
            f"--loss {loss.name}:from_logits", changed,
        )  # fmt: skip


def _of_model(setup: Setup, case: TrainingCase) -> Iterator[Cure]:
    used = {getattr(getattr(layer, "activation", None), "__name__", "") for layer in setup.model.layers[:-1]}
    swaps = {"sigmoid": "relu", "hard_sigmoid": "relu"} if used & {"sigmoid", "hard_sigmoid"} else {}
    swaps |= {"tanh": "relu"} if "tanh" in used and case.evidence.saturated else {}
    swaps |= {"exponential": "softplus"} if _uses(setup, "exponential") else {}
    swaps |= {"relu": "tanh"} if "relu" in used else {}
    for old, new in swaps.items():

        def swapped(class_name: str, config: dict[str, Any], old: str = old, new: str = new) -> None:
            if config.get("activation") == old and config.get("name") != _kept(setup, old):
                config["activation"] = new

        yield Cure("other-activation", f"{new} instead of {old}", f"activation={new!r}", replace(setup, change=swapped))
    normalizes = any(getattr(layer, "epsilon", None) == 0 for layer in setup.model.layers)
    if normalizes:

        def larger(class_name: str, config: dict[str, Any]) -> None:
            if config.get("epsilon") == 0:
                config["epsilon"] = 1e-3

        yield Cure(
            "larger-epsilon", "normalizations add 1e-3 to the variance", "epsilon=1e-3", replace(setup, change=larger)
        )


def _uses(setup: Setup, name: str) -> bool:
    return any(getattr(getattr(layer, "activation", None), "__name__", "") == name for layer in setup.model.layers)


def _kept(setup: Setup, old: str) -> str | None:
    """Return the name of the last layer, whose activation the loss needs.

    None if it is exponential and may be replaced.
    """
    return None if old == "exponential" else str(setup.model.layers[-1].name)


def _with(setup: Setup, **changes: Any) -> Setup:
    return replace(setup, recipe=replace(setup.recipe, **changes))


async def try_cures(bench: Bench, setup: Setup, case: TrainingCase, outcome: Outcome) -> tuple[CureTrial, ...]:
    """Train again with each fix; before that, list the backends that need no fix, if there are several."""
    pages = [curves for curves in outcome.curves if curves.runtime.engine != "native"]
    trials = [_other_backend(outcome, pages)] if len(pages) > 1 else []
    for cure in cures(setup, case):
        try:
            trials.append(await attempt(bench, cure, case))
        except PycheckError as error:
            trials.append(CureTrial(cure.name, cure.description, cure.option, False, False, False, {}, error.message))
    return tuple(trials)


async def attempt(bench: Bench, cure: Cure, case: TrainingCase) -> CureTrial:
    """Train again with this fix, and decide whether it works: every runtime stays finite and agrees with Python.

    If the training had failed, the fix has to prevent the failure: values that are not finite, and a growing loss. A
    runtime may then still differ from Python if TF.js computes the optimizer or the loss differently, and Python with
    TF.js's formulas does the same.
    """
    outcome = await bench.train(cure.setup)
    ran = all(record.status is RuntimeStatus.OK for record in outcome.records)
    finite = ran and not any(curves.first_nonfinite for curves in outcome.curves)
    parted = [curves for curves in outcome.curves if curves.parted]
    together = ran and not parted
    codes: frozenset[str] = frozenset()
    if finite and parted and case.failed:
        explainer = Explainer(outcome)
        found = await bench.in_thread(lambda: [explainer.explain(curves) for curves in parted])
        codes = frozenset() if None in found else frozenset(code for e in found if e for code in e.codes)
    apart = f"; the remaining differences are {', '.join(sorted(codes))}" if codes else ""
    losses = {str(curves.runtime): curves.loss[-1] for curves in outcome.curves if curves.loss}
    grew = any(loss_grew(curves) for curves in outcome.curves)
    worked = finite and (together or bool(codes)) and not grew
    return CureTrial(cure.name, cure.description + apart, cure.option, worked, finite, together, losses, grew=grew)


def _other_backend(outcome: Outcome, pages: Sequence[TrainingCurves]) -> CureTrial:
    """List the backends that agree with Python, if Python stays finite."""
    native = [curves for curves in outcome.curves if curves.runtime.engine == "native"]
    well = not any(curves.first_nonfinite for curves in native)
    good = [c for c in pages if well and not c.first_nonfinite and not c.parted and len(c.loss) == len(native[0].loss)]
    losses = {str(curves.runtime): curves.loss[-1] for curves in good}
    names = ", ".join(losses) or "another backend"
    worked = bool(good)
    return CureTrial(
        "other-backend", f"without a change, on {names}", " ".join(f"--runtime {name}" for name in losses) or "-",
        worked, worked, worked, losses,
    )  # fmt: skip
