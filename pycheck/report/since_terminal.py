"""Writes an answer of `pycheck watch` for a terminal: its cause, the verdict, and what changed since the last one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rich.console import Console, RenderableType
from rich.text import Text

from ..errors import PycheckError
from ..types import CheckReport, Report
from . import check_terminal, layout, terminal
from .since import Since, since, since_of_power

_MOST_RESULTS = 6
_MOST_FINDINGS = 4


def print_answer(
    title: str, outcome: Report | CheckReport | PycheckError, before: Report | CheckReport | None, console: Console, *,
    verbosity: int = 0,
) -> None:  # fmt: skip
    """Print to a console; `title` says why and when. `verbosity` -1 prints one line, 1 the whole report.

    The whole report is also printed if it is the first one, or if its verdict is a different failure than before.
    """
    console.file.write(layout.capture(_parts(title, outcome, before, console.width, verbosity), console))


def print_power(before: Report | CheckReport | None, after: Report | CheckReport, console: Console) -> None:
    """Print what the power adds to a report of which all else has been printed; nothing if it adds nothing."""
    if found := since_of_power(before, after):
        console.file.write(layout.capture(since_parts(found, console.width), console))


def since_parts(found: Since, width: int, verbosity: int = 0) -> list[RenderableType]:
    """Return the changes; a new finding has its advice."""
    if not found:
        return [Text("  no result and no finding changed", "dim")]
    shown = found.results if verbosity > 0 else found.results[:_MOST_RESULTS]
    margin = max((len(change.place) for change in shown), default=0) + 2
    parts: list[RenderableType] = []
    for change in shown:
        style = "red" if change.is_worse else "green" if change.is_better else ""
        parts.append(layout.line(Text.assemble(change.place.ljust(margin), (str(change), style)), indent=2))
    if len(shown) < len(found.results):
        parts.append(Text(f"  and {len(found.results) - len(shown)} more results; -v shows all", "dim"))
    new = found.new if verbosity > 0 else found.new[:_MOST_FINDINGS]
    parts += [line for finding in new for line in terminal.finding_lines(finding, width)]
    if len(new) < len(found.new):
        parts.append(Text(f"  and {len(found.new) - len(new)} more findings; -v shows all", "dim"))
    parts += [layout.line(Text.assemble((name, "green"), "  is gone"), indent=2) for name in found.gone]
    return parts


def _parts(
    title: str, outcome: Report | CheckReport | PycheckError, before: Report | CheckReport | None, width: int,
    verbosity: int,
) -> Iterator[RenderableType]:  # fmt: skip
    if verbosity >= 0:
        yield Text(f"--- {title} ".ljust(width, "-"), "bold", overflow="crop", no_wrap=True)
    if isinstance(outcome, PycheckError):
        yield layout.paragraph(Text.assemble(("ERROR", "bold red"), f"  {outcome.message}"), width)
        yield from (layout.line(line, indent=2) for line in outcome.advice.splitlines())
        return
    is_other = before is None or (not outcome.passed and outcome.verdict is not before.verdict)
    shown = max(verbosity, 0) if is_other else verbosity if verbosity > 0 else -1
    shown = -1 if verbosity < 0 else shown
    if isinstance(outcome, Report):
        yield from terminal.report_parts(outcome, width, shown)
    else:
        yield from check_terminal.check_parts(outcome, width, shown)
    if before is not None and verbosity >= 0:
        found = since(before, outcome)
        if shown >= 0:
            yield from (Text(), Text("Since the last answer", "bold"))
            found = replace(found, new=())  # which the report has
        yield from since_parts(found, width, verbosity)
