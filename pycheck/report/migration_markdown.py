"""Writes a migration as GitHub-flavoured Markdown, for a pull request's comment or a wiki."""

from __future__ import annotations

from collections.abc import Iterator

from ..types import Migration
from . import migration_view, view
from .markdown import block, code, finding_lines, table, text


def render_migration_markdown(migration: Migration) -> str:
    """Render a migration as Markdown."""
    return "\n".join(_lines(migration)) + "\n"


def _lines(migration: Migration) -> Iterator[str]:
    yield f"## pycheck: {migration_view.LABELS[migration.decision]}"
    yield f"\n{text(migration_view.headline(migration))}\n"
    for label, line in view.context(migration.report):
        yield f"- {label}: {text(line)}" if label else f"  - {text(line)}"
    yield "\n### Side by side\n"
    found = migration_view.pairs(migration)
    header = ["runtime", "answers", "largest error", "top-1", "size", "load", "first", "steady"]
    sides = [side for pair in found for side in pair.sides]
    yield table(header, [[code(s.runtime), s.answers, s.error, s.top1, s.size, *s.times] for s in sides], 2)
    yield ""
    for pair in found:
        yield f"- {code(pair.sides[0].runtime)} to {code(pair.sides[1].runtime)} {text(pair.sentence)}"
    yield f"\n{text(migration_view.LEGEND)}"
    yield from _weights(migration)
    if obstacles := migration_view.obstacles(migration):
        yield "\n### Not supported\n"
    for title, obstacle in obstacles:
        yield f"- {text(title)}: {text(' '.join(obstacle.message.split()))} {text(' '.join(obstacle.advice.split()))}"
    if findings := list(finding_lines([f for _, group in view.by_severity(migration.report.findings) for f in group])):
        yield "\n### Findings\n"
        yield from findings
    if migration.command:
        yield "\n### Reproduce\n"
        yield block([migration.command], "sh")


def _weights(migration: Migration) -> Iterator[str]:
    rows = migration_view.weights(migration)
    if len(rows) < 2:
        return
    yield "\n### Weights for LiteRT.js\n"
    runtimes = [code(str(runtime)) for runtime in migration_view.weight_runtimes(migration)]
    cells = [[row.weights, *(c.answers for c in row.cells), row.size, row.share] for row in rows]
    yield table(["weights", *runtimes, "size", "of float32"], cells, 1 + len(runtimes))
    yield ""
    yield from (f"- {text(remark)}" for remark in migration_view.weights_remarks(migration))
