"""Writes a check for a terminal: the matrix, then the report of each variant that fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console, RenderableType
from rich.text import Text

from ..types import CheckReport, RuntimeId, Severity
from . import check_view, layout, wording
from .check_view import Cell, Row
from .layout import capture, text_console
from .terminal import finding_lines, report_parts

_SEVERITY = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_MOST_REMARKS = 8
_GAP, _ENGINE_GAP = 1, 2


def print_check(check: CheckReport, console: Console, *, verbosity: int = 0) -> None:
    """Print to a console; `verbosity` -1 prints only the verdict, 1 the report of every variant."""
    console.file.write(capture(check_parts(check, console.width, verbosity), console))


def render_check(check: CheckReport, *, width: int = 80) -> str:
    """Return the check as plain text of that width."""
    return capture(check_parts(check, width, 0), text_console(width))


def check_parts(check: CheckReport, width: int, verbosity: int) -> Iterator[RenderableType]:
    """Yield the parts of a check from top to bottom."""
    style = "bold green" if check.passed else "bold red"
    head = wording.printable(check_view.headline(check))
    yield Text.assemble((check_view.label(check), style), "  ", head, f", in {check.wall_s:.0f} s")
    if verbosity < 0:
        return
    yield Text()
    yield from _matrix(check, width)
    yield from _whole(check, width)
    for report in check.reports if verbosity > 0 else check_view.failing(check):
        yield Text()
        yield Text(f"--- {report.name} ".ljust(width, "-"), "bold", overflow="crop", no_wrap=True)
        yield from report_parts(report, width, verbosity)
    yield from _failures(check, width)
    yield from _remarks(check, width, verbosity)


def _matrix(check: CheckReport, width: int) -> Iterator[RenderableType]:
    rows, columns = check_view.rows(check), check_view.columns(check)
    places = {runtime: place for place, runtime in enumerate(columns)}
    groups = [
        _Group.of(engine, tuple(runtimes), rows, places) for engine, runtimes in groupby(columns, lambda i: i.engine)
    ]
    names = [wording.printable(row.name) for row in rows]
    margin = max(map(len, names), default=0)
    last = max((len(row.whole.text) for row in rows), default=0)
    beside: list[list[_Group]] = []
    for group in groups:  # engines stand side by side if the width allows it
        widths = [g.width + _ENGINE_GAP for g in (*(beside[-1] if beside else ()), group)]
        if beside and margin + sum(widths) + _ENGINE_GAP + last <= width:
            beside[-1].append(group)
        else:
            beside.append([group])
    for index, some in enumerate(beside or [[]]):
        yield from [Text()] if index else []
        yield _head("", [g.engine.ljust(g.width) for g in some], margin)
        yield _head("", [g.line([i.kind for i in g.runtimes]).plain for g in some], margin)
        for name, row in zip(names, rows, strict=True):
            parts = [g.line([row.cells[places[i]] for i in g.runtimes]) for g in some]
            parts += [_text(row.whole, last)] if index == len(beside) - 1 or not beside else []
            yield layout.line(Text(" " * _ENGINE_GAP).join([Text(name.ljust(margin)), *parts]))
    if legend := check_view.legend(check):
        yield Text(legend, "dim")


@dataclass(frozen=True, slots=True)
class _Group:
    """The runtimes of one engine, which share a group of columns. The last column has room for the engine's name."""

    engine: str
    runtimes: tuple[RuntimeId, ...]
    widths: tuple[int, ...]

    @classmethod
    def of(
        cls, engine: str, runtimes: tuple[RuntimeId, ...], rows: Sequence[Row], places: Mapping[RuntimeId, int]
    ) -> _Group:
        """Make a group with the widths that the cells of all rows need."""
        widths = [max(len(i.kind), *(len(row.cells[places[i]].text) for row in rows), 0) for i in runtimes]
        widths[-1] += max(0, len(engine) - sum(widths) - _GAP * (len(widths) - 1))
        return cls(engine, runtimes, tuple(widths))

    @property
    def width(self) -> int:
        """Return the width of all columns."""
        return sum(self.widths) + _GAP * (len(self.widths) - 1)

    def line(self, cells: Sequence[Cell | str]) -> Text:
        """Format one line of the table."""
        pairs = zip(cells, self.widths, strict=True)
        return Text(" " * _GAP).join(Text(c.ljust(w)) if isinstance(c, str) else _text(c, w) for c, w in pairs)


def _head(title: str, parts: Sequence[str], margin: int) -> Text:
    return layout.line((" " * _ENGINE_GAP).join([title.ljust(margin), *parts]), style="bold")


def _text(cell: Cell, width: int) -> Text:
    style = "bold red" if cell.failed else {"pass": "green", wording.ABSENT: "dim"}.get(cell.text, "yellow")
    return Text.assemble((cell.text, style), " " * (width - len(cell.text)))


def _whole(check: CheckReport, width: int) -> Iterator[RenderableType]:
    if check.findings:
        yield Text()
        yield Text("The check as a whole", "bold")
    for found in check_view.findings(check):
        yield from finding_lines(found, width)


def _failures(check: CheckReport, width: int) -> Iterator[RenderableType]:
    if not check.failures:
        return
    yield Text()
    yield Text("Variants without a result", "bold")
    for failure in check.failures:
        first, *rest = map(wording.printable, failure.message.splitlines() or [""])
        yield layout.paragraph(Text.assemble((failure.name, "red"), "  ", first), width, indent=2)
        for text in rest:
            yield layout.paragraph(text.strip(), width, indent=4)
        for text in map(wording.printable, failure.advice.splitlines()):
            yield layout.paragraph(text, width, indent=4, style="dim")


def _remarks(check: CheckReport, width: int, verbosity: int) -> Iterator[RenderableType]:
    """Yield findings of variants that pass, unless the report is verbose and prints them with each variant."""
    told = check_view.remarks(check) if verbosity == 0 else ()
    if told:
        yield Text()
        yield Text("Findings of variants that pass", "bold")
    for remark in told[:_MOST_REMARKS]:
        found = remark.finding
        about = wording.names([wording.printable(name) for name in remark.variants])
        summary = f"  {about}: {wording.printable(found.summary)}"
        yield layout.paragraph(Text.assemble((found.code, _SEVERITY[found.severity]), summary), width, indent=2)
    if len(told) > _MOST_REMARKS:
        yield Text(f"  and {len(told) - _MOST_REMARKS} more; -v shows all", "dim")
