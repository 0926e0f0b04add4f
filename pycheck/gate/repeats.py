"""Decides whether answers of one runtime to the same batch are within the limits of the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..types import AnswerLimits, Comparison, NanPolicy, Tolerance
from .limits import ToleranceOptions, tolerance_of
from .verdicts import exceeds


def judge_answers(
    run: Comparison,
    first: Comparison,
    again: Sequence[Comparison],
    changes: Sequence[Comparison],
    *,
    options: ToleranceOptions,
    nan: NanPolicy,
) -> AnswerLimits:
    """Judge the first and the later answers to one batch by the limits of the assessed comparison of the whole run.

    `changes` compare the later answers with the first one. If the run passes, its RMS limit is at least the RMS error
    of the first answer, because the RMS error of one batch may exceed that of all batches.
    """
    tolerance = run.tolerance or tolerance_of(run, options)
    rms = first.rms_error
    if run.passed and tolerance.rms is not None and rms is not None:
        tolerance = replace(tolerance, rms=max(tolerance.rms, rms))
    return AnswerLimits(
        run.candidate,
        run.tensor,
        first=_is_within(first, tolerance, nan),
        again=all(_is_within(answer, tolerance, nan) for answer in again),
        change=all(_is_within(change, tolerance, nan) for change in changes),
    )


def _is_within(answer: Comparison, tolerance: Tolerance, nan: NanPolicy) -> bool:
    return not answer.shape_mismatch and not any(exceeds(answer, tolerance, nan))
