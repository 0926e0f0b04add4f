"""Finds faults of a training, with the step at which each occurred and its cause."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...types import Finding
from .apart import class_divergence, drift, explained, native_nan, not_run
from .case import (
    Certain,
    DataNan,
    Explanation,
    Saturated,
    Stability,
    TargetRange,
    TrainingCase,
    TrainingEvidence,
    loss_grew,
)
from .data import input_scale, nan_in_data, target_range
from .descent import clip_cannot_help, exploding, learning_rate, saturated, vanishing
from .origin import origin, zero_probability

Rule = Callable[[TrainingCase], Iterable[Finding]]

RULES: tuple[Rule, ...] = (
    not_run, nan_in_data, class_divergence, native_nan, origin, zero_probability, learning_rate, exploding, drift,
    explained, target_range, input_scale, saturated, vanishing, clip_cannot_help,
)  # fmt: skip


def diagnose_training(case: TrainingCase) -> tuple[Finding, ...]:
    """Return the findings of a training, in the order of `RULES`."""
    return tuple(found for rule in RULES for found in rule(case))
