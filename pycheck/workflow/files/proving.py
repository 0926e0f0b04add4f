"""Proves emitted code in a browser: the input of each file against Python's, and what the decoders share of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import PycheckError, RuntimeFailedError
from ...inputs import sample_of
from ...preprocessing import Decoded, Preprocess, SideCode, find_causes
from ...types import AppCode, AppFile, Array, EmittedFile, EmittedProof, RuntimeId, SampleFile, Signature
from ..setting import Setting

if TYPE_CHECKING:
    from ...runtimes.browser.page import BrowserRuntime


@dataclass(frozen=True, slots=True)
class Sample:
    """A file; `own` if pycheck made it."""

    file: SampleFile
    own: bool


@dataclass(frozen=True, slots=True)
class Bench:
    """Python's side of a proof: the function that makes an input of a file, in the thread of TensorFlow."""

    setting: Setting
    signature: Signature
    function: Preprocess
    files: tuple[Sample, ...]
    folder: Path

    async def in_python(self, paths: Sequence[Path]) -> list[Array | str]:
        """Return the input of each file, or the reason why there is none."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.setting.shared.executor, lambda: [self._made(path) for path in paths])

    def _made(self, path: Path) -> Array | str:
        try:
            (made,) = sample_of(self.function(path), self.signature).values()
            return made
        except Exception as error:
            return error.message if isinstance(error, PycheckError) else f"{type(error).__name__}: {error}"


async def inputs_of_page(
    setting: Setting, signature: Signature, runtime: RuntimeId, code: AppCode, files: Sequence[Sample]
) -> list[Array | str]:
    """Return the input that a page makes of each file, or the reason why there is none; errors are those of a start."""
    host = await setting.shared.hosts.get(setting.options, runtime.engine)
    page = host.runtime(runtime, None, flags=dict(setting.options.flags), app=(code,))
    made: list[Array | str] = []
    async with setting.shared.hosts.turn(runtime), setting.shared.slots, page:
        for number, sample in enumerate(files):
            made.append(await _input(page, code, AppFile(sample.file.name, sample.file.path), signature))
            setting.observe(str(runtime), "preprocessing", number + 1, len(files))
    return made


async def _input(page: BrowserRuntime, code: AppCode, file: AppFile, signature: Signature) -> Array | str:
    made = await page.prepare(code, [file], [spec.name for spec in signature.inputs])
    if (failure := made.files[0].failure) is not None:
        return f"{file.name}: {failure.message.rstrip('.')}"
    (found,) = sample_of({name: array[0] for name, array in made.tensors.items()}, signature).values()
    return found


async def prove(
    bench: Bench, runtime: RuntimeId, code: AppCode, side: SideCode, inputs: Sequence[Array | str]
) -> EmittedProof:
    """Compare the inputs that a page makes with Python's (`inputs`); a browser that does not start is in the proof."""
    decoding = _decoding(bench, runtime, side)
    options = bench.setting.options
    try:
        host = await bench.setting.shared.hosts.get(options, runtime.engine)
        page = host.runtime(runtime, None, flags=dict(options.flags), app=(code, *decoding))
        async with bench.setting.shared.hosts.turn(runtime), bench.setting.shared.slots, page:
            return await _in_page(bench, page, code, decoding, side, inputs)
    except RuntimeFailedError as error:
        return EmittedProof(runtime, missing=error.message.rstrip("."))


def _decoding(bench: Bench, runtime: RuntimeId, side: SideCode) -> list[AppCode]:
    """Return the code that decodes each file as the page does; none if nothing can differ."""
    count = len(bench.files)
    if not (code := side.decoding_module(count)):
        return []
    module = bench.folder / f"decoding {runtime}.js".replace(":", " ")
    module.write_text(code, encoding="utf-8")
    return [AppCode(module, f"d{number}") for number in range(count)]


