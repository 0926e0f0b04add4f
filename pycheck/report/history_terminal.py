"""Writes a history for a terminal: each variant with a line for each run, then what changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from ..types import PastRun
from . import history_view, layout, wording
from .history_view import Changes, PastCell, PastSection, PastTable

_GAP = "  "


def print_history(runs: Sequence[PastRun], changes: Changes, console: Console) -> None:
    """Print to a console."""
    console.file.write(layout.capture(_parts(runs, changes, console.width), console))


def render_history(runs: Sequence[PastRun], changes: Changes, *, width: int = 80) -> str:
    """Return the history as plain text of that width."""
    return layout.capture(_parts(runs, changes, width), layout.text_console(width))


def _parts(runs: Sequence[PastRun], changes: Changes, width: int) -> Iterator[RenderableType]:
    yield Text(history_view.headline(runs), "bold")
    for section in history_view.sections(runs, changes):
        yield Text()
        yield layout.line(Text(wording.printable(section.name), "bold"))
        for table in section.tables:
            yield from _table(section, table, width)
        if not section.tables:
            pairs = zip(section.runs, section.verdicts, strict=True)
            yield layout.pairs([(wording.printable(run), verdict) for run, verdict in pairs], width, indent=2)
        if any(section.changes):
            yield layout.line(Text("what changed", "dim"), indent=2)
            told = [
                (wording.printable(run), wording.printable("; ".join(changed)))
                for run, changed in zip(section.runs, section.changes, strict=True)
                if changed
            ]
            yield layout.pairs(told, width, indent=4)


def _table(section: PastSection, table: PastTable, width: int) -> Iterator[RenderableType]:
    yield layout.line(Text(wording.printable(table.title), "dim"), indent=2)
    runs = [wording.printable(run) for run in section.runs]
    margin = max(map(len, runs)) + 4
    columns = [wording.printable(column) for column in table.columns]
    widths = [max(len(name), *(len(row[k].text) for row in table.rows)) for k, name in enumerate(columns)]
    for some in _beside(widths, width - margin):
        head = _GAP.join(columns[k].rjust(widths[k]) for k in some)
        yield layout.line(Text(" " * margin + _GAP + head, "dim"))
        for run, row in zip(runs, table.rows, strict=True):
            cells = Text(_GAP).join(_cell(row[k], widths[k]) for k in some)
            yield layout.line(Text((" " * 4 + run).ljust(margin) + _GAP) + cells)


def _cell(cell: PastCell, width: int) -> Text:
    return Text(cell.text.rjust(width), "red" if cell.failed else "")


def _beside(widths: Sequence[int], room: int) -> Iterator[list[int]]:
    """Split the columns into as few groups as fit beside one another."""
    group: list[int] = []
    for place in range(len(widths)):
        if group and sum(widths[k] + len(_GAP) for k in [*group, place]) > room:
            yield group
            group = []
        group.append(place)
    if group:
        yield group
