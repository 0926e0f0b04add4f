"""Prepares the texts of a check for all reports: the matrix of variants by runtimes, headline, legend, remarks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..types import BROWSER_ENGINES, CheckReport, Finding, Report, RuntimeId, Severity, Verdict
from . import power as seeing
from . import view
from .wording import ABSENT, names, printable

#: The words for errors that only a check can find.
_OF_CHECK = {"budget-exceeded": "BUDGET", "baseline-worse": "WORSE", "model-changed": "CHANGED"}
_NO_RUN = ("runtime-unavailable", "runtime-failed", "runtime-timed-out")
#: Words in the order of importance.
_WORST_FIRST = ("NaN+DRIFT", "NaN", "DRIFT", "SHAPE", "NO RUN", "WORSE", "BUDGET", "CHANGED", "FAIL")

_MEANINGS = {
    "WORSE": "worse than in the baseline",
    "CHANGED": "the model differs from the baseline's",
    "BUDGET": "a budget is exceeded",
    "known": "fails, but is a known divergence in the configuration",
    "excused": "fails, but its severity is warn or off in the configuration",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One variant on one runtime, as a word; ABSENT if the variant does not run there."""

    text: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One variant. `whole` is an error that concerns no single runtime; its text is empty if there is none."""

    name: str
    cells: tuple[Cell, ...]
    whole: Cell

    @property
    def failed(self) -> bool:
        """Tell whether this variant is a reason not to release."""
        return self.whole.failed or any(cell.failed for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Told:
    """One finding, and the variants that have it."""

    finding: Finding
    variants: tuple[str, ...]


def columns(check: CheckReport) -> tuple[RuntimeId, ...]:
    """Return every runtime that is a candidate in a report, grouped by engine, in the order of the reports."""
    found = dict.fromkeys(i for report in check.reports for i in _candidates(report))
    engines = [*BROWSER_ENGINES, *dict.fromkeys(runtime.engine for runtime in found)]
    return tuple(sorted(found, key=lambda runtime: engines.index(runtime.engine)))


def _candidates(report: Report) -> list[RuntimeId]:
    references = {*report.model.references}
    ids = [*(r.id for r in report.runtimes), *(c.candidate for c in report.comparisons)]
    return list(dict.fromkeys(i for i in ids if i not in references))


def rows(check: CheckReport) -> tuple[Row, ...]:
    """Return a row for each variant, those without a report last."""
    runtimes = columns(check)
    failed = {failure.name for failure in check.failures}
    with_report = [
        Row(r.name, tuple(cell(r, runtime) for runtime in runtimes), _whole(r, r.name in failed)) for r in check.reports
    ]
    reported = {report.name for report in check.reports}
    without = [failure.name for failure in check.failures if failure.name not in reported]
    empty = tuple(Cell(ABSENT) for _ in runtimes)
    return (*with_report, *(Row(name, empty, Cell("ERROR", True)) for name in without))


def cell(report: Report, runtime: RuntimeId) -> Cell:
    """Return the result of one variant on one runtime."""
    if runtime not in _candidates(report):
        return Cell(ABSENT)
    about = [f for f in report.findings if runtime in f.runtimes]
    rows = [row for row in view.rows(report) if row.runtime == str(runtime)]
    errors = [f for f in about if f.severity is Severity.ERROR]
    if errors or any(row.failed for row in rows):
        words = {*(row.result for row in rows if row.failed), *map(_word, errors)}
        return Cell(next((word for word in _WORST_FIRST if word in words), "FAIL"), failed=True)
    if any("known" in f.evidence for f in about):
        return Cell("known")
    words = {row.result for row in rows}
    return Cell(next((word for word in ("excused", "warn") if word in words), "pass"))


def _word(finding: Finding) -> str:
    """Return the word for an error that no comparison shows, or "" if a comparison shows it."""
    if finding.code in _NO_RUN:
        return "NO RUN"
    if finding.code in _OF_CHECK:
        return _OF_CHECK[finding.code]
    return "FAIL" if finding.code in ("top1-flip", "argmax-tie") or finding.tensor is None else ""


def _whole(report: Report, failed: bool) -> Cell:
    errors = [f for f in report.findings if f.severity is Severity.ERROR and not f.runtimes]
    words = {_OF_CHECK.get(f.code, "FAIL") for f in errors}
    if failed:
        return Cell("ERROR", True)
    return next((Cell(word, True) for word in _WORST_FIRST if word in words), Cell(""))


def findings(check: CheckReport) -> tuple[Finding, ...]:
    """Return the findings of the check as a whole, the worst first."""
    return tuple(found for _, group in view.by_severity(check.findings) for found in group)


def legend(check: CheckReport) -> str:
    """Return the meanings of words in the matrix; empty if none needs one."""
    used = {found.text for row in rows(check) for found in (*row.cells, row.whole)}
    return "; ".join(f"{word}: {meaning}" for word, meaning in _MEANINGS.items() if word in used)


def headline(check: CheckReport) -> str:
    """Return the sentence under the verdict."""
    return f"shard {check.shard}: {_headline(check)}" if check.shard else _headline(check)


def _headline(check: CheckReport) -> str:
    table = rows(check)
    failing = [row for row in table if row.failed]
    if not check.reports and not check.failures:
        return "no variant is in this shard" if check.shard else "nothing was checked"
    total = f"{_count(len(table), 'variant')} on {_count(len(columns(check)), 'runtime')}"
    if not failing:
        words = [found.text for row in table for found in row.cells]
        counted = ((words.count("known"), "known"), (words.count("excused"), "excused"))
        but = [f"{number} {what}" for number, what in counted if number]
        errors = _errors_of_check(check)
        weak = [report.name for report in check.reports if seeing.weakness(report)]
        return (
            f"{total}: all agree with Python"
            + (f", except {names(but)}" if but else "")
            + (f"; {names(weak)} {'is a weak test' if len(weak) == 1 else 'are weak tests'}, see below" if weak else "")
            + (f"; {names(errors)} {'fails' if len(errors) == 1 else 'fail'} the check" if errors else "")
        )
    verb = "fails" if len(failing) == 1 else "fail"
    return f"{names([printable(row.name) for row in failing])} {verb}, of {total}"


def _errors_of_check(check: CheckReport) -> list[str]:
    """Return the codes of the errors of the check as a whole."""
    return list(dict.fromkeys(found.code for found in check.findings if found.severity is Severity.ERROR))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def label(check: CheckReport) -> str:
    """Return the verdict as a word."""
    failed = any(row.failed for row in rows(check)) or _errors_of_check(check)
    return "FAIL" if check.verdict is Verdict.ERROR and failed else view.LABELS[check.verdict]


def failing(check: CheckReport) -> tuple[Report, ...]:
    """Return the reports that do not pass."""
    return tuple(report for report in check.reports if not report.passed)


def remarks(check: CheckReport) -> tuple[Told, ...]:
    """Return findings of reports that pass: warnings, known divergences, changes since the baseline."""
    told: dict[tuple[str, str], Told] = {}
    for report in check.reports:
        for found in _remarkable(report):
            key = (found.code, found.summary)
            before = told.get(key, Told(found, ()))
            told[key] = Told(found, (*before.variants, report.name))
    return tuple(sorted(told.values(), key=lambda t: list(Severity).index(t.finding.severity)))


def _remarkable(report: Report) -> Iterator[Finding]:
    for found in report.findings if report.passed else ():
        news = found.code.startswith("baseline-") or found.code == "model-changed" or "known" in found.evidence
        if found.severity is Severity.WARNING or news:
            yield found