async def _in_page(
    bench: Bench,
    page: BrowserRuntime,
    code: AppCode,
    decoding: Sequence[AppCode],
    side: SideCode,
    inputs: Sequence[Array | str],
) -> EmittedProof:
    found: list[EmittedFile] = []
    failed: list[str] = []
    pages: dict[int, Array] = {}
    for number, (sample, mine) in enumerate(zip(bench.files, inputs, strict=True)):
        bench.setting.observe(str(page.id), "proving", number + 1, len(bench.files))
        if isinstance(mine, str):
            continue
        file = AppFile(sample.file.name, sample.file.path)
        page_input = await _input(page, code, file, bench.signature)
        if isinstance(page_input, str):
            failed += [] if sample.own else [page_input]
            continue
        pages[number] = page_input
        apart: Decoded | None = Decoded(0.0, 0.0)
        if decoding:
            made = await _decoded(page, decoding[number], file)
            again = bench.folder / f"{page.id} {number} {Path(sample.file.name).stem}".replace(":", " ")
            apart = None if made is None else side.decoded(made, sample.file.path, again)
        found.append(await _measured(bench, sample, mine, page_input, apart, side))
    without = await asyncio.to_thread(_without, bench, inputs, pages, found, side.visible)
    return EmittedProof(page.id, tuple(found), failed=tuple(failed), without=without)


async def _decoded(page: BrowserRuntime, decoding: AppCode, file: AppFile) -> Array | None:
    made = await page.prepare(decoding, [file], ["made"])
    return None if made.files[0].failure else np.asarray(made.tensors["made"])[0]


async def _measured(
    bench: Bench, sample: Sample, mine: Array, page: Array, apart: Decoded | None, side: SideCode
) -> EmittedFile:
    """Measure one file; Python's input of what the page decodes is what remains without the decoder."""
    whole = _difference(page, mine)
    rest: tuple[float, float] | None = whole
    if apart is not None and apart.again:
        made = await bench.in_python(apart.again)
        for path in apart.again:
            path.unlink()
        rests = [_difference(page, each) for each in made if not isinstance(each, str)]
        rest = min(rests, default=None)
    return EmittedFile(
        sample.file.name, sample.own, side.is_lossy(sample.file.path), *whole,
        decoder_rms=None if apart is None else apart.rms, decoder_max=None if apart is None else apart.largest,
        rest_rms=None if rest is None else rest[0] / side.step, rest_max=None if rest is None else rest[1] / side.step,
    )  # fmt: skip


def _difference(page: Array, mine: Array) -> tuple[float, float]:
    """Return RMS and largest difference; infinite for another shape, or a NaN on one side."""
    if page.shape != mine.shape:
        return np.inf, np.inf
    error = np.abs(page.astype(np.float64) - mine)
    error = np.where(np.isnan(page) & np.isnan(mine), 0.0, np.nan_to_num(error, nan=np.inf, posinf=np.inf))
    return float(np.sqrt(np.mean(np.square(error)))), float(error.max(initial=0.0))


def _without(
    bench: Bench,
    inputs: Sequence[Array | str],
    pages: dict[int, Array],
    found: Sequence[EmittedFile],
    visible: float,
) -> tuple[str, ...]:
    """Name the parts of Python's preprocessing that the page does not do, if the inputs differ visibly."""
    numbers = [
        number
        for number, page in pages.items()
        if page.shape == np.shape(inputs[number]) and np.isfinite(page).all() and np.isfinite(inputs[number]).all()
    ]
    if not numbers or max((file.rest_rms or 0.0) + (file.decoder_rms or 0.0) for file in found) < visible:
        return ()
    mine = np.stack([np.asarray(inputs[number]) for number in numbers])
    explained = find_causes(
        [bench.files[number].file.path for number in numbers], mine, np.stack([pages[number] for number in numbers])
    )
    return tuple(
        f"{cause.python} (the page: {cause.page})" for cause in explained.causes if cause.code != "decoder-differs"
    )
