"""Decides whether a comparison passes, what the verdict of a run is, and the exit code of a command."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..types import (
    NATIVE_FLOAT32,
    CheckReport,
    Comparison,
    Finding,
    GradientComparison,
    NanPolicy,
    Report,
    RuntimeRecord,
    Severity,
    Training,
    TrainingCurves,
    VariantFailure,
    Verdict,
)
from .limits import ToleranceOptions, tolerance_of
from .shares import uses


def assess(
    comparisons: Iterable[Comparison], *, options: ToleranceOptions | None = None, nan: NanPolicy = NanPolicy.FAIL
) -> tuple[Comparison, ...]:
    """The comparisons with everything that the gate sets; the noise floor's rows as they were."""
    return tuple(c if c.is_noise_floor else _assess(c, options or ToleranceOptions(), nan) for c in comparisons)


def _assess(comparison: Comparison, options: ToleranceOptions, nan: NanPolicy) -> Comparison:
    if comparison.shape_mismatch:
        return replace(comparison, passed=False)
    tolerance = tolerance_of(comparison, options)
    found = uses(comparison, tolerance)
    outside = tolerance.mode == "explicit" and bool(comparison.outside_count)
    drifted = outside or any(use.error > use.limit for use in found)
    diverged = nan is NanPolicy.FAIL and comparison.nonfinite.changed > 0
    return replace(
        comparison,
        tolerance=tolerance,
        drifted=drifted,
        passed=not (drifted or diverged),
        limit_use=max(found, key=lambda use: use.share, default=None),
    )


def decide(
    comparisons: Sequence[Comparison],
    *,
    runtimes: Sequence[RuntimeRecord] = (),
    findings: Sequence[Finding] = (),
    nan: NanPolicy = NanPolicy.FAIL,
) -> Verdict:
    """The verdict over assessed comparisons.

    What is certain comes first: a non-finite divergence, then drift, then error, which is
    also the answer when shapes differ, when any other finding is an error, and when nothing
    was compared at all: a gate that looked at nothing does not pass. A float64 runtime that
    cannot run costs only the noise floor, which is then assumed. What failed and is excused fails nothing.
    """
    judged = [c for c in comparisons if c.passed is not None]
    failed = [c for c in judged if c.failed]
    if nan is NanPolicy.FAIL and any(c.nonfinite.changed for c in failed):
        return Verdict.NAN_DIVERGENCE
    if any(c.drifted for c in failed):
        return Verdict.DRIFT
    return _otherwise(runtimes, findings, is_error=not judged or bool(failed))


def decide_training(
    training: Training,
    *,
    runtimes: Sequence[RuntimeRecord] = (),
    findings: Sequence[Finding] = (),
    nan: NanPolicy = NanPolicy.FAIL,
) -> Verdict:
    """The verdict over the curves of a training.

    A runtime that is finite and Python not, or the other way round, comes first; then a runtime that parted.
    """
    native = training.of(NATIVE_FLOAT32)
    candidates = [c for c in training.curves if c.runtime.engine != "native"]
    if nan is NanPolicy.FAIL and any(_differs_in_class(c, native) for c in candidates):
        return Verdict.NAN_DIVERGENCE
    if any(c.parted for c in candidates):
        return Verdict.DRIFT
    return _otherwise(runtimes, findings, is_error=not candidates)


def assess_gradient(row: GradientComparison) -> GradientComparison:
    """The gradient of one variable with `passed` set, where there is an error and a limit."""
    if row.max_abs_error is None or row.allowed is None:
        return row
    return replace(row, passed=row.max_abs_error <= row.allowed)


def _differs_in_class(candidate: TrainingCurves, native: TrainingCurves | None) -> bool:
    """Whether only one of the two stayed finite."""
    return native is not None and (candidate.first_nonfinite is None) != (native.first_nonfinite is None)


def _otherwise(runtimes: Sequence[RuntimeRecord], findings: Sequence[Finding], *, is_error: bool) -> Verdict:
    """The verdict where no number diverges."""
    broken = any(record.failed for record in runtimes)
    return Verdict.ERROR if is_error or broken or _has_error(findings) else Verdict.PASS


#: The verdict of a check is the first of these that one of its reports has.
_WORST_FIRST = (Verdict.NAN_DIVERGENCE, Verdict.DRIFT, Verdict.ERROR)


def decide_check(
    reports: Iterable[Report], *, failures: Sequence[VariantFailure] = (), findings: Iterable[Finding] = ()
) -> Verdict:
    """The worst verdict of the reports; error where all pass, and a variant or the check as a whole does not."""
    verdicts = {report.verdict for report in reports}
    if failures or _has_error(findings):
        verdicts.add(Verdict.ERROR)
    return next((verdict for verdict in _WORST_FIRST if verdict in verdicts), Verdict.PASS)


def _has_error(findings: Iterable[Finding]) -> bool:
    return any(finding.severity is Severity.ERROR for finding in findings)


def exit_code(report: Report) -> int:
    """0 pass; 1 the gate failed; 3 a runtime was unavailable, failed or timed out.

    A gate that failed is 1 even when another runtime did not run: that answer is certain,
    while 3 invites to try again.
    """
    if report.verdict is Verdict.PASS:
        return 0
    if report.verdict is not Verdict.ERROR or any(c.failed for c in report.comparisons):
        return 1
    return 3 if not report.runtimes or any(record.failed for record in report.runtimes) else 1


#: What a check ends with, if any of its variants does: what is certain first.
_CHECK_CODES = (1, 70, 4, 2, 3)


def check_exit_code(check: CheckReport) -> int:
    """0 when all pass; 1 where any gate failed, else 70, 4, 2 or 3 for what kept a variant from being judged."""
    codes = {exit_code(report) for report in check.reports} | {failure.exit_code for failure in check.failures}
    codes |= {1} if _has_error(check.findings) else set()
    return next((code for code in _CHECK_CODES if code in codes), max(codes, default=2))
