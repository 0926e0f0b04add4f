"""Finds faults in the data of a training: NaN, unscaled inputs, targets outside the loss's range."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...types import Evidence, Finding, Severity
from ..case import Case, number
from ..causes import input_scale as input_scale_of
from ..codes import finding
from .case import SATURATED, TrainingCase


def nan_in_data(case: TrainingCase) -> Iterator[Finding]:
    """Find nan-in-data: a single NaN propagates to every weight in the step that reads it."""
    for found in case.evidence.nan_in_data:
        yield finding(
            "nan-in-data", case.nan_severity, tensor=found.array,
            summary=f"The {found.array} hold {found.count:,} {'number' if found.count == 1 else 'numbers'} that "
            f"{'is' if found.count == 1 else 'are'} not finite, first at sample {found.sample} {list(found.index)}. "
            f"Step {found.step} reads it, and every weight becomes NaN.",
            advice="Remove such samples, or replace the values by the column's median, in training and at prediction.",
            evidence={"count": found.count, "sample": found.sample, "index": list(found.index), "step": found.step},
        )  # fmt: skip


def input_scale(case: TrainingCase) -> Iterator[Finding]:
    """Find input-scale, as for a prediction; a warning if the training failed."""
    for found in input_scale_of(Case((), evidence=Evidence(scales=case.evidence.scales))):
        yield replace(found, severity=Severity.WARNING if case.failed or _idle(case) else Severity.INFO)


def _idle(case: TrainingCase) -> bool:
    return any(s.share >= SATURATED for s in case.evidence.saturated)


def target_range(case: TrainingCase) -> Iterator[Finding]:
    """Find target-range: targets outside the loss's range."""
    for found in case.evidence.target_ranges:
        yield finding(
            "target-range", Severity.WARNING, tensor=found.output,
            summary=f"The loss {case.training.loss} requires {found.problem}. {found.count:,} "
            + (f"target of {found.output} does" if found.count == 1 else f"targets of {found.output} do")
            + f" not fit, first {number(found.value)} at sample {found.sample}.",
            advice=found.cure,
            evidence={"count": found.count, "value": found.value, "sample": found.sample},
        )  # fmt: skip
