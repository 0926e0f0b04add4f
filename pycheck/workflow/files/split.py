"""Splits the difference of an answer between preprocessing and runtime, from the four runs of model and input."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...inputs import Inputs
from ...types import PARTS, Array, FileShares, InputDifference, OutputShares, Part, PipelineRow, RuntimeId, Tensors
from ..run import Compared
from ..store import OutputStore

#: The most files that a report names.
_MOST_FILES = 20


@dataclass(frozen=True, slots=True)
class FourRuns:
    """The results of Python and of one runtime: on Python's input (`outputs`), and on the page's (`theirs`).

    `decides`: the page has a postprocessing of its own.
    """

    compared: Compared
    runtime: RuntimeId
    names: Sequence[str]
    page: Inputs
    outputs: OutputStore
    theirs: OutputStore
    decides: bool = False


@dataclass(frozen=True, slots=True)
class FileDecision:
    """The decisions of a file as short values, how that of the page differs, and the parts that change it alone.

    `is_roundoff`: it differs because outputs that are equal up to the tolerance lie on both sides of a border.
    """

    python: int | str
    page: int | str
    change: str = ""
    by: tuple[Part, ...] = ()
    is_roundoff: bool = False
    margin: float | None = None
    shown: tuple[str, str] = ("", "")


@dataclass(slots=True)
class _Error:
    largest: float = 0.0
    squares: float = 0.0
    count: int = 0

    def add(self, one: Array, other: Array) -> Array:
        """Add the differences of two batches; return the largest of each sample."""
        if one.shape != other.shape:
            self.largest = self.squares = math.inf
            return np.full(len(other) if other.ndim else 1, math.inf)
        error = np.abs(one.astype(np.float64) - other)
        # A NaN on both sides is no difference; one on a single side is an infinite one.
        error = np.where(np.isnan(one.astype(np.float64)) & np.isnan(other.astype(np.float64)), 0.0, error)
        error = np.nan_to_num(error, nan=math.inf, posinf=math.inf)
        self.largest = max(self.largest, float(error.max(initial=0.0)))
        self.squares += float(np.square(error).sum())
        self.count += error.size
        rows = error.reshape(len(error), -1) if error.ndim else error.reshape(1, 1)
        return np.asarray(rows.max(axis=1, initial=0.0))

    @property
    def rms(self) -> float:
        return math.sqrt(self.squares / self.count) if self.count else 0.0


@dataclass(slots=True)
class _Output:
    """What changes one output, and by file; the parts are preprocessing, runtime and both."""

    errors: tuple[_Error, _Error, _Error] = field(default_factory=lambda: (_Error(), _Error(), _Error()))
    by_file: list[tuple[float, float, float]] = field(default_factory=list)
    decisions: list[FileDecision] = field(default_factory=list)
    scale: float = 0.0


def split(four: FourRuns, decisions: Sequence[FileDecision | None] | None = None) -> PipelineRow:
    """Measure the differences of the inputs, and what they and the runtime change, over all files.

    `decisions` are those of the postprocessing by file, None for a file without one; without, they are the top-1
    classes.
    """
    report = four.compared.report
    own = [c for c in report.comparisons if c.candidate == four.runtime]
    # The decision of an output counts as changed only beyond the limit of the model itself: roundoff decides ties.
    decided = {c.tensor: (c.tolerance.max_abs if c.tolerance else None) or 0.0 for c in own if c.top1_count}
    inputs: dict[str, _Error] = {}
    scales: dict[str, float] = {}
    first_input = next(iter(four.page.columns))
    of_files: list[float] = []
    results: dict[str, _Output] = {}
    for mine, page, runs in _batches(four):
        for name, expected in mine.items():
            _changes = inputs.setdefault(name, _Error())
            if expected.dtype.kind not in "biuf":
                continue
            _changes.add(page[name], expected)
            scales[name] = max(scales.get(name, 0.0), float(np.abs(expected.astype(np.float64)).max(initial=0.0)))
        of_files += _rms_of_samples(page[first_input], mine[first_input])
        for name in runs[0]:
            _add_output(results.setdefault(name, _Output()), [run[name] for run in runs], decided.get(name))
    if decisions is None:
        classes = next((result.decisions for result in results.values() if result.decisions), [])
        decisions = classes if len(classes) == len(four.names) else [None] * len(four.names)
    made = [decision for decision in decisions if decision]
    changed_by = {part: sum(part in decision.by for decision in made) for part in PARTS}
    return PipelineRow(
        four.runtime,
        tuple(
            InputDifference(name, error.largest, error.rms, scales.get(name, 0.0), not error.largest)
            for name, error in inputs.items()
        ),
        tuple(_shares(name, result) for name, result in results.items()),
        _files(four.names, of_files, results, decisions),
        decided_count=len(made),
        changed_count=sum(bool(decision.change) for decision in made),
        changed_by_preprocessing=changed_by["preprocessing"],
        changed_by_runtime=changed_by["runtime"],
        changed_by_postprocessing=changed_by["postprocessing"] if four.decides else None,
        roundoff_count=sum(decision.is_roundoff for decision in made),
    )


def _batches(four: FourRuns) -> Iterator[tuple[Tensors, Tensors, list[Tensors]]]:
    """Yield both inputs and the results of the four runs, batch by batch: Python's input first, Python first."""
    compared = four.compared
    reference = compared.references.size_runtime
    batches = zip(compared.inputs.batches(compared.batch_size), four.page.batches(compared.batch_size), strict=True)
    for mine, page in batches:
        runs = [
            store.read(runtime, mine.index)
            for store in (four.outputs, four.theirs)
            for runtime in (reference, four.runtime)
        ]
        yield mine.tensors, page.tensors, runs


