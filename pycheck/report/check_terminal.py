"""A check at the terminal: the matrix first, then what compare says of each variant that fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..types import CheckReport, RuntimeId, Severity
from . import check_view, wording
from .check_view import Cell, Row
from .terminal import capture, report_parts

_SEVERITY = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_MOST_REMARKS = 8
_NAME_WIDTH = 28
_GAP = 1


def print_check(check: CheckReport, console: Console, *, verbosity: int = 0) -> None:
    """Print to a console; `verbosity` -1 is the verdict alone, 1 tells all of every variant."""
    console.file.write(capture(_parts(check, console.width, verbosity), console))


def _parts(check: CheckReport, width: int, verbosity: int) -> Iterator[RenderableType]:
    style = "bold green" if check.passed else "bold red"
    head = wording.printable(check_view.headline(check))
    yield Text.assemble((check_view.label(check), style), "  ", head, f", in {check.wall_s:.0f} s")
    if verbosity < 0:
        return
    yield Text()
    yield from _matrix(check, width)
    for report in check.reports if verbosity > 0 else check_view.failing(check):
        yield Text()
        yield Text(f"--- {report.name} ".ljust(width, "-"), "bold", overflow="crop", no_wrap=True)
        yield from report_parts(report, width, verbosity)
    yield from _failures(check)
    yield from _remarks(check, verbosity)


def _matrix(check: CheckReport, width: int) -> Iterator[RenderableType]:
    rows, columns = check_view.rows(check), check_view.columns(check)
    places = {runtime: place for place, runtime in enumerate(columns)}
    engines = [list(group) for _, group in groupby(columns, lambda runtime: runtime.engine)]
    together: list[list[RuntimeId]] = []
    for group in engines:  # side by side as far as the width goes
        if together and _width(rows, [*together[-1], *group], places) <= width:
            together[-1] += group
        else:
            together.append(list(group))
    for index, group in enumerate(together or [[]]):
        if index:
            yield Text()
        yield _table(rows, group, places, last=index == len(together) - 1)
    if any(cell.text in ("WORSE", "CHANGED", "BUDGET", "known") for row in rows for cell in (*row.cells, row.whole)):
        yield Text(check_view.LEGEND, "dim")


def _width(rows: Sequence[Row], runtimes: Sequence[RuntimeId], places: dict[RuntimeId, int]) -> int:
    taken = max((len(row.name) for row in rows), default=0)
    for runtime in runtimes:
        texts = [*(row.cells[places[runtime]].text for row in rows), *str(runtime).split(":")]
        taken += _GAP + max(map(len, texts))
    return taken + _GAP + max((len(row.whole.text) for row in rows), default=0)


def _table(rows: Sequence[Row], runtimes: Sequence[RuntimeId], places: dict[RuntimeId, int], *, last: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    table.add_column("\nmodel", no_wrap=True)
    engine = ""
    for runtime in runtimes:
        title = runtime.engine if runtime.engine != engine else ""
        engine = runtime.engine
        table.add_column(f"{title}\n{runtime.kind}", no_wrap=True)
    whole = last and any(row.whole.text for row in rows)
    if whole:
        table.add_column("\nmodel", no_wrap=True)
    for row in rows:
        cells = [_cell(row.cells[places[runtime]]) for runtime in runtimes]
        cells += [_cell(row.whole)] if whole else []
        table.add_row(Text(wording.elide(wording.printable(row.name), _NAME_WIDTH)), *cells)
    return table


def _cell(cell: Cell) -> Text:
    style = "bold red" if cell.failed else {"pass": "green", wording.ABSENT: "dim"}.get(cell.text, "yellow")
    return Text(cell.text, style)


def _failures(check: CheckReport) -> Iterator[RenderableType]:
    if not check.failures:
        return
    yield Text()
    yield Text("Could not be judged", "bold")
    for failure in check.failures:
        yield Padding(Text.assemble((failure.name, "red"), "  ", wording.printable(failure.message)), (0, 0, 0, 2))
        if failure.advice:
            yield Padding(Text("\n".join(map(wording.printable, failure.advice.splitlines())), "dim"), (0, 0, 0, 4))


def _remarks(check: CheckReport, verbosity: int) -> Iterator[RenderableType]:
    """In a verbose report each variant has told its own."""
    told = check_view.remarks(check) if verbosity == 0 else ()
    if told:
        yield Text()
        yield Text("Of variants that pass", "bold")
    for remark in told[:_MOST_REMARKS]:
        found = remark.finding
        about = wording.names([wording.printable(name) for name in remark.variants])
        line = Text.assemble((found.code, _SEVERITY[found.severity]), f"  {about}: {wording.printable(found.summary)}")
        yield Padding(line, (0, 0, 0, 2))
    if len(told) > _MOST_REMARKS:
        yield Text(f"  and {len(told) - _MOST_REMARKS} more; -v shows all", "dim")
