"""Writes a history as one page: for each variant the curves of its numbers over the runs, and the tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...types import PastRun
from ...version import __version__
from .. import history_view
from ..history_view import Changes, PastCell, PastSection, PastTable
from ..wording import short
from . import page
from .charts import Tick
from .curves import Scale

#: For each unit of a table: the unit of its charts, and how many of it are one.
_UNITS = {"bytes": ("kB", 1e3), "seconds": ("ms", 1e-3), "error": ("error", 1.0)}
#: If a number is so many times another one, the axis is logarithmic; otherwise it begins at 0.
_FAR_APART = 50.0


@dataclass(frozen=True, slots=True)
class HistoryChart:
    """The curve of one column of a table: points are (x, y, text, failed), `steps` are (x, text) of what changed."""

    title: str
    unit: str
    line: str
    points: tuple[tuple[float, float, str, bool], ...]
    steps: tuple[tuple[float, str], ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    label: str


def render_history_html(runs: Sequence[PastRun], changes: Changes) -> str:
    """Render a history as a page; every text is escaped, whatever file it came from."""
    shown = list(history_view.sections(runs, changes))
    return page(
        "history.html.j2",
        (),
        title="pycheck history",
        headline=history_view.headline(runs),
        sections=[(section, tuple(charts(section))) for section in shown],
        version=__version__,
    )


def charts(section: PastSection) -> Iterator[HistoryChart]:
    """Draw each column that has two numbers or more; with fewer there is no curve."""
    for table in section.tables:
        for place, column in enumerate(table.columns):
            cells = [row[place] for row in table.rows]
            if sum(cell.value is not None for cell in cells) > 1:
                yield _chart(section, table, column, cells)


def _chart(section: PastSection, table: PastTable, column: str, cells: Sequence[PastCell]) -> HistoryChart:
    values = [float("nan") if cell.value is None else cell.value for cell in cells]
    known = [cell.value for cell in cells if cell.value is not None]
    is_far = max(known) > _FAR_APART * min(known) > 0.0
    scale = Scale([*known, *(() if is_far else (0.0,))], max(len(values) - 1, 1))
    last = len(values) - 1
    unit, one = _UNITS[table.unit]
    texts = [cell.text for cell in cells if cell.value is not None]
    return HistoryChart(
        title=f"{table.title}, {column}",
        unit=unit,
        line=scale.path(values),
        points=tuple(
            (scale.x(k), scale.y(values[k]), f"{section.runs[k]}: {cell.text}", cell.failed)
            for k, cell in enumerate(cells)
            if cell.value is not None
        ),
        steps=tuple((scale.x(k), "; ".join(texts)) for k, texts in enumerate(section.changes) if texts),
        x_ticks=tuple(Tick(scale.x(k), str(k + 1)) for k in dict.fromkeys((0, last))),
        y_ticks=tuple(Tick(scale.y(mark), short(mark / one)) for mark in scale.marks),
        label=f"{table.title} of {section.name}, {column}, in {len(known)} runs, from {texts[0]} to {texts[-1]}",
    )
