"""What findings count for: severities by code, known divergences, and the verdict that follows."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..diagnosis.linking import explains_output
from ..gate import decide
from ..types import Comparison, Finding, NanPolicy, Report, RuntimeStatus, Severity
from .configuration import Known

#: Findings of this package judge a comparison anew; that it is excused otherwise does not excuse these.
OF_CHECK = ("budget-exceeded", "baseline-worse", "baseline-better", "baseline-changed", "baseline-missing",
            "model-changed", "setting-unused")  # fmt: skip

_SEVERITIES = {"warn": Severity.WARNING, "error": Severity.ERROR}


@dataclass(frozen=True, slots=True)
class Applied:
    """A report after the policy, and the known divergences that were seen in it."""

    report: Report
    seen: tuple[Known, ...]


def apply(
    report: Report,
    more: Sequence[Finding],
    *,
    severity: Mapping[str, str],
    known: Sequence[Known],
    today: datetime.date,
    nan: NanPolicy = NanPolicy.FAIL,
) -> Applied:
    """The report with `more` findings, each as severe as its code was set to be, and known ones told as such.

    What failed only by findings that are no errors any more passes, and the verdict follows. Each runtime of a finding
    is judged by itself: what is known of some of them leaves an error of the others.
    """
    parts = [(i, part) for i, found in enumerate((*report.findings, *more)) for part in _of_each_runtime(found)]
    before = [part for _, part in parts]
    about = [k for k in known if k.where.takes_variant(report.name)]
    seen: list[Known] = []
    after: dict[int, Finding | None] = {}
    for index, found in enumerate(before):
        after[index] = weighed = with_severity(found, severity)
        counts = weighed is not None and weighed.severity is Severity.ERROR
        entry = _entry(found, about)
        if entry and (counts or found.severity is Severity.ERROR):
            seen.append(entry)
        if entry and weighed and counts:
            after[index] = _as_known(weighed, entry) if today <= entry.expires else _as_expired(weighed, entry)
    for index, found in enumerate(before):
        by = [i for i, other in enumerate(before) if explains_output(other, found)]
        if by and any(_forgives(before[i], after[i]) for i in by) and found.severity is Severity.ERROR:
            after[index] = None  # told, and forgiven, with the finding that explains it
    kept = _together([(i, found) for (i, _), found in zip(parts, after.values(), strict=True) if found])
    errors = [f for f in kept if f.severity is Severity.ERROR]
    forgiven = [found for index, found in enumerate(before) if _forgives(found, after[index])]
    comparisons = tuple(replace(c, passed=True) if _excused(c, forgiven, errors) else c for c in report.comparisons)
    down = {r for f in forgiven if f.code.startswith("runtime-") for r in f.runtimes}
    runtimes = [r for r in report.runtimes if r.status is RuntimeStatus.OK or r.id not in down]
    verdict = decide(comparisons, runtimes=runtimes, findings=errors, nan=nan)
    return Applied(replace(report, comparisons=comparisons, findings=kept, verdict=verdict), tuple(seen))


def _of_each_runtime(found: Finding) -> list[Finding]:
    return [replace(found, runtimes=(runtime,)) for runtime in found.runtimes] or [found]


def _together(parts: Iterable[tuple[int, Finding]]) -> tuple[Finding, ...]:
    """The parts of each finding that are still told alike as one, by the number of the finding."""
    found: dict[tuple[int, Severity, str, str], Finding] = {}
    for number, part in parts:
        key = (number, part.severity, part.summary, part.advice)
        found[key] = replace(part, runtimes=(*found[key].runtimes, *part.runtimes)) if key in found else part
    return tuple(found.values())


def with_severity(found: Finding, severity: Mapping[str, str]) -> Finding | None:
    """A finding as severe as its code was set to be; None where that is off."""
    level = severity.get(found.code)
    if level is None:
        return found
    return None if level == "off" else replace(found, severity=_SEVERITIES[level])


def _entry(found: Finding, known: Sequence[Known]) -> Known | None:
    """The entry that lasts longest of those about a finding."""
    fitting = [entry for entry in known if entry.code == found.code and entry.where.takes(found)]
    return max(fitting, key=lambda entry: entry.expires, default=None)


def _as_known(found: Finding, entry: Known) -> Finding:
    return replace(
        found,
        severity=Severity.INFO,
        summary=f"{found.summary} Known{_on(entry)} until {entry.expires}: {entry.reason}",
        advice=f"It is accepted in {entry.place}.",
        evidence={**found.evidence, "known": {"reason": entry.reason, "expires": str(entry.expires)}},
    )


def _as_expired(found: Finding, entry: Known) -> Finding:
    return replace(
        found,
        summary=f"{found.summary} It was known{_on(entry)} until {entry.expires}: {entry.reason}",
        advice=f"{found.advice} Or give it another day to expire in {entry.place}.",
        evidence={**found.evidence, "expired": {"reason": entry.reason, "expires": str(entry.expires)}},
    )


def _on(entry: Known) -> str:
    return "" if entry.where.runtime == "*" else f" on {entry.where.runtime}"


def _forgives(before: Finding, after: Finding | None) -> bool:
    return before.severity is Severity.ERROR and (after is None or after.severity is not Severity.ERROR)


def is_about(found: Finding, c: Comparison) -> bool:
    """Whether a finding is about a comparison."""
    return c.candidate in found.runtimes and (found.tensor == c.tensor or c.tensor in found.evidence.get("outputs", ()))


def _excused(c: Comparison, forgiven: Sequence[Finding], errors: Sequence[Finding]) -> bool:
    return (
        c.passed is False
        and any(is_about(f, c) for f in forgiven)
        and not any(is_about(f, c) and f.code not in OF_CHECK for f in errors)
    )
