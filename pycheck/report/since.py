"""Finds what changed between two reports of the same model, or of the same check: results and findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..types import CheckReport, Finding, Report
from . import check_view, view
from .wording import percent, printable

#: Findings of the power, which a report has only after its verdict.
OF_POWER = frozenset({"weak-comparison", "blind-inputs"})


@dataclass(frozen=True, slots=True)
class Standing:
    """The result of one output on one runtime, or of a whole variant: a word, and the used share of the limit."""

    result: str
    failed: bool
    share: float | None = None

    def __str__(self) -> str:
        return self.result if self.share is None else f"{self.result} {percent(self.share)}"


@dataclass(frozen=True, slots=True)
class Change:
    """The change of a result; `before` or `after` is None if there was or is none."""

    place: str
    before: Standing | None
    after: Standing | None

    @property
    def is_worse(self) -> bool:
        """Tell whether the result fails now, and did not."""
        return self.after is not None and self.after.failed and not (self.before and self.before.failed)

    @property
    def is_better(self) -> bool:
        """Tell whether the result failed, and no longer does."""
        return self.before is not None and self.before.failed and not (self.after and self.after.failed)

    def __str__(self) -> str:
        return f"{self.before or 'did not run'} -> {self.after or 'does not run'}"


@dataclass(frozen=True, slots=True)
class Since:
    """All that changed: results, the most important first; findings that are new, and those that are gone."""

    results: tuple[Change, ...] = ()
    new: tuple[Finding, ...] = ()
    gone: tuple[Finding, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.results or self.new or self.gone)


def since(before: Report | CheckReport, after: Report | CheckReport) -> Since:
    """Compare two reports. A result has changed if its text has; findings of a power that one lacks do not count."""
    old, new = _standings(before), _standings(after)
    changes = [Change(place, old.get(place), new.get(place)) for place in dict.fromkeys([*new, *old])]
    changes = [change for change in changes if str(change.before) != str(change.after)]
    ignored = frozenset[str]() if _has_power(before) and _has_power(after) else OF_POWER
    now, earlier = _findings(after, ignored), _findings(before, ignored)
    return Since(
        tuple(sorted(changes, key=_rank)),
        tuple(finding for key, finding in now.items() if key not in earlier),
        tuple(finding for key, finding in earlier.items() if key not in now),
    )


def since_of_power(before: Report | CheckReport | None, after: Report | CheckReport) -> Since:
    """Return only what the power changes."""
    old, new = (_findings(report) if report else {} for report in (before, after))
    added = (finding for key, finding in new.items() if key not in old and finding.code in OF_POWER)
    removed = (finding for key, finding in old.items() if key not in new and finding.code in OF_POWER)
    return Since((), tuple(added), tuple(removed))


def since_lines(found: Since) -> Iterator[str]:
    """Yield a line of text for each change, or one that says that there is none."""
    if not found:
        yield "no result and no finding changed"
    margin = max((len(change.place) for change in found.results), default=0) + 2
    yield from (f"{change.place.ljust(margin)}{change}" for change in found.results)
    yield from (f"{finding.code} is new: {printable(finding.summary)}" for finding in found.new)
    yield from (f"{finding.code} is gone" for finding in found.gone)


def _rank(change: Change) -> tuple[int, float]:
    """Rank new failures first, then what passes now, then by how much the used share of the limit changed."""
    shares = [standing.share or 0.0 for standing in (change.before, change.after) if standing]
    ratio = (max(shares) + 1e-3) / (min(shares) + 1e-3) if len(shares) > 1 else 1.0
    return 0 if change.is_worse else 1 if change.is_better else 2, -ratio


def _standings(report: Report | CheckReport) -> Mapping[str, Standing]:
    if isinstance(report, Report):
        return dict(_of_report(report))
    found = {f"{r.name}  {place}": standing for r in report.reports for place, standing in _of_report(r)}
    return found | {
        printable(row.name): Standing(row.whole.text, row.whole.failed)
        for row in check_view.rows(report)
        if row.whole.text
    }


def _of_report(report: Report) -> Iterator[tuple[str, Standing]]:
    rows = [row for row in view.rows(report) if row.result]
    several = len({row.tensor for row in rows if row.comparison}) > 1
    for row in rows:
        name = f"{row.runtime}  {row.tensor}" if several and row.comparison else row.runtime
        yield name, Standing(row.result, row.failed, row.comparison.share_used if row.comparison else None)


def _has_power(report: Report | CheckReport) -> bool:
    return all(r.power for r in ([report] if isinstance(report, Report) else report.reports))


def _findings(report: Report | CheckReport, ignored: frozenset[str] = frozenset()) -> dict[tuple[str, ...], Finding]:
    reports = (report,) if isinstance(report, Report) else report.reports
    named = [(r.name, finding) for r in reports for finding in r.findings]
    named += [] if isinstance(report, Report) else [("", finding) for finding in report.findings]
    return {
        (name, finding.code, finding.tensor or "", finding.layer or ""): finding
        for name, finding in named
        if finding.code not in ignored
    }
