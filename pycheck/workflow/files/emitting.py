"""Writes the code that preprocesses as the other side does, and proves it: on the same files, in each browser."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputsFileError, NoCodeError, RuntimeFailedError, UsageError
from ...gate import judge_emitted
from ...inputs import list_files
from ...options.values import Options
from ...preprocessing import (
    Asking,
    Medium,
    Preprocess,
    SideCode,
    load_preprocess,
    medium_of_files,
    medium_of_recipe,
    words_of_function,
    words_of_module,
)
from ...types import AppCode, Array, Emitted, EmittedProof, Language, RuntimeId, SampleFile, Signature
from ..pipeline import Workbench
from ..setting import Observer, Setting, silent
from .proving import Bench, Sample, inputs_of_page, prove
from .sides import page_code

#: The most files of the user that are read.
_MOST_FILES = 24
_ENGINES = ("chromium", "firefox", "webkit")


@dataclass(frozen=True, slots=True)
class _Work:
    """What both directions need: the run, the model's one input, the files of the user, of `file_count`, their medium.

    `origin` is the code of the side that is given.
    """

    setting: Setting
    signature: Signature
    origin: str
    medium: Medium
    chosen: Sequence[SampleFile]
    file_count: int
    folder: Path

    @property
    def options(self) -> Options:
        return self.setting.options

    async def files(self) -> tuple[Sample, ...]:
        """Return the files, with pycheck's own at the end."""
        paths, folder = [file.path for file in self.chosen], self.folder / "own"
        folder.mkdir()
        own = await asyncio.to_thread(self.medium.own_files, paths, folder)
        return (
            *(Sample(file, False) for file in self.chosen),
            *(Sample(SampleFile(path, path.name), True) for path in own),
        )


async def emit(
    bench: Workbench,
    model: Any,
    given: Sequence[Path],
    language: Language,
    options: Options,
    observe: Observer = silent,
) -> Emitted:
    """Write `language` that does what the code of the other side does, and prove it on the files.

    Without runtimes in `options`, the proof is made on the CPU backend of each browser that starts. Errors: UsageError
    without the code of the other side, NoCodeError if no description fits it, RuntimeUnavailableError if no browser
    starts.
    """
    _check(language, options)
    if "runtimes" not in options.named:
        options = replace(options, runtimes=tuple(RuntimeId(engine, "cpu") for engine in _ENGINES))
    listed = list_files(given)
    with tempfile.TemporaryDirectory(prefix="pycheck-") as folder:
        async with bench.opened(model, options, observe) as run:
            signature = (await run.setting.source.info()).signature
            if len(signature.inputs) != 1:
                raise UsageError(
                    f"{model} takes {len(signature.inputs)} inputs: pycheck writes code for one input only.",
                    "Write the code of the page by hand, and check it: pycheck compare --js-preprocess.",
                )
            chosen = _some(listed.files)
            origin = str(options.preprocess if language == "js" else options.js_preprocess)
            medium = await asyncio.to_thread(_medium, origin, [file.path for file in chosen])
            work = _Work(run.setting, signature, origin, medium, chosen, len(listed.files), Path(folder))
            run.setting.shared.hosts.start(options)
            made = await (_as_javascript(work) if language == "js" else _as_python(work))
    return judge_emitted(made)


def _check(language: Language, options: Options) -> None:
    mine, other = ("--preprocess", options.preprocess), ("--js-preprocess", options.js_preprocess)
    source, extra = (mine, other) if language == "js" else (other, mine)
    if not source[1]:
        form = "FILE.py:FUNCTION" if language == "js" else "FILE.js"
        raise UsageError(
            f"--emit {language} needs the code that it is to be like.", f"Add {source[0]} {form}, or a recipe."
        )
    if extra[1]:
        raise UsageError(f"{extra[0]} has no effect: --emit {language} writes this side.", f"Remove {extra[0]}.")


def _some(files: Sequence[SampleFile]) -> list[SampleFile]:
    places = np.linspace(0, len(files) - 1, min(len(files), _MOST_FILES)).astype(int)
    return [files[place] for place in places]


def _medium(origin: str, files: Sequence[Path]) -> Medium:
    medium = medium_of_recipe(origin) or medium_of_files(files)
    if medium is None:
        raise NoCodeError(
            f"pycheck writes code for images, sounds and texts in UTF-8, and {files[0].name} is none of these.",
            "Write the code of the other side by hand, and check it: pycheck compare --js-preprocess.",
        )
    return medium


