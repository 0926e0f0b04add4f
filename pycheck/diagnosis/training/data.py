"""Findings about the data of a training: what is not finite in it, its size, targets that a loss cannot take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...types import Evidence, Finding, Severity
from ..case import Case, number
from ..causes import input_scale as input_scale_of
from ..codes import finding
from .case import SATURATED, TrainingCase


def nan_in_data(case: TrainingCase) -> Iterator[Finding]:
    """nan-in-data: one such number spoils every weight in the step that reads it."""
    for found in case.evidence.nan_in_data:
        yield finding(
            "nan-in-data", case.nan_severity, tensor=found.array,
            summary=f"{found.array} hold {found.count:,} {'number' if found.count == 1 else 'numbers'} that "
            f"{'is' if found.count == 1 else 'are'} not finite, first at sample {found.sample} {list(found.index)}: "
            f"step {found.step} reads it, and every weight is NaN after it.",
            advice="Leave such samples out, or put the column's median in their place, in training and at prediction.",
            evidence={"count": found.count, "sample": found.sample, "index": list(found.index), "step": found.step},
        )  # fmt: skip


def input_scale(case: TrainingCase) -> Iterator[Finding]:
    """input-scale, as for a prediction; a warning where the training failed."""
    for found in input_scale_of(Case((), evidence=Evidence(scales=case.evidence.scales))):
        yield replace(found, severity=Severity.WARNING if case.failed or _idle(case) else Severity.INFO)


def _idle(case: TrainingCase) -> bool:
    return any(s.share >= SATURATED for s in case.evidence.saturated)


def target_range(case: TrainingCase) -> Iterator[Finding]:
    """target-range: targets that the loss is not made for."""
    for found in case.evidence.target_ranges:
        yield finding(
            "target-range", Severity.WARNING, tensor=found.output,
            summary=f"{case.training.loss} takes {found.problem}; {found.count:,} targets of {found.output} are not, "
            f"first {number(found.value)} at sample {found.sample}.",
            advice=found.cure,
            evidence={"count": found.count, "value": found.value, "sample": found.sample},
        )  # fmt: skip
