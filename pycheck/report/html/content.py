"""The content of the page, in its order: the matrix, then for each report its pairs of an output and a runtime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from ...types import Comparison, Report, RuntimeId, RuntimeStatus
from .. import training, view
from ..wording import LIMITS, percent, printable

#: Results from bad to good; a cell for several outputs shows the first of these that an output has.
_STATES = ("norun", "shape", "nan", "drift", "warn", "pass")
_STATE_OF_RESULT = {
    "NO RUN": "norun",
    "excused": "warn",
    "SHAPE": "shape",
    "NaN": "nan",
    "NaN+DRIFT": "nan",
    "DRIFT": "drift",
}
#: The icons of a training's rows.
STATE_OF_TRAINING = {"pass": "pass", "DRIFT": "drift", "NaN": "nan", "NO RUN": "norun"}


@dataclass(frozen=True, slots=True)
class Pair:
    """One output on one runtime; `floor` is the noise floor of that output."""

    anchor: str
    row: view.Row
    comparison: Comparison
    floor: Comparison | None
    state: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A result in a matrix: the name of an icon, a word, a detail, and the anchor of its section."""

    state: str
    text: str
    detail: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows (models, or outputs of one model) by runtimes; `engines` are names with their number of columns.

    `wholes` are the errors of rows that concern no single runtime; it is empty if no row has one.
    """

    rows_are: str
    engines: tuple[tuple[str, int], ...]
    kinds: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[Cell | None, ...]], ...]  # name, anchor, cells
    wholes: tuple[Cell | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """One report on the page; `anchor` begins every id in it."""

    anchor: str
    name: str
    report: Report
    state: str
    label: str
    headline: str
    pairs: tuple[Pair, ...]
    groups: tuple[tuple[str, tuple[tuple[view.Row, Pair | None], ...]], ...]


def section(name: str, report: Report, anchor: str) -> Section:
    """Make a section from a report, with an id for everything that has a link."""
    floors = {c.tensor: c for c in report.comparisons if c.is_noise_floor}
    pairs: list[Pair] = []
    rows: list[tuple[view.Row, Pair | None]] = []
    for row in view.rows(report):
        c, pair = row.comparison, None
        if c and not c.is_noise_floor:
            pair = Pair(f"{anchor}-pair-{len(pairs) + 1}", row, c, floors.get(c.tensor), _state(row))
            pairs.append(pair)
        rows.append((row, pair))
    groups = [(runtime, tuple(group)) for runtime, group in groupby(rows, lambda item: item[0].runtime)]
    state = "pass" if report.passed else {"error": "norun", "nan_divergence": "nan"}.get(report.verdict, "drift")
    label, headline = view.LABELS[report.verdict], printable(view.headline(report))
    return Section(anchor, printable(name), report, state, label, headline, tuple(pairs), tuple(groups))


def _state(row: view.Row) -> str:
    return _STATE_OF_RESULT.get(row.result, row.result or "none")


def outputs_matrix(shown: Section) -> Matrix:
    """Make the matrix of outputs by runtimes, for one report."""
    ids = _runtimes([shown.report])
    tensors = list(dict.fromkeys(pair.comparison.tensor for pair in shown.pairs))
    rows = []
    for tensor in tensors:
        cells = [_output_cell(shown, runtime, tensor) for runtime in ids]
        rows.append((printable(tensor), f"{shown.anchor}-outputs", tuple(cells)))
    if shown.report.training:
        cells = [_training_cell(shown, runtime) for runtime in ids]
        rows.append(("training", f"{shown.anchor}-training", tuple(cells)))
    if not rows:
        cells = [_missing(shown, runtime) for runtime in ids]
        rows.append(("all outputs", f"{shown.anchor}-ran", tuple(cells)))
    return _matrix("output", ids, rows)


def models_matrix(sections: Sequence[Section], words: Mapping[tuple[str, str], tuple[str, bool]]) -> Matrix:
    """Make the matrix of models by runtimes, with the worst output of each; `words` replace the results in cells."""
    ids = _runtimes([s.report for s in sections])
    rows = []
    for s in sections:
        cells: list[Cell | None] = []
        for runtime in ids:
            found = [
                _output_cell(s, runtime, p.comparison.tensor) for p in s.pairs if p.comparison.candidate == runtime
            ]
            known = [cell for cell in (*found, _training_cell(s, runtime), _missing(s, runtime)) if cell]
            cell = min(known, key=lambda cell: _STATES.index(cell.state), default=None)
            cells.append(_renamed(cell, *words.get((s.name, str(runtime)), ("", False))))
        rows.append((s.name, s.anchor, tuple(cells)))
    wholes = tuple(_whole(s, *words.get((s.name, ""), ("", False))) for s in sections)
    return replace(_matrix("model", ids, rows), wholes=wholes if any(wholes) else ())


def _whole(shown: Section, word: str, failed: bool) -> Cell | None:
    return Cell("fail" if failed else "warn", word, "", shown.anchor) if word else None


def _renamed(cell: Cell | None, word: str, failed: bool) -> Cell | None:
    if cell is None or not word or word == cell.text:
        return cell
    return replace(cell, text=word, state="fail" if failed else "warn")


def _matrix(
    rows_are: str, ids: Sequence[RuntimeId], rows: Sequence[tuple[str, str, tuple[Cell | None, ...]]]
) -> Matrix:
    engines = tuple((engine, len(list(group))) for engine, group in groupby(ids, lambda runtime: runtime.engine))
    return Matrix(rows_are, engines, tuple(runtime.kind for runtime in ids), tuple(rows))


def _runtimes(reports: Sequence[Report]) -> list[RuntimeId]:
    """Return all candidates, grouped by engine, in the order of the reports."""
    ids: list[RuntimeId] = []
    for report in reports:
        references = report.model.references
        ids += [r.id for r in report.runtimes if r.id not in references and r.id.engine not in ("native", "artifact")]
        ids += [c.candidate for c in report.comparisons if not c.is_noise_floor]
    engines = list(dict.fromkeys(runtime.engine for runtime in ids))
    return sorted(dict.fromkeys(ids), key=lambda runtime: engines.index(runtime.engine))


def _output_cell(shown: Section, runtime: RuntimeId, tensor: str) -> Cell | None:
    for pair in shown.pairs:
        if pair.comparison.candidate == runtime and pair.comparison.tensor == tensor:
            return Cell(pair.state, pair.row.result, _detail(pair), pair.anchor)
    return _missing(shown, runtime)


def _training_cell(shown: Section, runtime: RuntimeId) -> Cell | None:
    for row in training.rows(shown.report) if shown.report.training else ():
        if row.runtime == str(runtime) and row.result:
            state = STATE_OF_TRAINING[row.result]
            return Cell(state, row.result, f"last loss {row.last_loss}", f"{shown.anchor}-training")
    return _missing(shown, runtime)


def _missing(shown: Section, runtime: RuntimeId) -> Cell | None:
    for record in shown.report.runtimes:
        if record.id == runtime and record.status is not RuntimeStatus.OK:
            state, word = ("warn", "excused") if record.excused else ("norun", "NO RUN")
            return Cell(state, word, view.STATUS_WORDS[record.status], f"{shown.anchor}-ran")
    return None


def _detail(pair: Pair) -> str:
    c, row = pair.comparison, pair.row
    if c.nonfinite.changed:
        return f"{row.nonfinite} of {c.element_count:,}"
    use = c.limit_use
    return f"{percent(use.share)} of the {LIMITS[use.of]} limit" if use else ""


def opened(pairs: Sequence[Pair]) -> Iterator[str]:
    """Choose the pairs that are unfolded at first: the failed ones, or the pair nearest to its limit if all pass."""
    failed = [pair.anchor for pair in pairs if pair.row.failed]
    if failed or not pairs:
        yield from failed
    else:
        yield max(pairs, key=lambda pair: pair.comparison.share_used or 0.0).anchor
