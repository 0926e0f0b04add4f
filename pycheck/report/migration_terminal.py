"""Writes a migration for a terminal: verdict, pairs of runtimes, weights, obstacles, findings, environment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from ..types import Decision, Migration
from . import layout, migration_view, view, wording
from .layout import capture, text_console
from .migration_view import PairRows, Side, WeightCell
from .terminal import environment_parts, finding_parts, step_parts

_STYLES = {Decision.MOVE: "bold green", Decision.PARTLY: "bold yellow", Decision.STAY: "bold red"}
_SENTENCES = {Decision.MOVE: "green", Decision.STAY: "red", Decision.UNKNOWN: "yellow"}
_WIDE = 100


def print_migration(migration: Migration, console: Console, *, verbosity: int = 0) -> None:
    """Print to a console; `verbosity` -1 prints only the verdict, 1 prints everything."""
    console.file.write(capture(_parts(migration, console.width, verbosity), console))


def render_migration_terminal(migration: Migration, *, width: int = 80) -> str:
    """Return the migration as plain text of that width."""
    return capture(_parts(migration, width, 0), text_console(width))


def _parts(migration: Migration, width: int, verbosity: int) -> Iterator[RenderableType]:
    label = (migration_view.LABELS[migration.decision], _STYLES.get(migration.decision, "bold yellow"))
    yield Text.assemble(label, "  ", wording.printable(migration_view.headline(migration)))
    if verbosity < 0:
        return
    report, gap = migration.report, Text()
    yield from (gap, layout.pairs(view.context(report), width))
    for section in (
        _pairs(migration_view.pairs(migration), width),
        _weights(migration, width),
        _obstacles(migration, width),
        finding_parts(report, width, verbosity),
        environment_parts(report, width, verbosity),
        step_parts(migration_view.next_steps(migration)),
    ):
        if section:
            yield from (gap, *section)


def _pairs(pairs: Sequence[PairRows], width: int) -> list[RenderableType]:
    """Return a table of both runtimes of each pair, with a sentence below each."""
    wide = width >= _WIDE
    heads = ["runtime", "answers", *(["max error"] if wide else []), "top-1", "size", "load", "first", "steady"]
    rows = [[_cells(side, wide) for side in pair.sides] for pair in pairs]
    grid = _Grid(heads, [row for both in rows for row in both], left=2)
    parts: list[RenderableType] = [grid.head()]
    for pair, both in zip(pairs, rows, strict=True):
        for side, row in zip(pair.sides, both, strict=True):
            parts.append(grid.line(row, {1: "bold red" if side.failed else "green"}))
        parts.append(layout.paragraph(pair.sentence, width, indent=2, style=_SENTENCES[pair.decision]))
    parts.append(layout.paragraph(migration_view.LEGEND, width, style="dim"))
    return parts


def _cells(side: Side, wide: bool) -> list[str]:
    return [side.runtime, side.answers, *([side.error] if wide else []), side.top1, side.size, *side.times]


def _weights(migration: Migration, width: int) -> list[RenderableType]:
    rows = migration_view.weights(migration)
    if len(rows) < 2:
        return []
    ids = migration_view.weight_runtimes(migration)
    cells = [[row.weights, row.size, row.share, *(_answers(cell) for cell in row.cells)] for row in rows]
    grid = _Grid(["weights", "size", "share", *map(str, ids)], cells, left=1, texts=range(3, 3 + len(ids)))
    parts: list[RenderableType] = [Text("Weights for LiteRT.js", "bold"), grid.head(style="dim")]
    for row, texts in zip(rows, cells, strict=True):
        styles = {3 + n: "red" if cell.failed else "green" for n, cell in enumerate(row.cells)}
        parts.append(grid.line(texts, styles | ({0: "bold"} if row.smallest else {})))
    parts += [layout.paragraph(text, width, style="dim") for text in migration_view.weights_remarks(migration)]
    smallest = next((row.weights for row in rows if row.smallest), None)
    if smallest:
        parts.append(Text(f"Smallest file that passes: {smallest}"))
    return parts


def _answers(cell: WeightCell) -> str:
    return cell.answers if cell.steady == wording.ABSENT else f"{cell.answers}, {cell.steady}"


def _obstacles(migration: Migration, width: int) -> list[RenderableType]:
    found = migration_view.obstacles(migration)
    parts: list[RenderableType] = [Text("Not supported", "bold")] if found else []
    for title, obstacle in found:
        parts.append(layout.paragraph(Text(title, "red"), width, indent=2))
        lines = map(wording.printable, obstacle.message.splitlines())
        parts += [layout.paragraph(line.strip(), width, indent=4) for line in lines]
        advice = map(wording.printable, obstacle.advice.splitlines())
        parts += [layout.paragraph(line, width, indent=4, style="dim") for line in advice]
    return parts


class _Grid:
    """Lines of a table in which sentences may stand between rows; numbers are at the right of their columns."""

    def __init__(self, heads: list[str], rows: list[list[str]], *, left: int, texts: Sequence[int] = ()) -> None:
        self._heads = heads
        self._widths = [max(len(row[n]) for row in [heads, *rows]) for n in range(len(heads))]
        self._texts = {*range(left), *texts}

    def head(self, style: str = "bold") -> Text:
        """Return the line of the titles."""
        return self.line(self._heads, dict.fromkeys(range(len(self._heads)), style))

    def line(self, cells: Sequence[str], styles: dict[int, str]) -> Text:
        """Return one row; `styles` by the number of a column."""
        texts = []
        for n, (cell, width) in enumerate(zip(cells, self._widths, strict=True)):
            padded = cell.ljust(width) if n in self._texts else cell.rjust(width)
            texts.append(Text(padded, styles.get(n, "")))
        joined = Text("  ").join(texts)
        joined.rstrip()
        return layout.line(joined)