def _add_output(result: _Output, runs: Sequence[Array], tie: float | None) -> None:
    """Add one batch of an output: of Python and the runtime on Python's input, and of both on the page's.

    `tie` is the largest change of a sample that leaves its decision as it is; None if the output decides nothing.
    """
    python, in_browser, python_on_page, page = runs
    parts = (python_on_page, in_browser, page)
    largest = [error.add(other, python) for error, other in zip(result.errors, parts, strict=True)]
    result.by_file += zip(*(values.tolist() for values in largest), strict=True)
    finite = np.abs(python.astype(np.float64))[np.isfinite(python)]
    result.scale = max(result.scale, float(finite.max(initial=0.0)))
    if tie is not None and python.ndim == 2 and all(run.shape == python.shape for run in runs):
        result.decisions += _classes(python, parts, largest, tie)


def _classes(python: Array, parts: Sequence[Array], changes: Sequence[Array], tie: float) -> Iterator[FileDecision]:
    """Yield the top-1 decisions of a batch; `parts` are Python on the page's input, the browser, and both."""
    mine = python.argmax(axis=-1)
    differs = [other.argmax(axis=-1) != mine for other in parts]
    counts = [differing & (change > tie) for differing, change in zip(differs, changes, strict=True)]
    classes = parts[2].argmax(axis=-1)
    for row, (one, other) in enumerate(zip(mine.tolist(), classes.tolist(), strict=True)):
        alone: list[Part] = [part for part, count in zip(PARTS, counts[:2], strict=False) if count[row]]
        if counts[2][row]:
            margin = float(python[row, one] - python[row, other])
            yield FileDecision(one, other, f"{one} -> {other}", tuple(alone), margin=margin)
        else:
            yield FileDecision(one, one, "", tuple(alone), is_roundoff=bool(differs[2][row]))


def _rms_of_samples(page: Array, mine: Array) -> list[float]:
    if page.shape != mine.shape or mine.dtype.kind not in "biuf":
        return [math.nan] * len(mine)
    error = np.square(page.astype(np.float64) - mine).reshape(len(mine), -1)
    return [math.sqrt(value) for value in error.mean(axis=1).tolist()]


def _shares(name: str, result: _Output) -> OutputShares:
    preprocessing, runtime, both = result.errors
    return OutputShares(
        name,
        result.scale,
        preprocessing_rms=preprocessing.rms,
        preprocessing_max=preprocessing.largest,
        runtime_rms=runtime.rms,
        runtime_max=runtime.largest,
        both_rms=both.rms,
        both_max=both.largest,
    )


def _files(
    names: Sequence[str],
    inputs: Sequence[float],
    results: Mapping[str, _Output],
    decisions: Sequence[FileDecision | None],
) -> tuple[FileShares, ...]:
    """Return the files that change most, by the output that changes most in relation to its scale."""
    outputs = [result for result in results.values() if len(result.by_file) == len(names)]
    found = []
    for number, (name, decided) in enumerate(zip(names, decisions, strict=True)):
        worst = max(outputs, key=lambda result: result.by_file[number][2] / (result.scale or 1.0), default=None)
        file = FileShares(name, inputs[number], *(worst.by_file[number] if worst else (0.0, 0.0, 0.0)))
        if decided:
            file = replace(
                file,
                decision=decided.python,
                page_decision=decided.page,
                shown=decided.shown,
                change=decided.change,
                by=decided.by,
                margin=decided.margin,
            )
        found.append(file)
    found.sort(key=lambda file: (bool(file.change), len(file.by), file.both_max), reverse=True)
    return tuple(found[:_MOST_FILES])
