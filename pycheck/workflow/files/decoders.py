"""Decodes files in each browser as a page does, and compares them with Python's decoders."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputsFileError, InstallationError, PycheckError, RuntimeFailedError
from ...inputs import list_files
from ...options.values import Options
from ...types import BROWSER_ENGINES, AppCode, AppFile, DecodedFile, Decoders, EngineDecoders, RuntimeId, SampleFile
from ..browsers import Hosts
from ..setting import Observer, Setting

if TYPE_CHECKING:
    from ...runtimes.browser.page import BrowserRuntime
    from ..pipeline import Workbench


async def compare_decoders(bench: Workbench, given: Sequence[Path], options: Options, observe: Observer) -> Decoders:
    """Decode the files in each browser that starts; InputsFileError if Python decodes none of them."""
    from ...preprocessing.engine_decoders import decoding_module  # slow, and only files need it

    files = await asyncio.to_thread(_decodable, list_files(given).files)
    with tempfile.TemporaryDirectory(prefix="pycheck-") as folder:
        module = Path(folder, "decode.js")
        module.write_text(decoding_module([(file.name, file.path) for file in files]), encoding="utf-8")
        if "runtimes" not in options.named:
            options = replace(options, runtimes=tuple(RuntimeId(engine, "cpu") for engine in BROWSER_ENGINES))
        bench.hosts.start(options)
        runtimes = {runtime.engine: runtime for runtime in options.runtimes}  # a decoder is that of the engine
        work = (_in_engine(bench.hosts, runtime, module, files, options, observe) for runtime in runtimes.values())
        engines = await asyncio.gather(*work)
    return Decoders(tuple(_versions()), tuple(engines))


def _decodable(files: Sequence[SampleFile]) -> list[SampleFile]:
    """Return the files that Python decodes."""
    from ...preprocessing.images.sources import Source
    from ...preprocessing.sounds import is_sound

    kept, reasons = [], []
    for file in files:
        try:
            if not is_sound(file.path):
                Source(file.path).small(True, "ignored", False, "as stored")
            kept.append(file)
        except (PycheckError, OSError, ValueError, SyntaxError) as error:
            reasons.append(f"{file.name}: {error}")
    if not kept:
        raise InputsFileError(
            f"Python decodes none of the files. {'' if not reasons else reasons[0].rstrip('.')}.",
            "Give images that Pillow reads, or sounds that soundfile reads.",
        )
    return kept


async def _in_engine(
    hosts: Hosts, runtime: RuntimeId, module: Path, files: Sequence[SampleFile], options: Options, observe: Observer
) -> EngineDecoders:
    codes = [AppCode(module, f"d{number}") for number in range(len(files))]
    try:
        host = await hosts.get(options, runtime.engine)
        page = host.runtime(runtime, None, app=codes)
        async with hosts.turn(runtime), page:
            found = []
            for number, (file, code) in enumerate(zip(files, codes, strict=True)):
                found.append(await _decoded(page, code, file))
                observe(runtime.engine, "decoding", number + 1, len(files))
            return EngineDecoders(runtime.engine, page.environment.platform or "", files=tuple(found))
    except RuntimeFailedError as error:
        return EngineDecoders(runtime.engine, missing=error.message.rstrip("."))


async def decoded_by(setting: Setting, engine: str, files: Sequence[SampleFile]) -> tuple[DecodedFile, ...]:
    """Decode files of a run in a further page of an engine; none if Python decodes none, or the page does not run."""
    from ...preprocessing.engine_decoders import decoding_module

    try:
        known = await asyncio.to_thread(_decodable, files)
    except (InputsFileError, InstallationError):  # texts, or files that only the user's own code reads
        return ()
    with tempfile.TemporaryDirectory(prefix="pycheck-") as folder:
        module = Path(folder, "decode.js")
        module.write_text(decoding_module([(file.name, file.path) for file in known]), encoding="utf-8")
        hosts, options = setting.shared.hosts, setting.options
        made = await _in_engine(hosts, RuntimeId(engine, "cpu"), module, known, options, setting.observe)
    return tuple(file for file in made.files if not file.failure)


async def _decoded(page: BrowserRuntime, code: AppCode, file: SampleFile) -> DecodedFile:
    from ...preprocessing.engine_decoders import compare_decoded

    made = await page.prepare(code, [AppFile(file.name, file.path)], ["made"])
    if (failure := made.files[0].failure) is not None:
        return DecodedFile(file.name, file.path.suffix[1:].upper(), failure.message.rstrip("."))
    return await asyncio.to_thread(compare_decoded, file.name, file.path, np.asarray(made.tensors["made"])[0])


def _versions() -> list[str]:
    found = []
    for package in ("pillow", "soundfile"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return found
