"""Applies configuration and baseline to the reports of a check."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from ..diagnosis.codes import finding
from ..diagnosis.linking import explains_output
from ..errors import UsageError
from ..gate import decide_check, policy
from ..gate.budgets import Budget
from ..gate.policy import Known
from ..types import CheckReport, Finding, NanPolicy, Report, RuntimeStatus, Severity, Shard, VariantFailure
from ..version import __version__
from . import baseline, budgets
from .baseline_file import Baseline
from .configuration import Configuration, ToleranceEntry
from .scope import Outcome, Row, Scope


def judge(
    config: Configuration,
    scope: Scope,
    outcomes: Mapping[str, Outcome],
    accepted: Baseline | None,
    *,
    wall_s: float,
    shard: Shard | None = None,
    today: datetime.date | None = None,
) -> CheckReport:
    """Judge the results of a check, of all of its variants or of one shard, by budgets, policy and baseline."""
    court = Judge(config, accepted, today or datetime.date.today())
    failures = []
    for row in scope.rows:
        outcome = outcomes.get(row.name)
        if isinstance(outcome, VariantFailure):
            failures.append(outcome)
        elif outcome and (mismatch := court.take(outcome, row)):
            failures.append(mismatch)
    is_part = shard is not None and shard.count > 1
    reports, findings = tuple(court.reports), court.findings(whole=scope.whole and not is_part and not failures)
    return CheckReport(
        pycheck_version=__version__,
        config=str(config.file),
        reports=reports,
        failures=tuple(failures),
        verdict=decide_check(reports, failures=failures, findings=findings),
        wall_s=wall_s,
        command=scope.command,
        findings=findings,
        shard=shard if is_part else None,
    )


class Judge:
    """Applies budgets, baseline, severities and known divergences, and tracks which entries had an effect.

    `reports` are those that it has taken, judged.
    """

    def __init__(self, config: Configuration, accepted: Baseline | None, today: datetime.date) -> None:
        self._config = config
        self._accepted = accepted
        self._today = today
        self._used: set[str] = set()
        self._missing: dict[str, None] = {}  # names that the baseline does not have
        self.reports: list[Report] = []

    def take(self, report: Report, row: Row) -> VariantFailure | None:
        """Judge one report; return a failure if the baseline does not fit it."""
        config = self._config
        budgeted = budgets.judge(report, config.budgets)
        held = baseline.Held()
        if self._accepted and row.accepted_as not in self._accepted.variants:
            self._missing[row.accepted_as] = None
        elif self._accepted:
            held = baseline.hold(report, self._accepted, config.baseline, row.accepted_as)
        applied = self._apply(report, (*budgeted.findings, *held.findings), row.nan)
        self.reports.append(applied.report)
        self._used |= {b.place for b in budgeted.used} | {k.place for k in applied.seen}
        self._used |= {t.place for t in config.tolerances if _is_used(t, report)}
        advice = f"Accept the current results: pycheck baseline update {report.name}."
        return VariantFailure(report.name, held.mismatch, advice, UsageError.exit_code) if held.mismatch else None

    def findings(self, *, whole: bool) -> tuple[Finding, ...]:
        """Return the findings on the whole check; with `whole` also the entries without an effect."""
        config = self._config
        found = [baseline.missing(list(self._missing), config.baseline, self._missing)] if self._missing else []
        if whole:
            entries: tuple[ToleranceEntry | Budget | Known, ...] = (*config.tolerances, *config.budgets, *config.known)
            found += [unused(e) for e in entries if e.place not in self._used and not self._was_kept_from(e)]
        weighed = [policy.with_severity(each, config.severity) for each in found]
        return tuple(each for each in weighed if each)

    def _was_kept_from(self, entry: ToleranceEntry | Budget | Known) -> bool:
        """Tell whether a runtime that did not run may be the one that the entry is about."""
        return any(
            entry.where.takes_variant(report.name) and entry.where.takes_runtime(record.id)
            for report in self.reports
            for record in report.runtimes
            if record.status is not RuntimeStatus.OK
        )

    def _apply(self, report: Report, more: tuple[Finding, ...], nan: NanPolicy) -> policy.Applied:
        config = self._config
        return policy.apply(
            report,
            more,
            explains=explains_output,
            severity=config.severity,
            known=config.known,
            today=self._today,
            nan=nan,
        )


def _is_used(entry: ToleranceEntry, report: Report) -> bool:
    where = entry.where
    return where.takes_variant(report.name) and any(
        where.takes_runtime(c.candidate) and where.takes_output(c.tensor)
        for c in report.comparisons
        if not c.is_noise_floor
    )


def unused(entry: ToleranceEntry | Budget | Known) -> Finding:
    """Make setting-unused: an entry of the configuration without an effect."""
    patterns = "Check its patterns (model, runtime, output)"
    if isinstance(entry, Known):
        text = f"The known divergence {entry.code} in {entry.place} did not occur"
        advice = "Remove the entry, so that it does not hide a new fault."
    elif isinstance(entry, Budget):
        text = f"The budget in {entry.place} applies to no result"
        advice = f"{patterns}. For latency, set batch_size below the number of samples."
    else:
        text, advice = f"The tolerance in {entry.place} applies to no output", f"{patterns}."
    return finding(
        "setting-unused",
        Severity.WARNING,
        summary=f"{text}.",
        advice=advice,
        evidence={"place": entry.place},
    )
