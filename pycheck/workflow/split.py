"""Splits the difference of an answer between preprocessing and runtime, from the four runs of model and input."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..inputs import Inputs
from ..types import Array, FileShares, InputDifference, OutputShares, PipelineRow, RuntimeId, Tensors
from .run import Compared
from .store import OutputStore

#: The most files that a report names.
_MOST_FILES = 20


@dataclass(frozen=True, slots=True)
class FourRuns:
    """The results of Python and of one runtime: on Python's input (`outputs`), and on the page's (`theirs`)."""

    compared: Compared
    runtime: RuntimeId
    names: Sequence[str]
    page: Inputs
    outputs: OutputStore
    theirs: OutputStore


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
    #: Python's decision, that of Python on the page's input, and the page's.
    decisions: list[tuple[int, int, int]] = field(default_factory=list)
    scale: float = 0.0


def split(four: FourRuns) -> PipelineRow:
    """Measure the differences of the inputs, and what they and the runtime change, over all files."""
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
    return PipelineRow(
        four.runtime,
        tuple(
            InputDifference(name, error.largest, error.rms, scales.get(name, 0.0), not error.largest)
            for name, error in inputs.items()
        ),
        tuple(_shares(name, result) for name, result in results.items()),
        _files(four.names, of_files, results),
        *_counts(results),
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
    largest = [
        error.add(other, python) for error, other in zip(result.errors, (python_on_page, in_browser, page), strict=True)
    ]
    result.by_file += zip(*(values.tolist() for values in largest), strict=True)
    finite = np.abs(python.astype(np.float64))[np.isfinite(python)]
    result.scale = max(result.scale, float(finite.max(initial=0.0)))
    if tie is not None and python.ndim == 2 and python.shape == page.shape == python_on_page.shape:
        mine = python.argmax(axis=-1)
        on_page, _, both = largest
        others = (
            np.where(change > tie, other.argmax(axis=-1), mine)
            for change, other in ((on_page, python_on_page), (both, page))
        )
        result.decisions += zip(mine.tolist(), *(other.tolist() for other in others), strict=True)


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


def _files(names: Sequence[str], inputs: Sequence[float], results: Mapping[str, _Output]) -> tuple[FileShares, ...]:
    """Return the files that change most, by the output that changes most in relation to its scale."""
    outputs = [result for result in results.values() if len(result.by_file) == len(names)]
    decided = next((result.decisions for result in results.values() if len(result.decisions) == len(names)), None)
    found = []
    for number, name in enumerate(names):
        worst = max(outputs, key=lambda result: result.by_file[number][2] / (result.scale or 1.0), default=None)
        largest = worst.by_file[number] if worst else (0.0, 0.0, 0.0)
        mine, _, page = decided[number] if decided else (None, None, None)
        found.append(FileShares(name, inputs[number], *largest, decision=mine, page_decision=page))
    found.sort(key=lambda file: (file.changed, file.both_max), reverse=True)
    return tuple(found[:_MOST_FILES])


def _counts(results: Mapping[str, _Output]) -> tuple[int, int, int]:
    """Return the files with a decision, those where the page decides otherwise, and those where its input suffices."""
    decisions = next((result.decisions for result in results.values() if result.decisions), [])
    changed = sum(mine != page for mine, _, page in decisions)
    by_input = sum(mine != on_page for mine, on_page, _ in decisions)
    return len(decisions), changed, by_input
