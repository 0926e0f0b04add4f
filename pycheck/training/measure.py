"""Turns steps into curves: magnitudes, counts of NaN, and errors against native:float64, step by step.

The allowed error of a runtime grows with the steps. The noise floor of a variable is the largest error of
native:float32, and of trainings with moved weights (roundoff.py), against native:float64 so far. Its scale is the
largest magnitude so far. The allowed error is

    max(min(24 L C F, 0.01 S), 3 C F, 32 C u sqrt(t + 1) S, 5 C u E S)

with the floor F, the scale S, float32's unit roundoff u = 2**-24, the step t and the constants of the gate
(pycheck/gate/limits.py). The first term is 24 times the floor, times the factor L = 10**(2 / n) for the n numbers so
far, but at most 1 % of the scale. The second term keeps it above the error of float32 itself. The third is 32 unit
roundoffs, which grow like a random walk, because the errors of single steps add up. The last is for gradients that sum
many terms: E is the error of a sequential sum in unit roundoffs of its result (pycheck/training/sums.py). C is 1, or
2**13 for half floats.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..gate import assess_gradient, share, training_limit
from ..types import (
    Array,
    GradientComparison,
    RuntimeId,
    TrainingCurves,
    TrainingMoment,
    TrainingVariable,
)


@dataclass(frozen=True, slots=True)
class Observed:
    """The values of one step, by variable in the training's order; None if there is none to compare.

    Gradients are those of the trainable variables, which come first. `activations` counts non-finite elements by
    layer, in the order of computation; None if they were not counted. `results` are the flat results of the layers.
    """

    loss: float
    gradients: tuple[Array | None, ...]
    weights: tuple[Array | None, ...]
    activations: Mapping[str, int] | None
    results: Mapping[str, Array] = field(default_factory=dict)


#: A compared tensor: "loss", "gradient" or "weight" with the number of the variable, or "activation" with the layer.
Key = tuple[str, int | str]


class Floor:
    """The largest error of native:float32 and the largest magnitude so far, for all runtimes.

    `summation` has the error of a sequential sum for each variable's gradient, in unit roundoffs of its scale.
    """

    def __init__(self, summation: Mapping[int, float] | None = None) -> None:
        self.summation = summation or {}
        self._errors: dict[Key, float] = {}
        self._scales: dict[Key, float] = {}
        self._counts: dict[Key, int] = {}
        self._steps = 0
        self.finite = True

    def add(self, single: Observed, double: Observed, moved: Sequence[Observed] = ()) -> None:
        """Add a step of native:float32 and native:float64, and of trainings in float32 with moved weights.

        After a step that is not finite, nothing is compared any more.
        """
        for key, ours, theirs in (pair for other in (single, *moved) for pair in _pairs(other, double)):
            if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
                self.finite &= key[0] == "activation"  # infinity in a layer does not always reach the loss
                continue
            error = float(np.abs(ours.astype(np.float64) - theirs).max(initial=0.0))
            self._errors[key] = max(error, self._errors.get(key, 0.0))
            self._scales[key] = max(float(np.abs(theirs).max(initial=0.0)), self._scales.get(key, 0.0))
            self._counts[key] = self._counts.get(key, 0) + theirs.size
        self._steps += 1

    def allowed(self, key: Key, half: bool) -> float:
        """Compute the largest error that a tensor may have at the step that was added last."""
        what, index = key
        return training_limit(
            floor=self._errors.get(key, 0.0),
            scale=self._scales.get(key, 0.0),
            count=self._counts.get(key, 1),
            steps=self._steps,
            half=half,
            summation=self.summation.get(index, 0.0) if what == "gradient" and isinstance(index, int) else 0.0,
        )


def _pairs(one: Observed, other: Observed) -> list[tuple[Key, Array, Array]]:
    pairs: list[tuple[Key, Array, Array]] = [(("loss", 0), np.asarray([one.loss]), np.asarray([other.loss]))]
    for what, mine, theirs in (("gradient", one.gradients, other.gradients), ("weight", one.weights, other.weights)):
        for index, (a, b) in enumerate(zip(mine, theirs, strict=True)):
            if a is not None and b is not None:
                pairs.append(((what, index), a, b))
    for layer, a in one.results.items():
        b = other.results.get(layer)
        if b is not None and a.size == b.size:
            pairs.append((("activation", layer), a, b))
    return pairs


class CurveBuilder:
    """The curves of one runtime, step by step. `half` is True if it computes in half floats."""

    def __init__(self, runtime: RuntimeId, variables: Sequence[TrainingVariable], *, half: bool = False) -> None:
        self._runtime = runtime
        self._variables = variables
        self._half = half
        self._rows: list[tuple[float, ...]] = []
        self._loss: list[float] = []
        self._norm: list[float] = []
        self._largest: dict[str, list[tuple[float | None, ...]]] = {"gradient": [], "weight": []}
        self._nonfinite: dict[str, list[int | None]] = {"loss": [], "activation": [], "gradient": [], "weight": []}
        self._errors: dict[str, list[float | None]] = {"activation": [], "loss": [], "gradient": [], "weight": []}
        self._first: TrainingMoment | None = None
        self._parted: TrainingMoment | None = None
        self.gradients: tuple[GradientComparison, ...] = ()

    def add(self, seen: Observed, reference: Observed, floor: Floor) -> None:
        """Add a step, which `floor` must already have."""
        step = len(self._loss)
        self._loss.append(seen.loss)
        with np.errstate(all="ignore"):
            parts = [float(np.sum(np.square(g, dtype=np.float64))) for g in seen.gradients if g is not None]
        self._norm.append(math.sqrt(sum(parts)) if not any(map(math.isnan, parts)) else math.nan)
        self._largest["gradient"].append(tuple(map(_largest, seen.gradients)))
        self._largest["weight"].append(tuple(map(_largest, seen.weights)))
        bad_gradients, bad_weights = [_bad(g) for g in seen.gradients], [_bad(w) for w in seen.weights]
        self._nonfinite["loss"].append(int(not math.isfinite(seen.loss)))
        self._nonfinite["activation"].append(None if seen.activations is None else sum(seen.activations.values()))
        self._nonfinite["gradient"].append(sum(bad_gradients))
        self._nonfinite["weight"].append(sum(bad_weights))
        self._first = self._first or self._first_bad(step, seen, bad_gradients, bad_weights)
        self._judge(step, seen, reference, floor)

    def curves(self) -> TrainingCurves:
        """Return the curves of all steps so far."""
        return TrainingCurves(
            self._runtime,
            tuple(self._loss),
            tuple(self._norm),
            tuple(self._largest["gradient"]),
            tuple(self._largest["weight"]),
            tuple(int(n or 0) for n in self._nonfinite["loss"]),
            tuple(self._nonfinite["activation"]),
            tuple(int(n or 0) for n in self._nonfinite["gradient"]),
            tuple(int(n or 0) for n in self._nonfinite["weight"]),
            tuple(self._errors["loss"]),
            tuple(self._errors["gradient"]),
            tuple(self._errors["weight"]),
            self._first,
            self._parted,
            tuple(self._errors["activation"]),
        )

    def _first_bad(
        self, step: int, seen: Observed, gradients: Sequence[int], weights: Sequence[int]
    ) -> TrainingMoment | None:
        for layer, count in (seen.activations or {}).items():
            if count:
                return TrainingMoment(step, "activation", layer)
        if not math.isfinite(seen.loss):
            return TrainingMoment(step, "loss")
        if bad := [i for i, count in enumerate(gradients) if count]:
            return TrainingMoment(
                step, "gradient", self._variables[bad[-1]].name
            )  # the backward pass starts with the last
        if bad := [i for i, count in enumerate(weights) if count]:
            return TrainingMoment(step, "weight", self._variables[bad[0]].name)
        return None

    def _judge(self, step: int, seen: Observed, reference: Observed, floor: Floor) -> None:
        shares: dict[str, tuple[float, int | str]] = {}
        rows: list[GradientComparison] = []
        finite = floor.finite
        for key, ours, theirs in _pairs(seen, reference):
            what, index = key
            whole = bool(np.isfinite(ours).all() and np.isfinite(theirs).all())
            limit = floor.allowed(key, self._half)
            error = float(np.abs(ours.astype(np.float64) - theirs).max(initial=0.0)) if whole else None
            if what == "gradient" and step == 0 and isinstance(index, int):
                name = self._variables[index].name
                row = GradientComparison(self._runtime, name, error, limit, _largest(theirs), _bad(ours))
                rows.append(assess_gradient(row))
            if error is None or not finite:
                continue
            if (used := share(error, limit)) > shares.get(what, (-1.0, 0))[0]:
                shares[what] = used, index
        if rows:
            self.gradients = tuple(rows)
        for what, errors in self._errors.items():
            errors.append(shares[what][0] if what in shares else None)
        for what, (used, index) in shares.items():
            if used > 1.0 and self._parted is None and isinstance(index, int):  # a layer only locates it
                self._parted = TrainingMoment(step, what, None if what == "loss" else self._variables[index].name)


def _largest(value: Array | None) -> float | None:
    if value is None:
        return None
    finite = np.abs(value[np.isfinite(value)])
    return float(finite.max()) if finite.size else None


def _bad(value: Array | None) -> int:
    return 0 if value is None else int(value.size - np.count_nonzero(np.isfinite(value)))
