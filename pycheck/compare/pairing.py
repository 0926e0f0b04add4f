"""Notices when outputs of one shape were paired crosswise."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..types import Array, PairingHint, RuntimeId, Tensors

#: How many times smaller the error of the other pairing must be to be believed. Outputs of
#: a right pairing differ by roundoff, those of a wrong one by about their own size.
BETTER_BY = 100.0


def better_pairings(candidate: RuntimeId, outputs: Tensors, references: Tensors) -> tuple[PairingHint, ...]:
    """The outputs that another output of equal shape and kind fits a hundred times better.

    Both map the model's output names to one batch (the first will do), samples first. An
    output that fits the name it has is never offered to another one, so two equal outputs
    give no hint. Errors are RMS over pairs finite on both sides.
    """
    hints = []
    for name, reference in references.items():
        errors = {
            other: error
            for other, values in outputs.items()
            if values.shape == reference.shape and (error := _rms(values, reference)) is not None
        }
        own = errors.pop(name, None)
        if own is None or not errors:
            continue
        fits = min(errors, key=lambda other: errors[other])
        if own > 0.0 and errors[fits] * BETTER_BY < own and not _fits(fits, outputs, references):
            hints.append(PairingHint(candidate, name, fits, own, errors[fits]))
    return tuple(hints)


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
