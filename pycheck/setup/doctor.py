"""Examines which runtimes can start here, on which renderer, and why the others cannot."""

from __future__ import annotations

import asyncio
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from ..errors import RuntimeFailedError, RuntimeUnavailableError
from ..options.values import Options
from ..runtimes.browser.host import BrowserHost
from ..runtimes.browser.proof import GPU_ON_LINUX
from ..runtimes.devices import DeviceInfo, connected
from ..system import installed
from ..types import BROWSER_ENGINES, BROWSER_KINDS, DEVICE, NATIVE_FLOAT32, Environment, RuntimeId
from ..workflow.browsers import Hosts
from .tensorflow_check import tensorflow_error

Observer = Callable[[str, str, int, int], None]

#: The folder of GPUs on Linux.
_GPUS = ("/dev/nvidia0", "/dev/dri/renderD128")
#: The most seconds for each start.
_MOST_S = 60.0
_MODULES = {"tensorflow": "tensorflow", "keras": "keras", "tf_keras": "tf-keras"}
_PACKAGES = ("numpy", "playwright")


@dataclass(frozen=True, slots=True)
class Row:
    """One runtime: whether it started, and its description or the reason why it did not."""

    runtime: RuntimeId
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of `examine`. `healthy` says that every default runtime starts."""

    versions: tuple[str, ...]
    rows: tuple[Row, ...]
    advice: tuple[str, ...]
    healthy: bool


async def examine(options: Options, observe: Observer) -> Diagnosis:
    """Start every runtime of every engine and of every connected device once, without a model."""
    advice: dict[str, None] = {}
    engines = [*BROWSER_ENGINES, *(f"{DEVICE}{device.name}" for device in await _devices())]
    native = asyncio.create_task(_native(advice))
    hosts = Hosts(sends_models=False)
    bounded = replace(options, timeout_s=min(options.timeout_s, _MOST_S))
    try:
        found = await asyncio.gather(*(_examine(hosts, engine, bounded, observe, advice) for engine in engines))
    finally:
        await hosts.close()
    rows = (await native, *(row for rows in found for row in rows))
    healthy = all(row.ok for row in rows if row.runtime in (NATIVE_FLOAT32, *options.runtimes))
    return Diagnosis(_versions(), rows, tuple(filter(None, advice)), healthy)


async def _devices() -> tuple[DeviceInfo, ...]:
    """Examine the connected devices; without any, the table does not mention devices."""
    try:
        return await connected()
    except RuntimeUnavailableError:
        return ()


async def _examine(
    hosts: Hosts, engine: str, options: Options, observe: Observer, advice: dict[str, None]
) -> list[Row]:
    """Examine the runtimes of one engine in turn, in one browser."""
    is_here = options.browser(engine).address is None
    rows: list[Row] = []
    try:
        host = await hosts.get(options, engine)
        for kind in BROWSER_KINDS:
            observe(engine, f"starting {kind}", len(rows), len(BROWSER_KINDS))
            rows.append(await _start(host, RuntimeId(engine, kind), advice, is_here=is_here))
    except RuntimeFailedError as error:
        rows += [Row(RuntimeId(engine, kind), False, error.message) for kind in BROWSER_KINDS[len(rows) :]]
        advice[error.advice] = None
    return rows


async def _start(host: BrowserHost, runtime_id: RuntimeId, advice: dict[str, None], *, is_here: bool) -> Row:
    try:
        async with host.runtime(runtime_id, None, flags={}) as runtime:
            if runtime.environment.software_renderer and is_here:
                advice[unused_gpu(runtime_id.engine)] = None
            return Row(runtime_id, True, _describe(runtime.environment))
    except RuntimeFailedError as error:
        advice[error.advice] = None
        return Row(runtime_id, False, error.message.removeprefix(f"{runtime_id}: "))


def unused_gpu(engine: str) -> str:
    """Return the advice if this machine has a GPU and the browser renders in software; else an empty text."""
    there = next((node for node in _GPUS if Path(node).exists()), None)
    if engine != "chromium" or there is None:
        return ""
    return f"This machine has a GPU ({there}), but Chromium renders in software. To use the GPU, add {GPU_ON_LINUX}"


def _describe(environment: Environment) -> str:
    """Describe an environment in one line: platform, renderer, software or hardware, precision, denormals."""
    parts = [environment.platform or environment.library]
    if environment.renderer:
        kind = {True: "software", False: "hardware", None: "unknown whether hardware"}[environment.software_renderer]
        parts.append(f"{environment.renderer} ({kind})")
    if environment.float_bits:
        parts.append(f"float{environment.float_bits}")
    if environment.denormals:
        parts.append(f"denormals {environment.denormals}")
    if environment.sandbox is False:
        parts.append("browser sandbox off")
    return ", ".join(parts)


async def _native(advice: dict[str, None]) -> Row:
    if error := await tensorflow_error():
        advice[error.advice] = None
        return Row(NATIVE_FLOAT32, False, error.message)
    if problem := installed.tf_keras_problem():
        advice[f"For models that Keras 2 wrote and TF.js layers models: {problem.message} {problem.advice}"] = None
    return Row(NATIVE_FLOAT32, True, f"{installed.find('tensorflow')}, Keras backend tensorflow")


def _versions() -> tuple[str, ...]:
    names = [str(installed.find(module) or f"{name} not installed") for module, name in _MODULES.items()]
    names += [f"{package} {version(package)}" for package in _PACKAGES]
    python = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    return (python + (" (64 bit)" if sys.maxsize > 2**32 else " (32 bit)"), ", ".join(names))