async def _as_javascript(work: _Work) -> Emitted:
    function = await _loaded(work, work.origin)
    files = await work.files()
    bench = Bench(work.setting, work.signature, function, files, work.folder)
    inputs = await bench.in_python([file.file.path for file in files])
    asking = _asking(work, partial(words_of_function, function), bench.in_python)
    side = await asyncio.to_thread(_side, work, files, inputs, asking)
    module = work.folder / "emitted.js"
    code = side.javascript(work.origin)
    module.write_text(code, encoding="utf-8")
    proofs = await asyncio.gather(
        *(prove(bench, runtime, AppCode(module), side, inputs) for runtime in work.options.runtimes)
    )
    return _emitted("js", side, code, work, proofs)


async def _as_python(work: _Work) -> Emitted:
    page = page_code(work.origin, work.signature, work.folder)
    files = await work.files()
    made = await _in_a_page(work, page, files)

    def of_page(paths: Sequence[Path]) -> Coroutine[Any, Any, list[Array | str]]:
        return _in_a_page(work, page, [Sample(SampleFile(path, path.name), True) for path in paths])

    asking = _asking(work, partial(words_of_module, page.module), of_page)
    side = await asyncio.to_thread(_side, work, files, made, asking)
    module = work.folder / "emitted.py"
    code = side.python(work.origin)
    module.write_text(code, encoding="utf-8")
    bench = Bench(work.setting, work.signature, await _loaded(work, f"{module}:load"), files, work.folder)
    inputs = await bench.in_python([file.file.path for file in files])
    proofs = await asyncio.gather(*(prove(bench, runtime, page, side, inputs) for runtime in work.options.runtimes))
    return _emitted("python", side, code, work, proofs)


def _asking(
    work: _Work,
    words: Callable[[], Sequence[Sequence[str]]],
    inputs: Callable[[Sequence[Path]], Coroutine[Any, Any, list[Array | str]]],
) -> Asking:
    """Return what a description, which is found in a thread, may ask the given code."""
    loop, folder = asyncio.get_running_loop(), work.folder / "asked"
    folder.mkdir()
    return Asking(words, lambda paths: asyncio.run_coroutine_threadsafe(inputs(paths), loop).result(), folder)


async def _in_a_page(work: _Work, code: AppCode, files: Sequence[Sample]) -> list[Array | str]:
    """Return the inputs that the page of the first runtime that starts makes of the files."""
    missing: list[RuntimeFailedError] = []
    for runtime in work.options.runtimes:
        try:
            return await inputs_of_page(work.setting, work.signature, runtime, code, files)
        except RuntimeFailedError as error:
            missing.append(error)
    raise missing[0]


def _side(work: _Work, files: Sequence[Sample], inputs: Sequence[Array | str], asking: Asking) -> SideCode:
    """Describe the side whose inputs these are; of a recipe the description is known."""
    origin = work.origin
    good = [(file, made) for file, made in zip(files, inputs, strict=True) if not isinstance(made, str)]
    if not any(not file.own for file, _ in good):
        raise InputsFileError(
            f"{origin} gives an input for none of the files. {next(each for each in inputs if isinstance(each, str))}",
            "Call the function with one of the files first.",
        )
    if medium_of_recipe(origin):
        known = work.medium.code_of_recipe(origin, work.signature, [made for _, made in good])
        if known is None:
            raise NoCodeError(
                f"pycheck has no code of {origin} for this model.",
                f"Name the recipe on both sides: pycheck compare --preprocess {origin} --js-preprocess {origin}.",
            )
        return known
    found = work.medium.describe([file.file.path for file, _ in good], [made for _, made in good], asking)
    if found is None:
        raise NoCodeError(
            f"pycheck finds no description of {origin}: {work.medium.UNDESCRIBED}.",
            "Write the code of the other side by hand, and check it: pycheck compare --js-preprocess.",
        )
    return found


async def _loaded(work: _Work, text: str) -> Preprocess:
    """Load a function of Python in the thread of TensorFlow, which it may use."""
    await work.setting.source.tensorflow()
    loop, executor = asyncio.get_running_loop(), work.setting.shared.executor
    return await loop.run_in_executor(executor, load_preprocess, text, work.signature)


def _emitted(language: Language, side: SideCode, code: str, work: _Work, proofs: Sequence[EmittedProof]) -> Emitted:
    error = None if medium_of_recipe(work.origin) else side.error
    return Emitted(language, work.origin, side.told(), error, code, work.file_count, tuple(proofs), medium=side.medium)
