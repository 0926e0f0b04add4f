"""Arranges a history for people: for each variant a table of its errors, its sizes and times, and what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..types import PastOutput, PastRun, PastRuntime, PastVariant
from .wording import ABSENT, duration, short, size

Moment = tuple[PastRun, PastVariant]
#: What changed between two moments of a variant.
Changes = Callable[[Moment, Moment], Sequence[str]]


@dataclass(frozen=True, slots=True)
class PastCell:
    """One number of one run, as text and as a number (None without one), and whether its output failed."""

    text: str
    value: float | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class PastTable:
    """One measure of a variant: a row for each run, a column for each runtime or file. `unit` is that of the values."""

    title: str
    unit: str
    columns: tuple[str, ...]
    rows: tuple[tuple[PastCell, ...], ...]


@dataclass(frozen=True, slots=True)
class PastSection:
    """One variant: the titles of its runs, its tables, and for each run what changed since the run before."""

    name: str
    runs: tuple[str, ...]
    verdicts: tuple[str, ...]
    tables: tuple[PastTable, ...]
    changes: tuple[tuple[str, ...], ...]


def headline(runs: Sequence[PastRun]) -> str:
    """Say how many runs there are, and of which days."""
    if not runs:
        return "The history has no run."
    first, last = runs[0].title, runs[-1].title
    return f"{len(runs)} run{'' if len(runs) == 1 else 's'}, {f'from {first} to {last}' if len(runs) > 1 else first}"


def sections(runs: Sequence[PastRun], changes: Changes) -> Iterator[PastSection]:
    """Yield each variant of the runs; those of the last run come first, in its order."""
    names = dict.fromkeys(variant.name for run in reversed(runs) for variant in run.variants)
    for name in names:
        moments = [(run, variant) for run in runs for variant in run.variants if variant.name == name]
        steps = [(*_verdicts(then[1], now[1]), *changes(then, now)) for then, now in pairwise(moments)]
        yield PastSection(
            name=name,
            runs=tuple(run.title for run, _ in moments),
            verdicts=tuple(_word(variant.verdict) for _, variant in moments),
            tables=tuple(_tables([variant for _, variant in moments])),
            changes=((), *steps),
        )


def _verdicts(then: PastVariant, now: PastVariant) -> Iterator[str]:
    if then.verdict != now.verdict:
        yield f"{_word(then.verdict)} -> {_word(now.verdict)}"


def _word(verdict: str) -> str:
    return verdict.replace("_", " ").upper()


def _tables(variants: Sequence[PastVariant]) -> Iterator[PastTable]:
    runtimes = tuple(dict.fromkeys(runtime.id for variant in variants for runtime in variant.runtimes))
    for output in dict.fromkeys(o.name for v in variants for runtime in v.runtimes for o in runtime.outputs):
        rows = tuple(tuple(_error(_runtime(v, id), output) for id in runtimes) for v in variants)
        yield PastTable(f"largest error of {output}", "error", runtimes, rows)
    if any(variant.artifact_bytes or variant.tflite_bytes for variant in variants):
        rows = tuple((_size(v.artifact_bytes), _size(v.tflite_bytes)) for v in variants)
        yield _without_empty(PastTable("size", "bytes", ("TF.js", "LiteRT.js"), rows))
    if any(runtime.per_sample_s for variant in variants for runtime in variant.runtimes):
        rows = tuple(tuple(_time(_runtime(v, id)) for id in runtimes) for v in variants)
        yield PastTable("time for one sample", "seconds", runtimes, rows)


def _without_empty(table: PastTable) -> PastTable:
    kept = [place for place in range(len(table.columns)) if any(row[place].value is not None for row in table.rows)]
    rows = tuple(tuple(row[place] for place in kept) for row in table.rows)
    return PastTable(table.title, table.unit, tuple(table.columns[place] for place in kept), rows)


def _runtime(variant: PastVariant, id: str) -> PastRuntime | None:
    return next((runtime for runtime in variant.runtimes if runtime.id == id), None)


def _error(runtime: PastRuntime | None, name: str) -> PastCell:
    output: PastOutput | None = next((o for o in runtime.outputs if o.name == name), None) if runtime else None
    if runtime is None or output is None:
        return PastCell(ABSENT if runtime is None or runtime.status == "ok" else runtime.status.replace("_", " "))
    text = ABSENT if output.max_abs_error is None else short(output.max_abs_error)
    word = " NaN" if output.nonfinite else " DRIFT" if output.failed else ""
    return PastCell(text + word, output.max_abs_error, output.failed)


def _size(size_bytes: int | None) -> PastCell:
    return PastCell(size(size_bytes), float(size_bytes)) if size_bytes else PastCell(ABSENT)


def _time(runtime: PastRuntime | None) -> PastCell:
    seconds = runtime.per_sample_s if runtime else None
    return PastCell(duration(seconds), seconds) if seconds else PastCell(ABSENT)
