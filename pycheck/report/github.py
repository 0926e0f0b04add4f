"""What GitHub Actions shows of a report: annotations, as workflow commands in the log, and the step's summary.

Workflow commands and how they are escaped: docs.github.com, "Workflow commands for GitHub Actions", and
packages/core/src/command.ts of github.com/actions/toolkit. GitHub shows ten errors and ten warnings of a step.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from ..types import Finding, Report, Severity
from . import mismatch, view
from .markdown import render_markdown
from .wording import printable

_MOST = 10
#: The limit of one step's summary, less a little for what other tools put there.
SUMMARY_LIMIT_BYTES = 1_000_000
_CUT = "\n\nThe rest does not fit into a step summary: see the other reports.\n"
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning"}


def render_annotations(*reports: Report) -> str:
    """A line for every error and warning, as many as GitHub shows; the last then counts those that it would not."""
    lines: list[str] = []
    for severity, command in _COMMANDS.items():
        found = [(report, f) for report in reports for f in _told(report) if f.severity is severity]
        shown = found if len(found) <= _MOST else found[: _MOST - 1]
        lines += [_annotation(command, report, finding) for report, finding in shown]
        if len(shown) < len(found):
            message = f"{len(found) - len(shown)} more are in the step's summary"
            lines.append(f"::{command} title=pycheck::{_data(message)}")
    return "".join(f"{line}\n" for line in lines)


def render_summary(*reports: Report) -> str:
    """The step's summary, within what GitHub takes."""
    whole = render_markdown(*reports)
    if len(whole.encode()) <= SUMMARY_LIMIT_BYTES:
        return whole
    kept = whole.encode()[: SUMMARY_LIMIT_BYTES - len(_CUT)].decode(errors="ignore")
    return kept.rpartition("\n")[0] + _CUT


def _told(report: Report) -> Iterator[Finding]:
    for _, group in view.by_severity(report.findings):
        yield from group


def _annotation(command: str, report: Report, finding: Finding) -> str:
    where = f" on {finding.runtime}" if finding.runtime else ""
    properties = {"title": f"pycheck: {finding.code}{where}"}
    path = PurePath(report.model.path)
    if report.model.format != "keras-object" and not path.is_absolute():
        properties = {"file": path.as_posix(), **properties}
    message = [finding.summary, *_numbers(report, finding), *finding.advice.splitlines()]
    told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{command} {told}::{_data(chr(10).join(map(printable, message)))}"


def _numbers(report: Report, finding: Finding) -> Iterator[str]:
    for c in report.comparisons:
        if c.passed is False and (c.candidate, c.tensor) == (finding.runtime, finding.tensor):
            yield from mismatch.lines(c)


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(printable(value)).replace(":", "%3A").replace(",", "%2C")
