"""Notices when outputs were paired crosswise: two that are swapped, or more that are rotated."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ..types import Array, PairingHint, RuntimeId, Tensors

#: How many times smaller the error of the other pairing must be to be believed. Outputs of
#: a right pairing differ by roundoff, those of a wrong one by about their own size.
BETTER_BY = 100.0
#: The same for outputs that form a cycle, where each is the one that another lacks: weights may be quantized.
BETTER_BY_IN_A_CYCLE = 10.0


def better_pairings(candidate: RuntimeId, outputs: Tensors, references: Tensors) -> tuple[PairingHint, ...]:
    """Find the outputs that another output fits far better than the one they were paired with.

    Both map the model's output names to one batch (the first will do). An output that fits the name it has is
    never offered to another one, so two equal outputs give no hint. Errors are RMS over pairs finite on both
    sides; that of another shape is infinite.
    """
    hints = {name: hint for name in references if (hint := _hint(candidate, name, outputs, references))}
    fits = {name: hint.fits for name, hint in hints.items()}
    return tuple(
        hint
        for name, hint in hints.items()
        if hint.fitting_rms_error * BETTER_BY < hint.rms_error or _is_in_a_cycle(name, fits)
    )


def _hint(candidate: RuntimeId, name: str, outputs: Tensors, references: Tensors) -> PairingHint | None:
    reference = references[name]
    errors = {
        other: error
        for other, values in outputs.items()
        if values.shape == reference.shape and (error := _rms(values, reference)) is not None
    }
    own = errors.pop(name, None) if outputs[name].shape == reference.shape else math.inf
    size = _rms(reference, np.zeros_like(reference))
    if own is None or not errors or size is None:
        return None
    fits = min(errors, key=lambda other: errors[other])
    is_better = errors[fits] * BETTER_BY_IN_A_CYCLE < min(own, size) and own * BETTER_BY > size
    is_far_better = math.isfinite(own) and errors[fits] * BETTER_BY < own
    if not (is_better or is_far_better) or _fits(fits, outputs, references):
        return None
    return PairingHint(candidate, name, fits, own, errors[fits])


def _is_in_a_cycle(name: str, fits: Mapping[str, str]) -> bool:
    """Whether following what fits leads back."""
    at = name
    for _ in fits:
        if at not in fits:
            return False
        at = fits[at]
        if at == name:
            return True
    return False


def _fits(name: str, outputs: Mapping[str, Array], references: Mapping[str, Array]) -> bool:
    """Whether an output matches the reference of its own name to within a hundredth of that one's size."""
    reference = references.get(name)
    if reference is None or outputs[name].shape != reference.shape:
        return False
    error, size = _rms(outputs[name], reference), _rms(reference, np.zeros_like(reference))
    return error is not None and size is not None and error * BETTER_BY <= size


def _rms(values: Array, reference: Array) -> float | None:
    with np.errstate(over="ignore", invalid="ignore"):
        difference = values.astype(np.float64) - reference.astype(np.float64)
    difference = difference[np.isfinite(difference)]
    if not difference.size:
        return None
    largest = float(np.abs(difference).max())
    return largest * float(np.sqrt(np.mean(np.square(difference / largest)))) if largest else 0.0
