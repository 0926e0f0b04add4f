"""Writes the report as GitHub-flavoured Markdown, for a pull request's comment or a step summary."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from ..types import CheckReport, Finding, Report, Severity
from . import check_view, cures, mismatch, pipeline, training, view, where
from .next_steps import next_steps
from .view import Row
from .wording import ABSENT, printable

#: A step summary may have 1 MiB; longer tables would exceed it, and are hard to read.
_MOST_ROWS, _MOST_FAILURES = 100, 20
_COLUMNS = (
    ("output", "tensor"),
    ("result", "result"),
    ("max error", "max_error"),
    ("limit", "limit"),
    ("used", "used"),
    ("ULP", "ulp"),
    ("top-1", "top1"),
    ("NaN/Inf", "nonfinite"),
)
#: Characters of markup and of mentions of people or issues; dots and dashes of a path are not among them.
_MARKUP = re.compile(r"([\\`*_\[\]<>|~#&$])")


def render_markdown(report: Report) -> str:
    """Render a report as Markdown."""
    return "\n".join(_report(report, level=2)) + "\n"


def render_check_markdown(check: CheckReport) -> str:
    """Render a check: the matrix of variants by runtimes, then the reports that do not pass, folded."""
    lines = [f"## pycheck: {check_view.label(check)}", f"\n{text(check_view.headline(check))}\n", _matrix(check)]
    lines += _section("### The check as a whole", finding_lines(check_view.findings(check)))
    for failure in check.failures:
        lines += [f"\n### {code(failure.name)}\n", text(" ".join(failure.message.split()))]
        lines += [f"\n{text(line)}" for line in failure.advice.splitlines()]
    for report in check_view.failing(check):
        summary = f"{_html(report.name)}: {view.LABELS[report.verdict]}"
        lines += [f"\n<details><summary>{summary}</summary>\n", *_report(report, level=3), "\n</details>"]
    if told := check_view.remarks(check):
        lines.append("\n### Findings of variants that pass\n")
        lines += [f"- {code(t.finding.code)} ({text(', '.join(t.variants))}): {text(t.finding.summary)}" for t in told]
    if check.command:
        lines += ["\n### Reproduce\n", block([check.command], "sh")]
    return "\n".join(lines) + "\n"


def text(value: str) -> str:
    """Escape a name or a message: names come from files, which cannot be trusted."""
    escaped = _MARKUP.sub(r"\\\1", printable(value))
    return escaped.replace("@", "&#64;").replace("://", "&#58;//")


def code(value: str) -> str:
    """Format a name or a number in fixed width; it may contain backticks."""
    plain = printable(value)
    fence = "`" * (max(map(len, re.findall("`+", plain)), default=0) + 1)
    pad = " " if "`" in plain else ""
    return f"{fence}{pad}{plain}{pad}{fence}" if plain else ""


def block(lines: Sequence[str], language: str = "") -> str:
    """Format lines as a block of code."""
    plain = [printable(line) for line in lines]
    fence = "`" * max(3, *(len(run) + 1 for line in plain for run in re.findall("`+", line)), 3)
    return "\n".join([f"{fence}{language}", *plain, fence])


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """Format a table whose first `left` columns are texts and whose others are numbers."""
    rule = ["---"] * left + ["---:"] * (len(header) - left)
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def _name(value: str) -> str:
    """Format a name in a table cell, in which even code must not contain a bar."""
    return code(value).replace("|", "\\|")


def _matrix(check: CheckReport) -> str:
    """Format the worst result of every variant on every runtime, and errors that concern no runtime."""
    rows = check_view.rows(check)
    whole = any(row.whole.text for row in rows)
    cells = [
        [_name(row.name), *(_cell(c.text, c.failed) for c in (*row.cells, *((row.whole,) if whole else ())))]
        for row in rows
    ]
    header = ["variant", *(_name(str(runtime)) for runtime in check_view.columns(check)), *(["all"] if whole else [])]
    return "\n\n".join(filter(None, (table(header, cells, len(header)), text(check_view.legend(check)))))


def _html(value: str) -> str:
    """Escape a name within a tag, where Markdown does not apply."""
    return html.escape(printable(value))


def _cell(value: str, failed: bool) -> str:
    return f"**{value}**" if failed and value else value


def _report(report: Report, level: int) -> Iterator[str]:
    mark = "#" * level
    name = f"{text(report.name)}: " if report.name else ""
    yield f"{mark} pycheck: {name}{view.LABELS[report.verdict]}"
    yield f"\n{text(view.headline(report))}\n"
    for label, line in view.context(report):
        yield f"- {label}: {text(line)}" if label else f"  - {text(line)}"
    yield from _outputs(report)
    for title, lines in (
        (pipeline.way(report.pipeline) if report.pipeline else "", _pipeline(report)),
        ("Training", _training(report)),
        ("Outputs that differ", _failures(report)),
        (
            f"Where the error starts: {text(where.scope(report, report.trace))}" if report.trace else "",
            _where_it_starts(report),
        ),
        ("Fixes", _cures(report)),
    ):
        yield from _section(f"{mark}# {title}", lines)
    for title, group in view.by_severity(report.findings):
        folded = group[0].severity is Severity.INFO
        yield from (
            _folded(title, finding_lines(group)) if folded else _section(f"{mark}# {title}", finding_lines(group))
        )
    yield from _section(f"{mark}# Next steps", _next(report))
    yield from _folded("Environment", (f"- {text(name)}: {text(line)}" for name, line in view.environments(report)))


def _pipeline(report: Report) -> Iterator[str]:
    if report.pipeline is None or not report.pipeline.rows:
        return
    if decisions := pipeline.decisions(report.pipeline):
        yield table(pipeline.DECISION_COLUMNS, [[text(cell) for cell in row] for row in decisions], 1)
        yield "\nLargest change of the output:\n"
    columns = pipeline.columns(report.pipeline)
    header = [title for title, _ in columns]
    rows = [[text(getattr(row, name)) for _, name in columns] for row in pipeline.rows(report.pipeline)]
    yield table(header, rows, 1)
    if files := pipeline.files(report.pipeline):
        yield f"\n{pipeline.title(report.pipeline, 'that change most')}:\n"
        yield table(pipeline.file_columns(report.pipeline), [[text(cell) for cell in row] for row in files], 2)


def _section(heading: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield from (f"\n{heading}\n", *found)


def _folded(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield from (f"\n<details><summary>{title}</summary>\n", *found, "\n</details>")


def _outputs(report: Report) -> Iterator[str]:
    rows = view.rows(report)
    shown = rows if len(rows) <= _MOST_ROWS else [row for row in rows if row.failed][:_MOST_ROWS]
    if not rows:
        return
    columns = [
        c for c in _COLUMNS if c[1] not in ("top1", "nonfinite") or any(getattr(r, c[1]) != ABSENT for r in rows)
    ]
    cells = [
        _cells(row, rank == 0, columns)
        for _, group in groupby(shown, lambda r: r.runtime)
        for rank, row in enumerate(group)
    ]
    yield "\n" + table(["runtime", *(title for title, _ in columns)], cells, 3)
    if any(row.nonfinite != ABSENT for row in rows):
        yield f"\n{text(view.NONFINITE_LEGEND)}"
    yield from (f"\n{text(line)}" for line in view.excuses(report))
    if len(shown) < len(rows):
        yield f"\n{len(rows) - len(shown)} more rows are in the JSON and HTML reports."


def _cells(row: Row, first: bool, columns: Sequence[tuple[str, str]]) -> list[str]:
    values = [_name(row.runtime) if first else ""]
    for _, name in columns:
        value = getattr(row, name)
        if name == "tensor":
            values.append(_name(value))
        elif name == "result":
            values.append(_cell(value, row.failed) if value else "")
        else:
            values.append(text(value))
    return values


def _failures(report: Report) -> Iterator[str]:
    failed = [c for c in view.failures(report) if c.failed]
    for c in failed[:_MOST_FAILURES]:
        yield f"- {code(c.tensor)} on {code(str(c.candidate))}"
        yield from (f"  - {text(line)}" for line in mismatch.lines(c))
    yield from _more(failed)


def _where_it_starts(report: Report) -> Iterator[str]:
    if report.trace is None:
        return
    found = where.sources(report)
    for source in found[:_MOST_FAILURES]:
        layer = f", layer {code(source.layer)}" if source.layer != ABSENT else ""
        yield f"- {code(source.runtime)}: {code(source.point)} ({text(source.op)}{layer})"
        yield f"  - {text(source.facts)}"
    if not found:
        yield f"- {text(where.nowhere(report))}"
    yield from _more(found)


def _training(report: Report) -> Iterator[str]:
    if report.training is None:
        return
    cells = []
    for row in training.rows(report):
        values = [text(getattr(row, name)) for _, name in training.COLUMNS[1:-1]]
        cells.append([_name(row.runtime), _cell(row.result, row.failed), *values])
    header = ["runtime", "result", *(title for title, _ in training.COLUMNS[1:-1])]
    yield table(header, cells, 2) + "\n"
    yield from (f"- {text(line)}" for line in training.pass_lines(report.training))
    for cure in training.cures(report.training):
        told = f"{cure.worked}, last loss {cure.losses}: {text(cure.description)}"
        yield f"- {text(cure.name)}: {told} {code(cure.option)}"


def _cures(report: Report) -> Iterator[str]:
    if not report.remedies:
        return
    found = cures.cures(report)
    for cure in found:
        yield f"- {text(cure.runtimes)}: {text(cure.change)}"
        yield from (f"  - {line}" for line in (text(cure.effect), code(cure.command), text(cure.note)) if line)
        if cure.code:
            yield block(cure.code.splitlines(), "js")
    if not found:
        yield "- none of those tried works"
    for runtime, tried in cures.without_success(report):
        yield f"- {code(runtime)} does not help: {text(tried)}"
    yield from (f"- not tried: {text(what)}" for what in cures.not_tried(report))


def finding_lines(group: Sequence[Finding]) -> Iterator[str]:
    """Format findings as a list, each with its advice."""
    for finding in group[:_MOST_FAILURES]:
        yield f"- {code(finding.code)}: {text(finding.summary)}"
        advice, *copied = finding.advice.splitlines() or [""]
        if advice:
            yield f"  - {text(advice)}{''.join(f' {code(line)}' for line in copied)}"
    yield from _more(group)


def _more(items: Sequence[object]) -> Iterator[str]:
    if len(items) > _MOST_FAILURES:
        yield f"- and {len(items) - _MOST_FAILURES} more"


def _next(report: Report) -> Iterator[str]:
    steps = next_steps(report)
    if steps:
        yield block([line for reason, command in steps for line in (f"# {reason}", command)], "sh")
