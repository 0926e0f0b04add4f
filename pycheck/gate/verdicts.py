"""Decides whether a comparison passes, the verdict of a run, and the exit code of a command."""

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
    Tolerance,
    Training,
    TrainingCurves,
    VariantFailure,
    Verdict,
)
from .limits import ToleranceOptions, tolerance_of, uses


def assess(
    comparisons: Iterable[Comparison], *, options: ToleranceOptions | None = None, nan: NanPolicy = NanPolicy.FAIL
) -> tuple[Comparison, ...]:
    """Set tolerance, limit use and `passed` of each comparison; rows of the noise floor stay unchanged."""
    return tuple(c if c.is_noise_floor else _assess(c, options or ToleranceOptions(), nan) for c in comparisons)


def _assess(comparison: Comparison, options: ToleranceOptions, nan: NanPolicy) -> Comparison:
    return judged(comparison, tolerance_of(comparison, options), nan)


def judged(comparison: Comparison, tolerance: Tolerance, nan: NanPolicy = NanPolicy.FAIL) -> Comparison:
    """Judge a comparison by a tolerance; a different shape always fails."""
    if comparison.shape_mismatch:
        return replace(comparison, passed=False)
    found = uses(comparison, tolerance)
    drifted, diverged = exceeds(comparison, tolerance, nan)
    return replace(
        comparison,
        tolerance=tolerance,
        drifted=drifted,
        passed=not (drifted or diverged),
        limit_use=max(found, key=lambda use: use.share, default=None),
    )


def exceeds(comparison: Comparison, tolerance: Tolerance, nan: NanPolicy) -> tuple[bool, bool]:
    """Tell whether a comparison of equal shapes drifts, and whether its NaN and infinities differ and count."""
    outside = tolerance.mode == "explicit" and bool(comparison.outside_count)
    drifted = outside or any(use.error > use.limit for use in uses(comparison, tolerance))
    return drifted, nan is NanPolicy.FAIL and comparison.nonfinite.changed > 0


def decide(
    comparisons: Sequence[Comparison],
    *,
    runtimes: Sequence[RuntimeRecord] = (),
    findings: Sequence[Finding] = (),
    nan: NanPolicy = NanPolicy.FAIL,
) -> Verdict:
    """Decide the verdict of a run from its assessed comparisons.

    The order is: a non-finite divergence, then drift, then error. The verdict is error if shapes differ, if any other
    finding is an error, or if nothing was compared. If a float64 runtime cannot run, only the noise floor is missing,
    and one is assumed. A failure that is excused does not count.
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
    """Decide the verdict of a training from its curves.

    A runtime that is finite although Python is not, or the reverse, decides first; then a runtime that diverged.
    """
    native = training.of(NATIVE_FLOAT32)
    candidates = [c for c in training.curves if c.runtime.engine != "native"]
    if nan is NanPolicy.FAIL and any(_differs_in_class(c, native) for c in candidates):
        return Verdict.NAN_DIVERGENCE
    if any(c.parted for c in candidates):
        return Verdict.DRIFT
    return _otherwise(runtimes, findings, is_error=not candidates)


def assess_gradient(row: GradientComparison) -> GradientComparison:
    """Set `passed` of the gradient of one variable if it has an error and a limit."""
    if row.max_abs_error is None or row.allowed is None:
        return row
    return replace(row, passed=row.max_abs_error <= row.allowed)


def _differs_in_class(candidate: TrainingCurves, native: TrainingCurves | None) -> bool:
    """Tell whether exactly one of the two stayed finite."""
    return native is not None and (candidate.first_nonfinite is None) != (native.first_nonfinite is None)


def _otherwise(runtimes: Sequence[RuntimeRecord], findings: Sequence[Finding], *, is_error: bool) -> Verdict:
    """Decide the verdict if no number diverges."""
    broken = any(record.failed for record in runtimes)
    return Verdict.ERROR if is_error or broken or _has_error(findings) else Verdict.PASS


#: The verdict of a check is the first of these verdicts that any of its reports has.
_WORST_FIRST = (Verdict.NAN_DIVERGENCE, Verdict.DRIFT, Verdict.ERROR)


def decide_check(
    reports: Iterable[Report], *, failures: Sequence[VariantFailure] = (), findings: Iterable[Finding] = ()
) -> Verdict:
    """Return the worst verdict of the reports; error if all pass and a variant failed, or the check has an error."""
    verdicts = {report.verdict for report in reports}
    if failures or _has_error(findings):
        verdicts.add(Verdict.ERROR)
    return next((verdict for verdict in _WORST_FIRST if verdict in verdicts), Verdict.PASS)


def _has_error(findings: Iterable[Finding]) -> bool:
    return any(finding.severity is Severity.ERROR for finding in findings)


def exit_code(report: Report) -> int:
    """Return 0 for pass, 1 if the gate failed, 3 if a runtime was unavailable, failed or timed out.

    The code is 1 if the gate failed, even if a different runtime did not run: the failure is certain, while 3 suggests
    to try again.
    """
    if report.verdict is Verdict.PASS:
        return 0
    if report.verdict is not Verdict.ERROR or any(c.failed for c in report.comparisons):
        return 1
    return 3 if not report.runtimes or any(record.failed for record in report.runtimes) else 1


#: The exit code of a check is the first of these codes that any of its variants has: certain failures come first.
_CHECK_CODES = (1, 70, 4, 2, 3)


def check_exit_code(check: CheckReport) -> int:
    """Return 0 if all pass, 1 if any gate failed, else the code of the error that stopped a variant: 70, 4, 2 or 3.

    A shard may have no variant, a check may not.
    """
    codes = {exit_code(report) for report in check.reports} | {failure.exit_code for failure in check.failures}
    codes |= {1} if _has_error(check.findings) else set()
    return next((code for code in _CHECK_CODES if code in codes), max(codes, default=0 if check.shard else 2))
