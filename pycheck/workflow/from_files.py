"""Compares from the files on: Python and each page preprocess every file, and both run the model on both inputs."""

from __future__ import annotations

import asyncio
import re
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from ..diagnosis import by_severity, diagnose_pipeline
from ..errors import InputsFileError, PycheckError, RuntimeFailedError, UsageError
from ..gate import decide, judge_pipeline
from ..inputs import Inputs, Spool, are_samples, from_columns, list_files, sample_of
from ..options.values import Options
from ..preprocessing import Preprocess, is_recipe, load_preprocess, recipe_module
from ..types import (
    ALL_FILES,
    AppCode,
    AppFile,
    FailedFile,
    Pipeline,
    PipelineRow,
    PreparedFile,
    Report,
    RuntimeId,
    RuntimeStatus,
    SampleFile,
    SampleFiles,
    Signature,
)
from .deciding import Decided, Deciding, decide_files, load_deciding
from .decoders import decoded_by
from .explaining import files_to_show, with_causes, with_pictures
from .run import Compared, Run, Setting
from .split import FourRuns, split
from .store import OutputStore

#: A function that receives progress: finished files, all files.
Advance = Callable[[int, int], None]

T = TypeVar("T")

#: The files of one request to a page.
_AT_ONCE = 32
_NO_PREPROCESS = (
    "Add --preprocess FILE.py:FUNCTION, or a recipe: tf, caffe, torch or rescale for images, waveform(rate=16000) or "
    "log-mel(rate=16000) for sounds, vocabulary(FILE) for texts."
)


