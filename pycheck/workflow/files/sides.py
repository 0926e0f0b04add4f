"""Makes samples of files, in Python and in the page of a runtime."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputsFileError, PycheckError, UsageError
from ...inputs import Inputs, Spool, from_columns, sample_of
from ...types import (
    AppCode,
    AppFile,
    FailedFile,
    PreparedFile,
    RuntimeId,
    SampleFile,
    SampleFiles,
    Signature,
    TensorLeak,
)
from ..setting import Setting

if TYPE_CHECKING:
    from ...preprocessing import Preprocess

#: A function that receives progress: finished files, all files.
Advance = Callable[[int, int], None]

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
    is_page: bool = False
    numbers: list[int] = field(default_factory=list)
    failed: list[FailedFile] = field(default_factory=list)
    leaks: list[TensorLeak] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def inputs(self, files: Sequence[int], signature: Signature, path: str) -> Inputs:
        """Return the samples of these files."""
        places = {number: place for place, number in enumerate(self.numbers)}
        chosen = [places[number] for number in files]
        inputs = from_columns(self.spool.columns(chosen), signature, path, self.spool.digest(chosen))
        return replace(inputs, types_in_page=self._integers(signature) if self.is_page else {})

    def _integers(self, signature: Signature) -> dict[str, np.dtype[Any]]:
        """Return the types of integers that the model takes as floats: Keras converts them, TF.js may reject them."""
        made, specs = self.spool.dtypes, signature.inputs
        found = {spec.name: made[spec.name] if spec.name in made else next(iter(made.values())) for spec in specs}
        return {
            spec.name: found[spec.name]
            for spec in specs
            if found[spec.name].kind in "biu" and spec.dtype.startswith(("float", "bfloat"))
        }


async def in_python(setting: Setting, files: SampleFiles, folder: Path) -> Side:
    """Preprocess in the thread of TensorFlow, which the user's code may use."""
    from ...preprocessing import load_preprocess  # slow, and only files need it

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
        if not work.cancelled():
            work.exception()  # marks it as retrieved
        raise
    if not side.numbers:
        raise InputsFileError(
            f"--preprocess {text} gives an input for none of the {len(files.files)} files. "
            f"{first_failure(side.failed)}",
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
    side = Side(Spool(folder), is_page=True)
    host = await setting.shared.hosts.get(options, runtime_id.engine)
    runtime = host.runtime(runtime_id, None, flags=dict(options.flags), app=(code,))
    async with setting.shared.hosts.turn(runtime_id), setting.shared.slots, runtime:
        leaking: list[PreparedFile] = []
        for start in range(0, len(files.files), _AT_ONCE):
            some = files.files[start : start + _AT_ONCE]
            made = await runtime.prepare(code, [AppFile(file.name, file.path) for file in some], names)
            worked = {position: row for row, position in enumerate(made.worked)}
            leaking += [file for file in made.files if file.leaked_tensors]
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
        side.leaks += leaks_of(runtime_id, code, leaking)
    return side


def leaks_of(runtime: RuntimeId, code: AppCode, leaking: Sequence[PreparedFile]) -> list[TensorLeak]:
    """Return the leak of the files for which the code does not dispose all tensors; empty if there are none."""
    if not leaking:
        return []
    first, names = leaking[0], {file.name for file in leaking}
    return [TensorLeak(runtime, code.module.name, first.name, first.leaked_tensors, len(names))]


def page_code(text: str, signature: Signature, folder: Path) -> AppCode:
    """Return the user's module and export, or a module that is written for a recipe."""
    from ...preprocessing import is_recipe, recipe_module

    if is_recipe(text):
        folder.mkdir(parents=True, exist_ok=True)
        module = folder / f"{re.sub(r'[^0-9A-Za-z.]+', '-', text).strip('-')[:60]}.js"
        module.write_text(recipe_module(text, signature), encoding="utf-8")
        return AppCode(module)
    return AppCode.of(text)


def first_failure(failed: Sequence[FailedFile]) -> str:
    """Return the first reason as a sentence; "" if there is none."""
    return f"{failed[0].name}: {failed[0].message}." if failed else ""
