"""The report as GitHub-flavoured Markdown: for a pull request's comment, a step summary, a wiki."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from ..types import Comparison, Report, Severity
from . import mismatch, view, where
from .view import Row
from .wording import ABSENT, printable

#: A step summary may have 1 MiB, and nobody reads so long a table.
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
#: What would be markup, a mention of a person or an issue; a path's dots and dashes are not.
_MARKUP = re.compile(r"([\\`*_\[\]<>|~#&$])")


def render_markdown(*reports: Report) -> str:
    """Reports as Markdown, after a table of models by runtimes where there are several."""
    parts = [_matrix(reports)] if len(reports) > 1 else []
    parts += ["\n".join(_report(report)) for report in reports]
    return "\n\n".join(parts) + "\n"


def text(value: str) -> str:
    """A name or a message as it is: names come from files nobody vouches for."""
    escaped = _MARKUP.sub(r"\\\1", printable(value))
    return escaped.replace("@", "&#64;").replace("://", "&#58;//")


def code(value: str) -> str:
    """A name or a number in fixed width, whatever backticks it has."""
    plain = printable(value)
    fence = "`" * (max(map(len, re.findall("`+", plain)), default=0) + 1)
    pad = " " if "`" in plain else ""
    return f"{fence}{pad}{plain}{pad}{fence}" if plain else ""


def _block(lines: Sequence[str], language: str = "") -> str:
    """Lines as they are."""
    plain = [printable(line) for line in lines]
    fence = "`" * max(3, *(len(run) + 1 for line in plain for run in re.findall("`+", line)), 3)
    return "\n".join([f"{fence}{language}", *plain, fence])


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """A table whose first `left` columns are texts and whose others are numbers."""
    rule = ["---"] * left + ["---:"] * (len(header) - left)
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def _name(value: str) -> str:
    """A name in a cell, where even code may not hold a bar."""
    return code(value).replace("|", "\\|")


def _matrix(reports: Sequence[Report]) -> str:
    """The worst result of every model on every runtime."""
    cells = [{cell.runtime: cell for cell in view.cells(report)} for report in reports]
    runtimes = list(dict.fromkeys(runtime for own in cells for runtime in own))
    rows = [
        [_name(report.model.path), *(_cell(own[r].text, own[r].failed) if r in own else "" for r in runtimes)]
        for report, own in zip(reports, cells, strict=True)
    ]
    failed = sum(not report.passed for report in reports)
    verdict = f"{failed} of {len(reports)} models failed" if failed else f"all {len(reports)} models pass"
    return f"## pycheck: {verdict}\n\n" + _table(["model", *map(_name, runtimes)], rows, len(runtimes) + 1)


def _cell(value: str, failed: bool) -> str:
    return f"**{value}**" if failed else value


def _report(report: Report) -> Iterator[str]:
    yield f"## pycheck: {view.LABELS[report.verdict]}"
    yield f"\n{text(view.headline(report))}\n"
    for label, line in view.context(report):
        yield f"- {label}: {text(line)}" if label else f"  - {text(line)}"
    yield from _outputs(report)
    yield from _failures(report)
    yield from _where_it_starts(report)
    yield from _findings(report)
    yield from _next(report)
    yield from _environments(report)


def _outputs(report: Report) -> Iterator[str]:
    rows = view.rows(report)
    shown = rows if len(rows) <= _MOST_ROWS else [row for row in rows if row.failed][:_MOST_ROWS]
    if not rows:
        return
    columns = [
        c for c in _COLUMNS if c[1] not in ("top1", "nonfinite") or any(getattr(r, c[1]) != ABSENT for r in rows)
    ]
    cells = [
        _cells(row, first, columns) for _, group in groupby(shown, lambda r: r.runtime) for first, row in _marked(group)
    ]
    yield "\n" + _table(["runtime", *(title for title, _ in columns)], cells, 3)
    if any(row.nonfinite != ABSENT for row in rows):
        yield f"\n{text(view.NONFINITE_LEGEND)}"
    if len(shown) < len(rows):
        yield f"\n{len(rows) - len(shown)} more rows are in the JSON and HTML reports."


def _marked(group: Iterator[Row]) -> Iterator[tuple[bool, Row]]:
    return ((rank == 0, row) for rank, row in enumerate(group))


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
    failed = [c for c in view.failures(report) if c.passed is False]
    if failed:
        yield "\n### Outputs that differ\n"
    for c in failed[:_MOST_FAILURES]:
        yield from _failure(c)
    if len(failed) > _MOST_FAILURES:
        yield f"- and {len(failed) - _MOST_FAILURES} more"


def _failure(c: Comparison) -> Iterator[str]:
    yield f"- {code(c.tensor)} on {code(str(c.candidate))}"
    yield from (f"  - {text(line)}" for line in mismatch.lines(c))


def _where_it_starts(report: Report) -> Iterator[str]:
    if report.trace is None:
        return
    found = where.sources(report)
    yield f"\n### Where it starts\n\n{text(where.scope(report.trace))}.\n"
    for source in found[:_MOST_FAILURES]:
        layer = f", layer {code(source.layer)}" if source.layer != ABSENT else ""
        yield f"- {code(source.runtime)}: {code(source.point)} ({text(source.op)}{layer})"
        yield f"  - {text(f'{source.error}, {source.limit} allowed; {source.why}; {source.operands}')}"
    if not found:
        yield "- no operation errs by itself beyond its tolerance"
    if len(found) > _MOST_FAILURES:
        yield f"- and {len(found) - _MOST_FAILURES} more"


def _findings(report: Report) -> Iterator[str]:
    for title, group in view.by_severity(report.findings):
        folded = group[0].severity is Severity.INFO
        yield f"\n<details><summary>{title}</summary>\n" if folded else f"\n### {title}\n"
        for finding in group[:_MOST_FAILURES]:
            yield f"- {code(finding.code)}: {text(finding.summary)}"
            if finding.advice:
                yield f"  - {text(' '.join(finding.advice.splitlines()))}"
        if len(group) > _MOST_FAILURES:
            yield f"- and {len(group) - _MOST_FAILURES} more"
        if folded:
            yield "\n</details>"


def _next(report: Report) -> Iterator[str]:
    steps = view.next_steps(report)
    if steps:
        yield "\n### Next\n"
        yield _block([line for reason, command in steps for line in (f"# {reason}", command)], "sh")


def _environments(report: Report) -> Iterator[str]:
    lines = view.environments(report)
    if lines:
        yield "\n<details><summary>Ran on</summary>\n"
        yield from (f"- {text(name)}: {text(line)}" for name, line in lines)
        yield "\n</details>"