@dataclass(slots=True)
class Side:
    """The samples that one side made of the files: `numbers` has the file of each, `failed` the other files."""

    spool: Spool
    numbers: list[int] = field(default_factory=list)
    failed: list[FailedFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def inputs(self, files: Sequence[int], signature: Signature, path: str) -> Inputs:
        """Return the samples of these files."""
        places = {number: place for place, number in enumerate(self.numbers)}
        chosen = [places[number] for number in files]
        return from_columns(self.spool.columns(chosen), signature, path, self.spool.digest(chosen))


@asynccontextmanager
async def prepared(setting: Setting, files: SampleFiles) -> AsyncIterator[Prepared]:
    """Preprocess all files in Python and, with --js-preprocess, in a page of each runtime.

    Errors: UsageError and InputsFileError if there is no code, or it works for no file.
    """
    deciding = load_deciding(setting.options.postprocess, setting.options.js_postprocess)
    with tempfile.TemporaryDirectory(prefix="pycheck-") as folder:
        runtimes = setting.options.runtimes if setting.options.js_preprocess else ()
        if runtimes:
            setting.shared.hosts.start(setting.options)
        # At the same time: the thread of TensorFlow works for Python, and the processes of browsers for the pages.
        python, *sides = await _together(
            in_python(setting, files, Path(folder, "python")),
            *(
                _in_page_or_failed(setting, files, runtime, Path(folder, str(at)))
                for at, runtime in enumerate(runtimes)
            ),
        )
        pages = {runtime: side for runtime, side in zip(runtimes, sides, strict=True) if isinstance(side, Side)}
        dead = [side for side in sides if isinstance(side, FailedFile)]
        assert isinstance(python, Side)
        yield Prepared(files, python, pages, dead, Path(folder), deciding)


async def _together(*works: Coroutine[Any, Any, T]) -> list[T]:
    """Wait for all; the first error cancels the others, which end before it is raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:  # in this order: Python's error first, if several fail
            if task in done:
                task.result()
        return [task.result() for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _in_page_or_failed(
    setting: Setting, files: SampleFiles, runtime: RuntimeId, folder: Path
) -> Side | FailedFile:
    """Preprocess in a page of a runtime; a runtime that fails is no error of the run."""
    try:
        return await in_page(setting, files, runtime, folder)
    except RuntimeFailedError as error:
        return FailedFile(ALL_FILES, runtime, error.message.rstrip("."))


@dataclass(frozen=True, slots=True)
class Prepared:
    """The files as inputs, made by Python and by the page of each runtime; `folder` is for whatever is temporary."""

    files: SampleFiles
    python: Side
    pages: dict[RuntimeId, Side]
    dead: list[FailedFile]  # runtimes whose page made no input of its own that the model runs on
    folder: Path
    deciding: Deciding | None = None

    @property
    def common(self) -> list[int]:
        """Return the files that all sides can preprocess."""
        sides = [set(side.numbers) for side in self.pages.values()]
        return [number for number in self.python.numbers if all(number in side for side in sides)]

    def sides(self, runtimes: Sequence[RuntimeId]) -> Mapping[RuntimeId, Side]:
        """Return the inputs of each page; without code of the page they are Python's, if decisions are compared."""
        return self.pages or (dict.fromkeys(runtimes, self.python) if self.deciding and not self.dead else {})

    @property
    def failed(self) -> tuple[FailedFile, ...]:
        """Return the others, with the reasons."""
        return (*self.dead, *(failed for side in (self.python, *self.pages.values()) for failed in side.failed))

    @property
    def path(self) -> str:
        """Return the text for the origin of the inputs."""
        return ", ".join(map(str, self.files.given[:3])) + (", ..." if len(self.files.given) > 3 else "")


@asynccontextmanager
async def as_inputs(setting: Setting, given: Any) -> AsyncIterator[Any]:
    """Preprocess `given` if it is files, and keep the samples until the end; yield anything else as it is."""
    options = setting.options
    paths = [given] if isinstance(given, Path) else given if _are_paths(given) else []
    if are_samples(paths, has_code=options.preprocess is not None or options.js_preprocess is not None):
        async with prepared(setting, list_files(paths)) as ready:
            yield ready
    elif options.postprocess:
        raise UsageError(
            f"--postprocess {options.postprocess} is for files as INPUTS, each one sample.",
            "Give a folder of files with --preprocess, or remove --postprocess.",
        )
    else:
        yield given


async def compared_from(run: Run, given: Any) -> Compared:
    """Compare on what `as_inputs` yields."""
    return await (_compare_files(run, given) if isinstance(given, Prepared) else run.compare(given))


def _are_paths(given: Any) -> bool:
    return isinstance(given, list | tuple) and bool(given) and all(isinstance(item, Path) for item in given)


async def _compare_files(run: Run, ready: Prepared) -> Compared:
    """Run the model on Python's inputs and, in Python and in each runtime, on the inputs of its page."""
    setting, options = run.setting, run.setting.options
    signature = (await setting.source.info()).signature
    common = ready.common
    if not common:
        raise InputsFileError(
            f"No file can be preprocessed both in Python and in the browsers. {_first(ready.failed)}",
            "Call the functions with one of the files first.",
        )
    inputs = ready.python.inputs(common, signature, ready.path)
    outputs = run.keep_outputs(OutputStore(ready.folder / "outputs"))
    compared = await run.compare(inputs)
    ran = {record.id for record in compared.report.runtimes if record.status is RuntimeStatus.OK}
    rows: list[PipelineRow] = []
    failed: list[FailedFile] = []
    notes = [note for side in ready.pages.values() for note in side.notes]
    used = [ready.files.files[number] for number in common]
    names = [file.name for file in used]
    for runtime, side in ready.sides(options.runtimes).items():
        if runtime not in ran:
            continue
        try:
            of_page = side.inputs(common, signature, f"{ready.path} in {runtime}")
        except InputsFileError as error:
            ready.dead.append(FailedFile(ALL_FILES, runtime, f"its input does not fit the model: {error.message}"))
            continue
        same = of_page.info.sha256 == inputs.info.sha256
        theirs = outputs if same else OutputStore(ready.folder / f"outputs {len(rows)}")
        if not same and (why := await _run_on(setting, runtime, of_page, theirs)):
            ready.dead.append(FailedFile(ALL_FILES, runtime, f"the model failed on its input: {why}"))
            continue
        own = ready.deciding is not None and ready.deciding.page is not None
        four = FourRuns(compared, runtime, names, of_page, outputs, theirs, decides=own)
        decided = await decide_files(setting, four, ready.deciding) if ready.deciding else Decided()
        failed += decided.failed
        notes += decided.notes
        row = await asyncio.to_thread(split, four, decided.files if ready.deciding else None)
        row = await asyncio.to_thread(with_causes, row, used, inputs, of_page)
        row = await asyncio.to_thread(with_pictures, row, names, inputs, of_page, rows)
        rows.append(await _with_decoded(setting, row, used, rows))
    pipeline = Pipeline(
        preprocess=str(options.preprocess),
        js_preprocess=str(options.js_preprocess or ""),
        file_count=len(ready.files.files),
        failed=(*ready.failed, *dict.fromkeys(failed)),
        rows=tuple(rows),
        notes=tuple(dict.fromkeys(notes)),
        postprocess=options.postprocess or "",
        js_postprocess=options.js_postprocess or "",
    )
    judged = judge_pipeline(pipeline, options.tolerance, options.decisions_changed)
    return replace(compared, report=_judged(compared.report, judged, options))


async def _with_decoded(
    setting: Setting, row: PipelineRow, files: Sequence[SampleFile], earlier: Sequence[PipelineRow]
) -> PipelineRow:
    """Add how the engine decodes the files that change most, which is the first stage of the way to the answer."""
    chosen = files_to_show(row)
    if not chosen:
        return row
    for other in earlier:  # backends of an engine share its decoders
        if other.runtime.engine == row.runtime.engine and files_to_show(other) == chosen:
            return replace(row, decoded=other.decoded)
    some = [file for file in files if file.name in chosen]
    return replace(row, decoded=await decoded_by(setting, row.runtime.engine, some))


def _judged(report: Report, pipeline: Pipeline, options: Options) -> Report:
    """Add the pipeline to the report of the model on Python's input, and decide again."""
    findings = by_severity([*report.findings, *diagnose_pipeline(pipeline)])
    verdict = decide(report.comparisons, runtimes=report.runtimes, findings=findings, nan=options.nan)
    return replace(report, pipeline=pipeline, findings=findings, verdict=verdict)


async def _run_on(setting: Setting, runtime: RuntimeId, inputs: Inputs, outputs: OutputStore) -> str:
    """Run Python and one runtime on the inputs of its page, and keep what they give; return why that failed, or ""."""
    options = replace(setting.options, runtimes=(runtime,), power=False, save_run=None)

    def observe(name: str, step: str, done: int, total: int) -> None:
        setting.observe(f"{name} on the page's input", step, done, total)

    run = Run(replace(setting, options=options, observe=observe), outputs=outputs, repeats=False)
    try:
        report = (await run.compare(inputs)).report
    finally:
        await run.close()
    record = next(record for record in report.runtimes if record.id == runtime)
    return "" if record.status is RuntimeStatus.OK else record.error or record.status.value


async def in_python(setting: Setting, files: SampleFiles, folder: Path) -> Side:
    """Preprocess in the thread of TensorFlow, which the user's code may use."""
    text = setting.options.preprocess
    if text is None:
        raise UsageError(
            f"{files.given[0]}: pycheck does not know how such a file becomes an input of the model.", _NO_PREPROCESS
        )
    signature = (await setting.source.info()).signature
    await setting.source.tensorflow()
    loop, executor = asyncio.get_running_loop(), setting.shared.executor
    function = await loop.run_in_executor(executor, load_preprocess, text, signature)
    stopped = threading.Event()

    def advance(done: int, total: int) -> None:
        if stopped.is_set():  # a page has failed, and with it the run
            raise asyncio.CancelledError
        setting.observe("Python", "preprocessing", done, total)

    work = loop.run_in_executor(executor, made_by, function, files.files, signature, Spool(folder), advance)
    try:
        side = await asyncio.shield(work)
    except asyncio.CancelledError:
        stopped.set()
        await asyncio.wait([work])  # the thread writes into the folder until then
        raise
    if not side.numbers:
        raise InputsFileError(
            f"--preprocess {text} gives an input for none of the {len(files.files)} files. {_first(side.failed)}",
            "Call the function with one of the files in Python first.",
        )
    return side


def made_by(
    function: Preprocess, files: Sequence[SampleFile], signature: Signature, spool: Spool, advance: Advance
) -> Side:
    """Call the user's function with each file; one that raises fails alone."""
    side = Side(spool)
    for number, file in enumerate(files):
        try:
            spool.add(sample_of(function(file.path), signature))
            side.numbers.append(number)
        except Exception as error:
            message = error.message if isinstance(error, PycheckError) else f"{type(error).__name__}: {error}"
            side.failed.append(FailedFile(file.name, None, message.rstrip(".")))
        advance(number + 1, len(files))
    return side


async def in_page(setting: Setting, files: SampleFiles, runtime_id: RuntimeId, folder: Path) -> Side:
    """Preprocess in a page of a runtime, with its backend, some files at a time."""
    options = setting.options
    signature = (await setting.source.info()).signature
    code = page_code(str(options.js_preprocess), signature, folder)
    names = [spec.name for spec in signature.inputs]
    side = Side(Spool(folder))
    host = await setting.shared.hosts.get(options, runtime_id.engine)
    runtime = host.runtime(runtime_id, None, flags=dict(options.flags), app=(code,))
    async with setting.shared.hosts.turn(runtime_id), setting.shared.slots, runtime:
        leaks: list[PreparedFile] = []
        for start in range(0, len(files.files), _AT_ONCE):
            some = files.files[start : start + _AT_ONCE]
            made = await runtime.prepare(code, [AppFile(file.name, file.path) for file in some], names)
            worked = {position: row for row, position in enumerate(made.worked)}
            leaks += [file for file in made.files if file.leaked_tensors]
            for position, file in enumerate(made.files):
                if file.failure is None:
                    row = worked[position]
                    sample = {name: array[row] for name, array in made.tensors.items()}
                    side.spool.add(sample_of(sample, signature))
                    side.numbers.append(start + position)
                else:
                    side.failed.append(FailedFile(file.name, runtime_id, file.failure.message.rstrip(".")))
            setting.observe(str(runtime_id), "preprocessing", start + len(some), len(files.files))
        side.notes += [f"{runtime_id}: {note}" for note in runtime.environment.notes if code.module.name in note]
        if leaks:
            first, count = leaks[0], f"{len(leaks)} of {len(files.files)}"
            side.notes.append(
                f"{runtime_id}: {code.module.name} leaks tensors ({first.leaked_tensors} for {first.name}, and some "
                f"for {count} files): use tf.tidy"
            )
    return side


def page_code(text: str, signature: Signature, folder: Path) -> AppCode:
    """Return the user's module and export, or a module that is written for a recipe."""
    if is_recipe(text):
        folder.mkdir(parents=True, exist_ok=True)
        module = folder / f"{re.sub(r'[^0-9A-Za-z.]+', '-', text).strip('-')[:60]}.js"
        module.write_text(recipe_module(text, signature), encoding="utf-8")
        return AppCode(module)
    return AppCode.of(text)


def _first(failed: Sequence[FailedFile]) -> str:
    return f"{failed[0].name}: {failed[0].message}." if failed else ""
