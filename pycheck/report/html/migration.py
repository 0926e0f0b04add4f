"""Writes a migration as one page: the verdict, each pair side by side, weights, obstacles, then the run in detail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...types import Decision, Migration
from .. import migration_view
from ..migration_view import PairRows, Side
from . import content, page

#: The icon and the class of each decision.
STATES = {Decision.MOVE: "pass", Decision.PARTLY: "warn", Decision.STAY: "fail", Decision.UNKNOWN: "norun"}
_BAR = 64.0
#: The measures of a side with a bar: its title, its text, and the number that the bar draws.
_MEASURES = ("size", "load", "first", "steady")


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a runtime with the width of its bar, relative to the larger number of the pair; 0 without one."""

    text: str
    width: float


def render_migration_html(migration: Migration) -> str:
    """Render a migration as a page; every text is escaped, whatever file it came from."""
    report = migration.report
    section = content.section(report.model.path, report, "r1")
    return page(
        "migration.html.j2",
        report.findings,
        title=report.model.path,
        migration=migration,
        migration_view=migration_view,
        headline=migration_view.headline(migration),
        label=migration_view.LABELS[migration.decision],
        state=STATES[migration.decision],
        states=STATES,
        pairs=[(rows, bars(rows)) for rows in migration_view.pairs(migration)],
        measures=_MEASURES,
        section=section,
        version=migration.pycheck_version,
    )


def bars(rows: PairRows) -> tuple[tuple[Measure, ...], ...]:
    """Return the measures of both sides, in the order of their columns."""
    numbers = [(side.size_bytes, *side.seconds) for side in rows.sides]
    largest = [max((number or 0.0 for number in column), default=0.0) for column in zip(*numbers, strict=True)]
    return tuple(_side(side, own, largest) for side, own in zip(rows.sides, numbers, strict=True))


def _side(side: Side, numbers: Sequence[float | None], largest: Sequence[float]) -> tuple[Measure, ...]:
    texts = (side.size, *side.times)
    return tuple(
        Measure(text, round(max(_BAR * number / most, 1.0), 1) if number and most else 0.0)
        for text, number, most in zip(texts, numbers, largest, strict=True)
    )
