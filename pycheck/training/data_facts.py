"""Inspects training data: NaN and infinity, scales, targets outside of the loss's range."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from ..diagnosis.training import DataNan, TargetRange
from ..inputs.scale import ScaleSketch
from ..types import Array, InputHint, InputScale, Tensors
from .plan import Plan
from .recipe import Loss

_Check = Callable[[Array], Array]


def nan_in_data(plan: Plan) -> tuple[DataNan, ...]:
    """Count NaN and infinity in inputs and targets, with the first step that reads one."""
    found = []
    for kind, arrays in (("inputs", plan.inputs), ("targets", plan.targets)):
        for name, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                places = np.argwhere(~np.isfinite(array))
                sample, *index = (int(i) for i in places[0])
                found.append(DataNan(f"{kind} {name}", len(places), sample, tuple(index), sample // plan.batch_size))
    return tuple(found)


def scales(arrays: Tensors, hints: Mapping[str, InputHint]) -> tuple[InputScale, ...]:
    """Measure the scale of each floating-point array, column by column, without inputs that are indices of tables."""
    found = (
        ScaleSketch.of(array, 0).summary(name, hints.get(name))
        for name, array in arrays.items()
        if array.dtype.kind == "f" and array.size
    )
    return tuple(scale for scale in found if scale)


def target_ranges(targets: Tensors, loss: Loss) -> Iterator[TargetRange]:
    """Return targets outside of the range that a loss is defined for; NaN is ignored."""
    if loss.program or loss.name not in _RANGES:
        return
    problem, wrong, cure = _RANGES[loss.name]
    for name, array in targets.items():
        bad = wrong(array)
        if bad.any():
            place = tuple(int(i) for i in np.argwhere(bad)[0])
            value = array[place[: array.ndim]]
            shown = float(np.ravel(value)[0])
            yield TargetRange(name, problem, int(np.count_nonzero(bad)), shown, place[0], cure)


def _outside(low: float, high: float) -> _Check:
    return lambda array: (array < low) | (array > high)


def _no_distribution(array: Array) -> Array:
    with np.errstate(invalid="ignore"):  # Inf and -Inf have no sum
        return np.asarray((array < 0) | (np.abs(array.sum(axis=-1, keepdims=True) - 1.0) > 1e-3))


_SQUEEZE = "Scale the targets to 0..1. If they are class labels or unbounded numbers, use a loss for these."
_RANGES: Mapping[str, tuple[str, _Check, str]] = {
    "binary_crossentropy": ("targets from 0 to 1", _outside(0.0, 1.0), _SQUEEZE),
    "categorical_crossentropy": (
        "targets whose rows sum to 1", _no_distribution,
        "One-hot encode the classes, or use sparse_categorical_crossentropy for class indices.",
    ),
    "kl_divergence": (
        "targets whose rows sum to 1", _no_distribution, "Normalize the rows of the targets.",
    ),
    "poisson": ("targets of at least 0", lambda a: a < 0, "Use mse for numbers that may be negative."),
    "mean_squared_logarithmic_error": (
        "targets of at least 0", lambda a: a < 0, "Use mse for numbers that may be negative.",
    ),
    "mean_absolute_percentage_error": (
        "nonzero targets, because it divides by them", lambda a: a == 0, "Use mean_absolute_error.",
    ),
    "hinge": (
        "targets of -1 and 1 (Keras converts 0 to -1, TF.js does not)", lambda a: (a != -1) & (a != 1),
        "Use targets of -1 and 1 in Python and in TF.js.",
    ),
    "squared_hinge": (
        "targets of -1 and 1 (Keras converts 0 to -1, TF.js does not)", lambda a: (a != -1) & (a != 1),
        "Use targets of -1 and 1 in Python and in TF.js.",
    ),
    "cosine_similarity": (
        "rows of targets that are not all 0", lambda a: np.abs(a).sum(axis=-1, keepdims=True) == 0,
        "Remove such samples.",
    ),
}  # fmt: skip
