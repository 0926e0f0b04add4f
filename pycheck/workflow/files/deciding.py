"""Makes the decisions of Python and of a page from the outputs of a model, and says which part changes them.

Python's function decides of all four runs, and the page's function of Python's outputs and of its own. So the change of
a decision splits into what the page's input, its runtime and its postprocessing make of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ...decisions import as_json, brief, difference, from_text, summary
from ...errors import AppCodeError, InputsFileError, RuntimeFailedError, UsageError
from ...gate import ToleranceOptions
from ...gate.limits import tolerance_of
from ...system.functions import load_function
from ...tensors import encode, to_tfjs
from ...types import (
    ALL_FILES,
    AppCode,
    AppFile,
    Array,
    Batch,
    FailedFile,
    Part,
    PreparedFile,
    RuntimeId,
    TensorLeak,
    Tensors,
)
from ..setting import Setting
from .sides import leaks_of
from .split import FileDecision, FourRuns

if TYPE_CHECKING:
    from ...runtimes.browser.page import BrowserRuntime

#: Takes the outputs of one sample, with a batch axis of 1: one array, or arrays by name.
Postprocess = Callable[[Any], Any]

_FORM = "Write --postprocess FILE.py:FUNCTION or package.module:FUNCTION."
#: The most characters of a decision in a report.
_MOST_CHARACTERS = 1000
#: The runs, in the order of `split`: the model in Python and in the browser on Python's input, and on the page's.
_PYTHON, _BROWSER, _ON_PAGE, _PAGE = range(4)


@dataclass(frozen=True, slots=True)
class Deciding:
    """The functions that decide: Python's, and that of the page if it has its own."""

    python: Postprocess
    page: AppCode | None


@dataclass(slots=True)
class Decided:
    """The decisions by file, None for those that a side cannot decide; `failed` says why."""

    files: list[FileDecision | None] = field(default_factory=list)
    failed: list[FailedFile] = field(default_factory=list)
    leaks: list[TensorLeak] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Made:
    """A decision, or the reason why there is none."""

    value: Any = None
    failure: str = ""


def load_deciding(postprocess: str | None, js_postprocess: str | None) -> Deciding | None:
    """Load Python's function, and check that the page's module exists; None if there is no postprocessing.

    Errors: UsageError, AppCodeError.
    """
    if postprocess is None:
        return None
    python = load_function("--postprocess", postprocess, _FORM)
    page = None if js_postprocess is None else AppCode.of(js_postprocess)
    if page and not page.module.is_file():
        raise AppCodeError(f"There is no file {page.module}.", "Give --js-postprocess the path of an ES module.")
    return Deciding(python, page)


async def decide_files(setting: Setting, four: FourRuns, deciding: Deciding) -> Decided:
    """Decide of all samples, one batch after the other.

    UsageError if an output has no sample axis and a batch has several samples, or TF.js cannot hold an output. Errors
    of the page's module: AppCodeError. If the page fails, no file has a decision.
    """
    decided = Decided()
    try:
        async with AsyncExitStack() as stack:
            page = None
            if deciding.page:
                page = await _Page.open(stack, setting, four.runtime, deciding.page)
            await _decide_all(setting, four, deciding.python, page, decided)
            if page:
                decided.leaks += page.leaks
                decided.notes += page.notes
    except RuntimeFailedError as error:
        return Decided([None] * len(four.names), [_failure(ALL_FILES, four.runtime, error.message)])
    if not any(decided.files):
        _refuse_none(setting, four, decided)
    different = {file.python: file.shown[0] for file in decided.files if file}
    if len(different) == 1 and len(four.names) > 1:
        (only,) = different.values()
        told = f"only {_unit(setting)}s with other decisions can show another order of labels"
        decided.notes.append(f"all {_unit(setting)}s get the same decision in Python, {only}: {told}")
    return decided


def _unit(setting: Setting) -> str:
    """Return the word for one of INPUTS: without a preprocessing they are arrays."""
    return "file" if setting.options.preprocess else "sample"


