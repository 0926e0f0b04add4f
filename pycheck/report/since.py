"""Finds what changed between two reports of the same model, or of the same check: results and findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

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
        share = self.after.share if self.after else None
        of = "" if share is None else " of the limit" if share <= 1 else " the limit"
        return f"{self.before or 'did not run'} -> {self.after or 'does not run'}{of}"


@dataclass(frozen=True, slots=True)
class Since:
    """All that changed: results, the most important first; findings that are new, and those that are gone.

    In a check, the summary of a finding begins with its variant, and `gone` has texts such as ``drift of cnn``.
    """

    results: tuple[Change, ...] = ()
    new: tuple[Finding, ...] = ()
    gone: tuple[str, ...] = ()

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
        tuple(_of_variant(key[0], finding) for key, finding in now.items() if key not in earlier),
        tuple(_name(*key[:2]) for key in earlier if key not in now and key[0] in _judged(after)),
    )


def since_of_power(before: Report | CheckReport | None, after: Report | CheckReport) -> Since:
    """Return only what the power changes."""
    old, new = (_findings(report) if report else {} for report in (before, after))
    added = (_of_variant(key[0], new[key]) for key in new if key not in old and key[1] in OF_POWER)
    removed = (_name(*key[:2]) for key in old if key not in new and key[1] in OF_POWER)
    return Since((), tuple(added), tuple(removed))


def since_lines(found: Since) -> Iterator[str]:
    """Yield a line of text for each change, or one that says that there is none."""
    if not found:
        yield "no result and no finding changed"
    margin = max((len(change.place) for change in found.results), default=0) + 2
    yield from (f"{change.place.ljust(margin)}{change}" for change in found.results)
    yield from (f"{finding.code} is new: {printable(finding.summary)}" for finding in found.new)
    yield from (f"{name} is gone" for name in found.gone)


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
        printable(row.name): Standing(row.whole.text or "no error", row.whole.failed) for row in check_view.rows(report)
    }


def _of_report(report: Report) -> Iterator[tuple[str, Standing]]:
    rows = [row for row in view.rows(report) if row.result]
    several = len({row.tensor for row in rows if row.comparison}) > 1
    for row in rows:
        name = f"{row.runtime}  {row.tensor}" if several and row.comparison else row.runtime
        yield name, Standing(row.result, row.failed, row.comparison.share_used if row.comparison else None)


def _judged(report: Report | CheckReport) -> set[str]:
    """Return the names of the variants that have a report, and "" for what concerns all."""
    return {""} if isinstance(report, Report) else {"", *(r.name for r in report.reports)}


def _of_variant(variant: str, finding: Finding) -> Finding:
    return replace(finding, summary=f"{variant}: {finding.summary}") if variant else finding


def _name(variant: str, code: str) -> str:
    return f"{code} of {printable(variant)}" if variant else code


def _has_power(report: Report | CheckReport) -> bool:
    return all(r.power for r in ([report] if isinstance(report, Report) else report.reports))


def _findings(
    report: Report | CheckReport, ignored: frozenset[str] = frozenset()
) -> dict[tuple[str, str, str, str], Finding]:
    reports = (report,) if isinstance(report, Report) else report.reports
    named = [("" if isinstance(report, Report) else r.name, finding) for r in reports for finding in r.findings]
    named += [] if isinstance(report, Report) else [("", finding) for finding in report.findings]
    return {
        (name, finding.code, finding.tensor or "", finding.layer or ""): finding
        for name, finding in named
        if finding.code not in ignored
    }
