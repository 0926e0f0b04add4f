"""Writes the text of a failed assertion: verdict, differences, causes, next steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..types import Comparison, Finding, Report, RuntimeStatus, Severity
from . import cures, mismatch, training, view, where
from .next_steps import next_steps
from .wording import ABSENT, printable

_MOST_COMPARISONS, _MOST_FINDINGS, _MOST_SOURCES = 8, 6, 4


def failure_text(report: Report) -> str:
    """Return the text for a report that did not pass."""
    lines = [f"{view.LABELS[report.verdict]}: {view.headline(report)}", *_context(report)]
    parts = (_outputs, _missing, _training, _where_it_starts, _cures, _findings, _next)
    for part in (make(report) for make in parts):
        if found := list(part):
            lines += ["", *found]
    return "\n".join(printable(line) for line in lines)


def _context(report: Report) -> Iterator[str]:
    facts = dict(reversed(view.context(report)))  # the first of the lines with the same label
    yield f"{facts['model']}, {facts['inputs']}"


def _outputs(report: Report) -> Iterator[str]:
    failed = [c for c in view.failures(report) if c.failed]
    for c in failed[:_MOST_COMPARISONS]:
        yield f"{c.tensor} on {c.candidate} differs from Python:"
        yield from (f"  {line}" for line in mismatch.lines(c))
    yield from _more(failed, _MOST_COMPARISONS, "outputs failed")


def _missing(report: Report) -> Iterator[str]:
    for record in report.runtimes:
        if record.status is not RuntimeStatus.OK and record.id.kind != "float64":
            yield f"{record.id} {view.STATUS_WORDS[record.status]}"


def _training(report: Report) -> Iterator[str]:
    if report.training is None:
        return
    for row in training.rows(report):
        if row.failed:
            facts = [
                f"{title} {value}" for title, name in training.COLUMNS[1:-1] if (value := getattr(row, name)) != ABSENT
            ]
            yield f"{row.runtime}: {row.result}: {', '.join(facts)}"
    yield from training.pass_lines(report.training)


def _where_it_starts(report: Report) -> Iterator[str]:
    if report.trace is None:
        return
    found = where.sources(report)
    yield "Where the error starts" + ("" if found else f": {where.nowhere(report)}")
    for source in found[:_MOST_SOURCES]:
        layer = f", layer {source.layer}" if source.layer != ABSENT else ""
        yield f"  {source.runtime}: {source.point} ({source.op}{layer})"
        yield f"    {source.facts}"
    yield from _more(found, _MOST_SOURCES, "sources")


def _cures(report: Report) -> Iterator[str]:
    if not report.remedies:
        return
    found = cures.cures(report)
    yield "Fixes" + ("" if found else ": none of those tried works")
    for cure in found:
        yield f"  {cure.runtimes}: {cure.change}"
        yield from (f"    {text}" for text in (cure.effect, cure.command, *cure.short_code.splitlines()) if text)


def _findings(report: Report) -> Iterator[str]:
    found = [f for _, group in view.by_severity(report.findings) for f in group if f.severity is not Severity.INFO]
    for finding in found[:_MOST_FINDINGS]:
        yield from _finding(finding)
    yield from _more(found, _MOST_FINDINGS, "findings")


def _finding(finding: Finding) -> Iterator[str]:
    yield f"{finding.severity.value} {finding.code}: {finding.summary}"
    if finding.advice:
        yield from (f"  {line}" for line in finding.advice.splitlines())


def _next(report: Report) -> Iterator[str]:
    for reason, command in next_steps(report):
        yield f"To {reason}:"
        yield f"  {command}"


def _more(items: Sequence[Comparison] | Sequence[Finding] | Sequence[where.Source], most: int, what: str) -> list[str]:
    return [f"and {len(items) - most} more {what}"] if len(items) > most else []