def _refuse_none(setting: Setting, four: FourRuns, decided: Decided) -> None:
    """Raise InputsFileError if Python decides of no file; if a page decides of none, keep one reason for all."""
    of_page = [failed for failed in decided.failed if failed.runtime]
    if not of_page:
        raise InputsFileError(
            f"--postprocess {setting.options.postprocess} gives a decision for none of the {len(four.names)} "
            f"{_unit(setting)}s. "
            f"{decided.failed[0].name}: {decided.failed[0].message}.",
            "Call the function with model.predict of one input in Python first.",
        )
    if len(of_page) == len(four.names) and len({failed.message for failed in of_page}) == 1:
        decided.failed = [replace(of_page[0], name=ALL_FILES)]


async def _decide_all(
    setting: Setting, four: FourRuns, function: Postprocess, page: _Page | None, decided: Decided
) -> None:
    loop, executor = asyncio.get_running_loop(), setting.shared.executor
    limits, unlike = _limits(four), partial(difference, box_overlap=setting.options.box_overlap)
    for batch in four.compared.inputs.batches(four.compared.batch_size):
        different = (_PYTHON, _BROWSER) if four.theirs is four.outputs else range(4)
        runs = [await asyncio.to_thread(_samples, four, run, batch) for run in different]
        names = four.names[batch.start : batch.start + batch.size]
        python = await loop.run_in_executor(executor, _of_python, function, runs)
        if len(runs) < 4:  # the page has Python's input
            runs, python = [*runs, *runs], [*python, *python]
        own = [await page.decide(names, runs[run]) for run in (_PYTHON, _PAGE)] if page else []
        for number, name in enumerate(names):
            mine, theirs = [run[number] for run in python], [run[number] for run in own]
            if failures := _failures(name, four.runtime, mine, theirs):
                decided.failed += failures
                decided.files.append(None)
                continue
            near = [_is_near(runs[_PYTHON][number], run[number], limits) for run in runs]
            decided.files.append(_file_decision([m.value for m in mine], [m.value for m in theirs], near, unlike))
        setting.observe(str(four.runtime), "postprocessing", batch.start + batch.size, len(four.names))


def _file_decision(
    python: Sequence[Any], page: Sequence[Any], near: Sequence[bool], unlike: Callable[[Any, Any], str]
) -> FileDecision:
    """Compare the decisions of a file: of Python's function on the four runs, of the page's on Python's and its own.

    `near`: whether the outputs of a run equal Python's up to the tolerance. Another decision of the same function is
    then roundoff. `unlike` says how two decisions differ.
    """
    mine, theirs = python[_PYTHON], page[1] if page else python[_PAGE]
    alone: list[Part] = []
    if not near[_ON_PAGE] and unlike(mine, python[_ON_PAGE]):
        alone.append("preprocessing")
    if not near[_BROWSER] and unlike(mine, python[_BROWSER]):
        alone.append("runtime")
    if page and unlike(mine, page[0]):
        alone.append("postprocessing")
    change = unlike(mine, theirs)
    is_roundoff = bool(change) and near[_PAGE] and not unlike(python[_PAGE], theirs)
    one, other = (brief(value, _MOST_CHARACTERS) for value in (mine, theirs))
    shown = (summary(mine), summary(theirs))
    return FileDecision(one, other, "" if is_roundoff else change, tuple(alone), is_roundoff, shown=shown)


def _samples(four: FourRuns, run: int, batch: Batch) -> list[Tensors]:
    """Return the outputs of each sample of a batch, with a batch axis of 1, as a model in float32 predicts them."""
    compared = four.compared
    runtime = four.runtime if run in (_BROWSER, _PAGE) else compared.references.class_runtime
    outputs = (four.outputs if run in (_PYTHON, _BROWSER) else four.theirs).read(runtime, batch.index)
    specs = compared.report.model.signature.outputs
    for spec in specs:
        if not spec.has_sample_axis and batch.size > 1:
            raise UsageError(
                f"--postprocess: the output {spec.name} has one value for a whole batch, not one for each file.",
                "Add --batch-size 1.",
            )
    return [
        {s.name: outputs[s.name][row : row + 1] if s.has_sample_axis else outputs[s.name] for s in specs}
        for row in range(batch.size)
    ]


def _of_python(function: Postprocess, runs: Sequence[Sequence[Tensors]]) -> list[list[_Made]]:
    """Call the user's function with the outputs of all runs; one that raises fails alone."""
    return [[_call(function, sample) for sample in run] for run in runs]


