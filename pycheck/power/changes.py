"""Measures the effect of a fault on the outputs."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence

import numpy as np

from ..types import Array, OutputChange

#: The most outputs that are kept for one weight: those that move most, in relation to their scale.
_MOST_OUTPUTS = 8
_BEYOND = sys.float_info.max


def root_mean_square(values: Array) -> float:
    """Compute the root mean square of the finite elements; 0 if there are none."""
    finite = values[np.isfinite(values)]
    return math.sqrt(float(np.mean(np.square(finite, dtype=np.float64)))) if finite.size else 0.0


def hides_faults(values: Array) -> bool:
    """Tell whether an output may stay unchanged although a weight matters: it is NaN, or a decision.

    Decisions are booleans and integers, also in a floating-point type, such as a class or a rounded number.
    Floating-point numbers that are all equal are not decisions, such as the zeros of a ReLU, or equal values in all
    samples of a saturated softmax.
    """
    finite = values[np.isfinite(values)]
    if values.dtype.kind != "f" or not finite.size:
        return True
    samples = values.reshape(len(values), -1) if values.ndim else values.reshape(1, 1)
    same = len(samples) > 1 and np.array_equal(samples, np.broadcast_to(samples[0], samples.shape), equal_nan=True)
    return not same and np.array_equal(finite, np.rint(finite)) and bool((finite != finite[0]).any())


def change(output: str, before: Array, after: Array) -> OutputChange | None:
    """Measure how far an output moved; None if it did not.

    The change is the largest float64 if the shape changed, or if elements became NaN, infinite or finite.
    """
    if before.shape != after.shape:
        return OutputChange(output, _BEYOND, _BEYOND, 0.0, _BEYOND)
    if not before.size or np.array_equal(before, after, equal_nan=before.dtype.kind == "f"):
        return None
    reference, moved = before.astype(np.float64).ravel(), after.astype(np.float64).ravel()
    finite = np.isfinite(reference)
    if (finite != np.isfinite(moved)).any():
        return OutputChange(output, _BEYOND, _BEYOND, 0.0, _BEYOND)
    differences, magnitudes = np.abs(moved - reference)[finite], np.abs(reference)[finite]
    if not differences.any():
        return None
    at = int(np.argmax(differences))
    nonzero = magnitudes > 0.0
    relative = float(np.max(differences[nonzero] / magnitudes[nonzero])) if nonzero.any() else None
    return OutputChange(output, root_mean_square(differences), float(differences[at]), float(magnitudes[at]), relative)


def largest_first(changes: Sequence[OutputChange], scales: Mapping[str, float]) -> tuple[OutputChange, ...]:
    """Sort changes by importance; `scales` has the root mean square of each output."""
    ordered = sorted(changes, key=lambda item: relative(item, scales), reverse=True)
    return tuple(ordered[:_MOST_OUTPUTS])


def relative(item: OutputChange, scales: Mapping[str, float]) -> float:
    """Return a change in relation to the scale of its output."""
    scale = scales.get(item.output, 0.0)
    return item.rms / scale if scale else item.rms
