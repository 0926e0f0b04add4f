"""What the configuration and the accepted release make of the reports of a check."""

from __future__ import annotations

import datetime

from ..diagnosis.codes import finding
from ..diagnosis.linking import explains_output
from ..errors import UsageError
from ..gate import policy
from ..gate.budgets import Budget
from ..gate.policy import Known
from ..types import Finding, NanPolicy, Report, RuntimeStatus, Severity, VariantFailure
from . import baseline, budgets
from .baseline_file import Baseline
from .configuration import Configuration, ToleranceEntry
from .variants import Variant


class Judge:
    """Applies budgets, baseline, severities and known divergences, and knows which entries had nothing to say."""

    def __init__(self, config: Configuration, accepted: Baseline | None, today: datetime.date) -> None:
        self._config = config
        self._accepted = accepted
        self._today = today
        self._used: set[str] = set()
        self._missing: dict[str, None] = {}  # names that the baseline does not have
        self._taken: list[tuple[Report, tuple[Finding, ...], NanPolicy]] = []

    def take(self, report: Report, variant: Variant) -> VariantFailure | None:
        """Judge one report; why the baseline is none for it, if that is so."""
        config = self._config
        budgeted = budgets.judge(report, config.budgets)
        held = baseline.Held()
        accepted_as = variant.accepted_as or report.name
        if self._accepted and accepted_as not in self._accepted.variants:
            self._missing[accepted_as] = None
        elif self._accepted:
            held = baseline.hold(report, self._accepted, config.baseline, accepted_as)
        self._taken.append((report, (*budgeted.findings, *held.findings), variant.options.nan))
        self._used |= {b.place for b in budgeted.used}
        self._used |= {k.place for k in self._apply(*self._taken[-1]).seen}
        self._used |= {t.place for t in config.tolerances if _is_used(t, report)}
        advice = f"Accept what is there now with pycheck baseline update {report.name}."
        return VariantFailure(report.name, held.mismatch, advice, UsageError.exit_code) if held.mismatch else None

    def reports(self) -> tuple[Report, ...]:
        """All of them."""
        return tuple(self._apply(*each).report for each in self._taken)

    def findings(self, *, whole: bool) -> tuple[Finding, ...]:
        """What is about the check; with `whole`, which entries of the configuration had nothing to say, too."""
        config = self._config
        found = [baseline.missing(list(self._missing), config.baseline, self._missing)] if self._missing else []
        if whole:
            entries: tuple[ToleranceEntry | Budget | Known, ...] = (*config.tolerances, *config.budgets, *config.known)
            found += [_unused(e) for e in entries if e.place not in self._used and not self._was_kept_from(e)]
        weighed = [policy.with_severity(each, config.severity) for each in found]
        return tuple(each for each in weighed if each)

    def _was_kept_from(self, entry: ToleranceEntry | Budget | Known) -> bool:
        """Whether a runtime that did not run may be what it is about."""
        return any(
            entry.where.takes_variant(report.name) and entry.where.takes_runtime(record.id)
            for report, _, _ in self._taken
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


def _unused(entry: ToleranceEntry | Budget | Known) -> Finding:
    if isinstance(entry, Known):
        text = f"The known divergence {entry.code} was not seen any more"
        advice = "Remove it, so that it hides nothing when it comes back."
    elif isinstance(entry, Budget):
        text = "A budget had nothing to measure"
        advice = "Do its patterns fit? Latency needs more than one batch: set batch_size below the number of samples."
    else:
        text, advice = "A tolerance fits no output of any runtime", "Do its patterns fit?"
    return finding(
        "setting-unused",
        Severity.WARNING,
        summary=f"{text}: {entry.place}.",
        advice=advice,
        evidence={"place": entry.place},
    )