def _call(function: Postprocess, sample: Tensors) -> _Made:
    copies = {name: array.copy() for name, array in sample.items()}  # the function may change them
    try:
        return _Made(as_json(function(copies if len(copies) > 1 else next(iter(copies.values())))))
    except Exception as error:
        return _Made(failure=f"{type(error).__name__}: {error}")


class _Page:
    """The page's function, in an open page of a runtime."""

    def __init__(self, runtime: BrowserRuntime, code: AppCode) -> None:
        self._runtime = runtime
        self._code = code
        self._leaking: list[PreparedFile] = []

    @classmethod
    async def open(cls, stack: AsyncExitStack, setting: Setting, id: RuntimeId, code: AppCode) -> Self:
        """Open a page on the backend of the runtime, until the end of the stack."""
        host = await setting.shared.hosts.get(setting.options, id.engine)
        runtime = host.runtime(id, None, flags=dict(setting.options.flags), app=(code,))
        for context in (setting.shared.hosts.turn(id), setting.shared.slots, runtime):
            await stack.enter_async_context(context)
        return cls(runtime, code)

    async def decide(self, names: Sequence[str], samples: Sequence[Tensors]) -> list[_Made]:
        """Call the function with the outputs of some samples, of files with these names."""
        files = [AppFile(name, _encoded(sample)) for name, sample in zip(names, samples, strict=True)]
        done = await self._runtime.decide(self._code, files, list(samples[0]))
        self._leaking += [file for file in done if file.leaked_tensors]
        return [
            _Made(failure=file.failure.message) if file.failure else _Made(from_text(file.decision or "null"))
            for file in done
        ]

    @property
    def leaks(self) -> list[TensorLeak]:
        """Return the tensors that the function does not dispose."""
        return leaks_of(self._runtime.id, self._code, self._leaking)

    @property
    def notes(self) -> list[str]:
        """Return remarks on the code."""
        return [
            f"{self._runtime.id}: {note}" for note in self._runtime.environment.notes if self._code.module.name in note
        ]


def _encoded(sample: Tensors) -> bytes:
    """Return the outputs as TF.js has them: float64 becomes float32, int64 becomes int32."""
    try:
        return encode({name: to_tfjs(name, array)[0] for name, array in sample.items()}).tobytes()
    except InputsFileError as error:
        raise UsageError(f"--js-postprocess: {error.message}", "Leave out --js-postprocess.") from error


def _failures(name: str, runtime: RuntimeId, python: Sequence[_Made], page: Sequence[_Made]) -> list[FailedFile]:
    """Return why a file has no decision: at most one reason of Python, and one of the page."""
    on_others = next((f"{made.failure}, on outputs of {runtime}" for made in python if made.failure), "")
    in_python = python[_PYTHON].failure or on_others
    in_page = next((made.failure for made in page if made.failure), "")
    sides = ((None, in_python), (runtime, in_page))
    return [_failure(name, side, message) for side, message in sides if message]


def _failure(name: str, runtime: RuntimeId | None, message: str) -> FailedFile:
    return FailedFile(name, runtime, message.rstrip("."), "postprocess")


def _limits(four: FourRuns) -> dict[str, float]:
    """Return the largest error of each output that is roundoff: the automatic tolerance, without quantization.

    A given tolerance says what may pass, not what is roundoff.
    """
    own = [c for c in four.compared.report.comparisons if c.candidate == four.runtime and not c.shape_mismatch]
    automatic = {c.tensor: tolerance_of(replace(c, quantization_noise=None), ToleranceOptions()) for c in own}
    return {name: tolerance.max_abs or 0.0 for name, tolerance in automatic.items()}


def _is_near(one: Tensors, other: Tensors, limits: dict[str, float]) -> bool:
    return all(_largest(one[name], other[name]) <= limits.get(name, 0.0) for name in one)


def _largest(one: Array, other: Array) -> float:
    if one.shape != other.shape or one.dtype.kind not in "biufc" or other.dtype.kind not in "biufc":
        return 0.0 if np.array_equal(one, other) else np.inf
    wide = np.complex128 if "c" in (one.dtype.kind, other.dtype.kind) else np.float64
    a, b = one.astype(wide), other.astype(wide)
    with np.errstate(invalid="ignore"):
        error = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    return float(np.nan_to_num(error, nan=np.inf, posinf=np.inf).max(initial=0.0))
