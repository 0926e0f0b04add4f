"""Writes a report for GitHub Actions: annotations, as workflow commands in the log, and the step's summary.

Workflow commands and how they are escaped: docs.github.com, "Workflow commands for GitHub Actions", and
packages/core/src/command.ts of github.com/actions/toolkit. GitHub shows ten errors, ten warnings and ten
notices of a step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from ..types import CheckReport, Finding, Report, Severity, VariantFailure
from . import check_view, mismatch, view
from .wording import printable

_MOST = 10
#: The size limit of a step's summary, with some room for other tools.
SUMMARY_LIMIT_BYTES = 1_000_000
_CUT = "\n\nThis step summary is cut off at its size limit. The JSON and HTML reports have everything.\n"
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render_annotations(report: Report) -> str:
    """Write a line for every error, warning and excuse, up to GitHub's maximum; the last line counts the rest."""
    return _lines(_of_report(report))


def render_check_annotations(check: CheckReport) -> str:
    """Write the lines of a check: variants without a report, the check as a whole, then each variant."""
    whole = [(f.severity, _whole(f)) for f in check_view.findings(check) if f.severity is not Severity.INFO]
    of_reports = [line for report in check.reports for line in _of_report(report)]
    return _lines([*((Severity.ERROR, _failure(failure)) for failure in check.failures), *whole, *of_reports])


def _of_report(report: Report) -> list[tuple[Severity, str]]:
    found = [finding for _, group in view.by_severity(report.findings) for finding in group]
    told = [(f.severity, _annotation(report, f)) for f in found if f.severity is not Severity.INFO]
    return [*told, *((Severity.INFO, _excuse(report, line)) for line in view.excuses(report))]


def _lines(found: Sequence[tuple[Severity, str]]) -> str:
    lines = {command: [line for s, line in found if s is severity] for severity, command in _COMMANDS.items()}
    return "".join(f"::{command} {line}\n" for command, some in lines.items() for line in _shown(some))


def within_summary(markdown: str) -> str:
    """Cut the step's summary off at GitHub's size limit."""
    if len(markdown.encode()) <= SUMMARY_LIMIT_BYTES:
        return markdown
    kept = markdown.encode()[: SUMMARY_LIMIT_BYTES - len(_CUT)].decode(errors="ignore")
    return kept.rpartition("\n")[0] + _CUT


def _shown(lines: Sequence[str]) -> Sequence[str]:
    if len(lines) <= _MOST:
        return lines
    message = f"{len(lines) - _MOST + 1} more are in the step's summary"
    return (*lines[: _MOST - 1], f"title=pycheck::{message}")


def _failure(failure: VariantFailure) -> str:
    message = "\n".join(map(printable, [failure.message, *failure.advice.splitlines()]))
    return f"title={_property(f'pycheck: {failure.name}')}::{_data(message)}"


def _whole(finding: Finding) -> str:
    message = "\n".join(map(printable, [finding.summary, *finding.advice.splitlines()]))
    return f"title={_property(f'pycheck: {finding.code}')}::{_data(message)}"


def _annotation(report: Report, finding: Finding) -> str:
    where = f" on {', '.join(map(str, finding.runtimes))}" if finding.runtimes else ""
    variant = f"{report.name}: " if report.name else ""
    properties = {"title": f"pycheck: {variant}{finding.code}{where}"}
    path = PurePath(report.model.path)
    if report.model.format != "keras-object" and not path.is_absolute():
        properties = {"file": path.as_posix(), **properties}
    message = [finding.summary, *_numbers(report, finding), *finding.advice.splitlines()]
    told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"{told}::{_data(chr(10).join(map(printable, message)))}"


def _excuse(report: Report, line: str) -> str:
    title = f"pycheck: {report.name}" if report.name else "pycheck"
    return f"title={_property(title)}::{_data(line)}"


def _numbers(report: Report, finding: Finding) -> Iterator[str]:
    """Return the numbers of the output that a finding is about; equal numbers of several runtimes are listed once."""
    about = [c for c in report.comparisons if c.candidate in finding.runtimes and c.tensor == finding.tensor]
    lines = {c.candidate: mismatch.lines(c) for c in about if c.failed}
    same = len(set(lines.values())) == 1
    for runtime, told in list(lines.items())[: 1 if same else None]:
        yield from told if same else (f"{runtime}: {line}" for line in told)


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(printable(value)).replace(":", "%3A").replace(",", "%2C")
