"""Writes the code that preprocesses as the other side does, and proves it: on the same files, in each browser."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputsFileError, NoCodeError, RuntimeFailedError, UsageError
from ...gate import judge_emitted
from ...inputs import list_files
from ...options.values import Options
from ...preprocessing import is_recipe, load_preprocess
from ...preprocessing.images import emitting, probes, recipes, sides
from ...preprocessing.images.sides import Side
from ...preprocessing.images.words import sentence
from ...types import AppCode, Array, Emitted, EmittedProof, Language, RuntimeId, SampleFile, Signature
from ..pipeline import Workbench
from ..run import Observer, Setting, silent
from .proving import Bench, Sample, inputs_of_page, prove
from .sides import page_code

#: The most files of the user that are read.
_MOST_FILES = 24
#: Up to this error, in steps of a byte (RMS), a description is exact.
_EXACT_BYTES = 0.05
_ENGINES = ("chromium", "firefox", "webkit")


@dataclass(frozen=True, slots=True)
class _Work:
    """What both directions need: the run, the model's one input, and the files, with pycheck's own at the end."""

    setting: Setting
    signature: Signature
    files: tuple[Sample, ...]
    file_count: int
    folder: Path

    @property
    def options(self) -> Options:
        return self.setting.options


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
                    f"{model} takes {len(signature.inputs)} inputs: pycheck writes code for one image only.",
                    "Write the code of the page by hand, and check it: pycheck compare --js-preprocess.",
                )
            chosen = _some(listed.files)
            own = await asyncio.to_thread(_own_files, chosen, Path(folder, "own"))
            files = (*(Sample(file, False) for file in chosen), *(Sample(file, True) for file in own))
            work = _Work(run.setting, signature, files, len(listed.files), Path(folder))
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


def _own_files(chosen: Sequence[SampleFile], folder: Path) -> list[SampleFile]:
    """Return pycheck's own files, made of the first image; none if there is no image."""
    for file in chosen:
        try:
            return [SampleFile(path, path.name) for path in probes.write_probes(file.path, folder)]
        except InputsFileError:
            continue
    return []


async def _as_javascript(work: _Work) -> Emitted:
    origin = str(work.options.preprocess)
    bench = await _bench(work, origin)
    inputs = await bench.in_python([file.file.path for file in work.files])
    described = await asyncio.to_thread(_side, work, origin, inputs)
    module = work.folder / "emitted.js"
    code = emitting.javascript(described, origin)
    module.write_text(code, encoding="utf-8")
    proofs = await asyncio.gather(
        *(prove(bench, runtime, AppCode(module), described, inputs) for runtime in work.options.runtimes)
    )
    return _emitted("js", origin, described, code, work, proofs)


async def _as_python(work: _Work) -> Emitted:
    origin = str(work.options.js_preprocess)
    page = page_code(origin, work.signature, work.folder)
    described = await asyncio.to_thread(_side, work, origin, await _in_a_page(work, page))
    module = work.folder / "emitted.py"
    code = emitting.python(described, origin)
    module.write_text(code, encoding="utf-8")
    bench = await _bench(work, f"{module}:load")
    inputs = await bench.in_python([file.file.path for file in work.files])
    proofs = await asyncio.gather(
        *(prove(bench, runtime, page, described, inputs) for runtime in work.options.runtimes)
    )
    return _emitted("python", origin, described, code, work, proofs)


async def _in_a_page(work: _Work, code: AppCode) -> list[Array | str]:
    """Return the inputs that the page of the first runtime that starts makes of the files."""
    missing: list[RuntimeFailedError] = []
    for runtime in work.options.runtimes:
        try:
            return await inputs_of_page(work.setting, work.signature, runtime, code, work.files)
        except RuntimeFailedError as error:
            missing.append(error)
    raise missing[0]


def _side(work: _Work, origin: str, inputs: Sequence[Array | str]) -> Side:
    """Describe the side whose inputs these are; of a recipe the description is known."""
    if is_recipe(origin):
        known = sides.of_recipe(origin, work.signature) if recipes.is_recipe(origin) else None
        if known is None:
            raise NoCodeError(
                f"pycheck writes code for images only, and not of {origin} for this model.",
                f"Name the recipe on both sides: pycheck compare --preprocess {origin} --js-preprocess {origin}.",
            )
        return known
    good = [(file, made) for file, made in zip(work.files, inputs, strict=True) if not isinstance(made, str)]
    if not any(not file.own for file, _ in good):
        raise InputsFileError(
            f"{origin} gives an input for none of the files. {next(each for each in inputs if isinstance(each, str))}",
            "Call the function with one of the files first.",
        )
    try:
        found = _described(good)
    except InputsFileError as error:
        raise NoCodeError(
            f"pycheck writes code for images only. {error.message}",
            "For sounds and texts, check code of your own: pycheck compare --js-preprocess.",
        ) from error
    if found is None:
        raise NoCodeError(
            f"pycheck finds no description of {origin}: its input is no image that is decoded, cropped or resized, and "
            "scaled.",
            "Write the code of the other side by hand, and check it: pycheck compare --js-preprocess.",
        )
    return found


def _described(good: Sequence[tuple[Sample, Array]]) -> Side | None:
    """Describe the inputs; if transparency alone has no description, the other parts keep theirs."""
    found = sides.describe([sample.file.path for sample, _ in good], np.stack([made for _, made in good]))
    if found is None or found.error <= _EXACT_BYTES or "alpha" not in found.seen:
        return found
    opaque = [(sample, made) for sample, made in good if not sides.is_transparent(sample.file.path)]
    if not opaque:
        return found
    other = sides.describe([sample.file.path for sample, _ in opaque], np.stack([made for _, made in opaque]))
    return found if other is None or other.error > found.error / 2 else sides.with_alpha_of(other, found)


async def _bench(work: _Work, text: str) -> Bench:
    """Return what the proof needs of Python: the function that `text` names."""
    await work.setting.source.tensorflow()
    loop, executor = asyncio.get_running_loop(), work.setting.shared.executor
    function = await loop.run_in_executor(executor, load_preprocess, text, work.signature)
    return Bench(work.setting, work.signature, function, work.files, work.folder)


def _emitted(
    language: Language, origin: str, side: Side, code: str, work: _Work, proofs: Sequence[EmittedProof]
) -> Emitted:
    error = None if is_recipe(origin) else side.error
    told = sentence(side.description, side.seen)
    return Emitted(language, origin, told, error, code, work.file_count, tuple(proofs))
