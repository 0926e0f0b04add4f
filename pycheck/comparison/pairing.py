"""Detects outputs that are paired wrongly: two that are swapped, or more that are rotated."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ..types import Array, PairingHint, RuntimeId, Tensors

#: The factor by which the error of a different pairing must be smaller. Outputs of a right pairing differ by roundoff,
#: those of a wrong one by about their own scale.
BETTER_BY = 100.0
#: The factor for outputs that form a cycle. A cycle is convincing by itself, and quantized weights have larger errors.
BETTER_BY_IN_A_CYCLE = 10.0


def better_pairings(candidate: RuntimeId, outputs: Tensors, references: Tensors) -> tuple[PairingHint, ...]:
    """Find the outputs that match a different output far better than the one that they were paired with.

    Both arguments map the model's output names to one batch (the first is enough). An output that matches its own name
    is never paired with a different one, so two equal outputs give no hint. Errors are RMS over pairs that are finite
    on both sides; a different shape has an infinite error.
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
    """Tell whether following the matches leads back to the output."""
    at = name
    for _ in fits:
        if at not in fits:
            return False
        at = fits[at]
        if at == name:
            return True
    return False


def _fits(name: str, outputs: Mapping[str, Array], references: Mapping[str, Array]) -> bool:
    """Tell whether an output matches the reference of its own name within a hundredth of that one's scale."""
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
