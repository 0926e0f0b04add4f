"""Preprocesses all files on all sides at the same time, and keeps the samples until the end of a run."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ...errors import RuntimeFailedError, UsageError
from ...inputs import Inputs, Spool, are_samples, from_arrays, list_files, open_inputs
from ...types import (
    ALL_FILES,
    FailedFile,
    RuntimeId,
    SampleFile,
    SampleFiles,
    Signature,
)
from ..setting import Setting
from .deciding import Deciding, load_deciding
from .sides import Side, first_failure, in_page, in_python

T = TypeVar("T")


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

    async def for_python(self, signature: Signature) -> Inputs:
        """Return the samples that Python makes, with a note on files that were left out."""
        inputs = await asyncio.to_thread(self.python.inputs, self.python.numbers, signature, self.path)
        failed = self.python.failed
        if not failed:
            return inputs
        note = f"{len(failed)} of {len(self.files.files)} files were left out. {first_failure(failed)}"
        return replace(inputs, info=replace(inputs.info, notes=(*inputs.info.notes, note)))

    @property
    def path(self) -> str:
        """Return the text for the origin of the inputs."""
        return ", ".join(map(str, self.files.given[:3])) + (", ..." if len(self.files.given) > 3 else "")


@asynccontextmanager
async def as_inputs(setting: Setting, given: Any) -> AsyncIterator[Any]:
    """Preprocess `given` if it is files, and keep the samples until the end; so are arrays of which decisions are made.

    Anything else is yielded as it is.
    """
    options = setting.options
    paths = [given] if isinstance(given, Path) else given if _are_paths(given) else []
    if are_samples(paths, has_code=options.preprocess is not None or options.js_preprocess is not None):
        async with prepared(setting, list_files(paths)) as ready:
            yield ready
    elif options.postprocess:
        with tempfile.TemporaryDirectory(prefix="pycheck-") as folder:
            yield await _of_arrays(setting, given, Path(folder))
    else:
        yield given


async def _of_arrays(setting: Setting, given: Any, folder: Path) -> Prepared:
    """Return the samples of arrays, or of a file of arrays, so that decisions of each are compared."""
    options = setting.options
    deciding = load_deciding(options.postprocess, options.js_postprocess)
    signature = (await setting.source.info()).signature
    path = given if isinstance(given, Path) else Path("the arrays")
    inputs = await asyncio.to_thread(open_inputs, given, signature) if path is given else from_arrays(given, signature)
    if inputs.whole:
        raise UsageError(
            f"--postprocess: the input {min(inputs.whole)} has one value for all samples.",
            "Give files with --preprocess, or remove --postprocess.",
        )
    side = Side(Spool(folder / "python"))
    await asyncio.to_thread(_keep, inputs, side)
    files = tuple(SampleFile(path, f"sample {number}") for number in side.numbers)
    return Prepared(SampleFiles((path,), files), side, {}, [], folder, deciding)


def _keep(inputs: Inputs, side: Side) -> None:
    for batch in inputs.batches(1):
        side.spool.add({name: array[0] for name, array in batch.tensors.items()})
        side.numbers.append(batch.start)


def _are_paths(given: Any) -> bool:
    return isinstance(given, list | tuple) and bool(given) and all(isinstance(item, Path) for item in given)
