"""Compares from the files on: Python and each page preprocess every file, and both run the model on both inputs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ...diagnosis import by_severity, diagnose_pipeline
from ...errors import InputsFileError
from ...gate import decide, judge_pipeline
from ...inputs import Inputs
from ...options.values import Options
from ...types import (
    ALL_FILES,
    FailedFile,
    Pipeline,
    PipelineRow,
    Report,
    RuntimeId,
    RuntimeStatus,
    SampleFile,
    TensorLeak,
)
from ..run import Compared, First, Run
from ..setting import Setting
from ..store import OutputStore
from .deciding import Decided, decide_files
from .decoders import decoded_by
from .explaining import files_to_show, with_causes, with_pictures
from .prepared import Prepared
from .sides import first_failure
from .split import FourRuns, split


async def compared_from(run: Run, given: Any, first: First | None = None) -> Compared:
    """Compare on what `as_inputs` yields; `first` is that of `Run.compare`, and the pipeline of files has none."""
    return await (_compare_files(run, given) if isinstance(given, Prepared) else run.compare(given, first))


async def _compare_files(run: Run, ready: Prepared) -> Compared:
    """Run the model on Python's inputs and, in Python and in each runtime, on the inputs of its page."""
    options = run.setting.options
    signature = (await run.setting.source.info()).signature
    common = ready.common
    if not common:
        raise InputsFileError(
            f"No file can be preprocessed both in Python and in the browsers. {first_failure(ready.failed)}",
            "Call the functions with one of the files first.",
        )
    inputs = ready.python.inputs(common, signature, ready.path)
    outputs = run.keep_outputs(OutputStore(ready.folder / "outputs"))
    compared = await run.compare(inputs)
    ran = {record.id for record in compared.report.runtimes if record.status is RuntimeStatus.OK}
    pages = _Pages(run.setting, ready, compared, inputs, outputs, [ready.files.files[number] for number in common])
    for runtime, side in ready.sides(options.runtimes).items():
        if runtime in ran:
            await pages.add(runtime, partial(side.inputs, common, signature))
    pipeline = Pipeline(
        preprocess=options.preprocess or "",
        js_preprocess=str(options.js_preprocess or ""),
        file_count=len(ready.files.files),
        failed=(*ready.failed, *dict.fromkeys(pages.failed)),
        rows=tuple(pages.rows),
        leaks=(*(leak for side in ready.pages.values() for leak in side.leaks), *pages.leaks),
        notes=tuple(dict.fromkeys([*(note for side in ready.pages.values() for note in side.notes), *pages.notes])),
        postprocess=options.postprocess or "",
        js_postprocess=options.js_postprocess or "",
        unit="file" if options.preprocess else "sample",
    )
    run.keep_pipeline(pipeline)
    return replace(compared, report=with_pipeline(compared.report, pipeline, options))


@dataclass(slots=True)
class _Pages:
    """The rows of the pages so far, with what failed on the way. `outputs` are those of Python's inputs, of `files`."""

    setting: Setting
    ready: Prepared
    compared: Compared
    inputs: Inputs
    outputs: OutputStore
    files: Sequence[SampleFile]
    rows: list[PipelineRow] = field(default_factory=list)
    failed: list[FailedFile] = field(default_factory=list)
    leaks: list[TensorLeak] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    async def add(self, runtime: RuntimeId, inputs_of_page: Callable[[str], Inputs]) -> None:
        """Add the row of a page; a page that fails is one of the dead."""
        try:
            of_page = inputs_of_page(f"{self.ready.path} in {runtime}")
        except InputsFileError as error:
            self._dead(runtime, f"its input does not fit the model: {error.message}")
            return
        same = of_page.info.sha256 == self.inputs.info.sha256
        theirs = self.outputs if same else OutputStore(self.ready.folder / f"outputs {len(self.rows)}")
        if not same and (why := await _run_on(self.setting, runtime, of_page, theirs)):
            types = "".join(f", which is {dtype} for {name!r}" for name, dtype in of_page.types_in_page.items())
            self._dead(runtime, f"the model failed on its input{types}: {why}")
            return
        deciding, names = self.ready.deciding, [file.name for file in self.files]
        own = deciding is not None and deciding.page is not None
        four = FourRuns(self.compared, runtime, names, of_page, self.outputs, theirs, decides=own)
        decided = await decide_files(self.setting, four, deciding) if deciding else Decided()
        self.failed += decided.failed
        self.leaks += decided.leaks
        self.notes += decided.notes
        row = await asyncio.to_thread(split, four, decided.files if deciding else None)
        row = await asyncio.to_thread(with_causes, row, self.files, self.inputs, of_page)
        row = await asyncio.to_thread(with_pictures, row, names, self.inputs, of_page, self.rows)
        self.rows.append(await _with_decoded(self.setting, row, self.files, self.rows))

    def _dead(self, runtime: RuntimeId, why: str) -> None:
        self.ready.dead.append(FailedFile(ALL_FILES, runtime, why))


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


def with_pipeline(report: Report, pipeline: Pipeline, options: Options) -> Report:
    """Judge the pipeline, add it to the report of the model on Python's input, and decide again."""
    pipeline = judge_pipeline(pipeline, options.tolerance, options.decisions_changed)
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
