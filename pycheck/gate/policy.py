"""Applies the severities by code and the known divergences of a configuration to findings.

If the configuration lowers an error, the comparison or runtime with the finding is excused: it stays failed, as
measured, with the reason why it does not fail the run.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ..types import (
    Comparison,
    Finding,
    NanPolicy,
    Report,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Severity,
    apart,
    together,
)
from .verdicts import decide

#: Findings of a check compare a result with budgets and the baseline. An excuse of the comparison does not cover them.
OF_CHECK = ("budget-exceeded", "baseline-worse", "baseline-better", "baseline-changed", "baseline-missing",
            "model-changed", "setting-unused")  # fmt: skip

_SEVERITIES = {"warn": Severity.WARNING, "error": Severity.ERROR}


@dataclass(frozen=True, slots=True)
class Selector:
    """Selects variants, runtimes and outputs by patterns; * matches everything."""

    model: str = "*"
    runtime: str = "*"
    output: str = "*"

    def takes_variant(self, variant: str) -> bool:
        """Tell whether the pattern matches a variant, or its model: the part of the name before the first /."""
        return fnmatchcase(variant, self.model) or fnmatchcase(variant.partition("/")[0], self.model)

    def takes_runtime(self, runtime: RuntimeId) -> bool:
        """Tell whether the pattern matches a runtime."""
        return fnmatchcase(str(runtime), self.runtime)

    def takes_output(self, output: str) -> bool:
        """Tell whether the pattern matches an output."""
        return fnmatchcase(output, self.output)

    def takes(self, finding: Finding) -> bool:
        """Tell whether all runtimes and the output of a finding are selected."""
        fits = all(map(self.takes_runtime, finding.runtimes)) if finding.runtimes else self.runtime == "*"
        return fits and (self.output == "*" if finding.tensor is None else self.takes_output(finding.tensor))


@dataclass(frozen=True, slots=True)
class Known:
    """A divergence that is accepted until the day `expires`, including that day."""

    code: str
    reason: str
    expires: datetime.date
    where: Selector
    place: str


@dataclass(frozen=True, slots=True)
class Applied:
    """A report after the policy, and the known divergences that occurred in it."""

    report: Report
    seen: tuple[Known, ...]


def apply(
    report: Report,
    more: Sequence[Finding],
    *,
    explains: Callable[[Finding, Finding], bool],
    severity: Mapping[str, str],
    known: Sequence[Known],
    today: datetime.date,
    nan: NanPolicy = NanPolicy.FAIL,
) -> Applied:
    """Add findings to a report, apply the configured severities, and mark known divergences.

    A failure is excused if all of its findings are no longer errors; the verdict is then decided again. `explains`
    tells whether the first finding explains the second, which is then excused with it. Each runtime of a finding is
    judged separately: a divergence that is known on some runtimes stays an error on the others.
    """
    parts = [(i, part) for i, found in enumerate((*report.findings, *more)) for part in apart(found)]
    before = [part for _, part in parts]
    about = [k for k in known if k.where.takes_variant(report.name)]
    seen: list[Known] = []
    after: dict[int, Finding | None] = {}
    excuses: dict[int, str] = {}  # by the index of a finding that was an error and no longer is
    for index, found in enumerate(before):
        after[index] = weighed = with_severity(found, severity)
        was_error = found.severity is Severity.ERROR
        counts = weighed is not None and weighed.severity is Severity.ERROR
        if was_error and not counts:
            excuses[index] = f"the severity of {found.code} is set to {severity[found.code]}"
        entry = _entry(found, about)
        if entry and (counts or was_error):
            seen.append(entry)
        if entry and weighed and counts and today <= entry.expires:
            after[index] = _as_known(weighed, entry)
            excuses |= {index: f"known until {entry.expires}: {entry.reason}"} if was_error else {}
        elif entry and weighed and counts:
            after[index] = _as_expired(weighed, entry)
    for index, found in enumerate(before):
        by = [i for i, other in enumerate(before) if i in excuses and explains(other, found)]
        if by and found.severity is Severity.ERROR:
            after[index] = None  # the finding that explains it is reported and excuses it
            excuses.setdefault(index, excuses[by[0]])
    kept = _together([(i, found) for (i, _), found in zip(parts, after.values(), strict=True) if found])
    errors = [f for f in kept if f.severity is Severity.ERROR]
    excused = [(before[index], why) for index, why in excuses.items()]
    comparisons = tuple(_with_excuse(c, excused, errors) for c in report.comparisons)
    runtimes = tuple(_without_run(record, excused) for record in report.runtimes)
    verdict = decide(comparisons, runtimes=runtimes, findings=errors, nan=nan)
    after_all = replace(report, comparisons=comparisons, runtimes=runtimes, findings=kept, verdict=verdict)
    return Applied(after_all, tuple(seen))


def _together(parts: Iterable[tuple[int, Finding]]) -> tuple[Finding, ...]:
    """Merge the parts of each finding that still have the same text; `parts` have the number of their finding."""
    found: dict[tuple[int, Severity, str, str], list[Finding]] = {}
    for number, part in parts:
        found.setdefault((number, part.severity, part.summary, part.advice), []).append(part)
    return tuple(map(together, found.values()))


def excuse_unavailable(report: Report, reason: str, *, nan: NanPolicy = NanPolicy.FAIL) -> Report:
    """Excuse the runtimes that cannot start here: errors that are about these alone become notes."""
    unavailable = [r.id for r in report.runtimes if r.status is RuntimeStatus.UNAVAILABLE]
    runtimes = tuple(replace(r, excused=reason) if r.id in unavailable else r for r in report.runtimes)
    findings = tuple(
        replace(f, severity=Severity.INFO) if f.runtimes and set(f.runtimes) <= set(unavailable) else f
        for f in report.findings
    )
    verdict = decide(report.comparisons, runtimes=runtimes, findings=findings, nan=nan)
    return replace(report, runtimes=runtimes, findings=findings, verdict=verdict)


def with_severity(found: Finding, severity: Mapping[str, str]) -> Finding | None:
    """Return a finding with the severity configured for its code; None if that is "off"."""
    level = severity.get(found.code)
    if level is None:
        return found
    return None if level == "off" else replace(found, severity=_SEVERITIES[level])


def _entry(found: Finding, known: Sequence[Known]) -> Known | None:
    """Return the entry that matches a finding; the one that expires last if several do."""
    fitting = [entry for entry in known if entry.code == found.code and entry.where.takes(found)]
    return max(fitting, key=lambda entry: entry.expires, default=None)


def _as_known(found: Finding, entry: Known) -> Finding:
    return replace(
        found,
        severity=Severity.INFO,
        summary=f"{found.summary} Known{_on(entry)} until {entry.expires}: {entry.reason}",
        advice=f"The divergence is accepted in {entry.place}.",
        evidence={**found.evidence, "known": {"reason": entry.reason, "expires": str(entry.expires)}},
    )


def _as_expired(found: Finding, entry: Known) -> Finding:
    return replace(
        found,
        summary=f"{found.summary} Known{_on(entry)} until {entry.expires}, now expired: {entry.reason}",
        advice=f"{found.advice} Or set a later day in {entry.place}.".strip(),
        evidence={**found.evidence, "expired": {"reason": entry.reason, "expires": str(entry.expires)}},
    )


def _on(entry: Known) -> str:
    return "" if entry.where.runtime == "*" else f" on {entry.where.runtime}"


def _is_about(found: Finding, c: Comparison) -> bool:
    return c.candidate in found.runtimes and (found.tensor == c.tensor or c.tensor in found.evidence.get("outputs", ()))


def _with_excuse(c: Comparison, excused: Sequence[tuple[Finding, str]], errors: Sequence[Finding]) -> Comparison:
    why = dict.fromkeys(why for f, why in excused if _is_about(f, c))
    if not why or not c.failed or any(_is_about(f, c) and f.code not in OF_CHECK for f in errors):
        return c
    return replace(c, excused="; ".join(why))


def _without_run(record: RuntimeRecord, excused: Sequence[tuple[Finding, str]]) -> RuntimeRecord:
    why = dict.fromkeys(why for f, why in excused if record.id in f.runtimes and f.code.startswith("runtime-"))
    return replace(record, excused="; ".join(why)) if why and record.status is not RuntimeStatus.OK else record
