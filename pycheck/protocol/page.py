"""Messages of every page: its start, its environment, its failures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic.dataclasses import dataclass

from .strict import STRICT, FlagValue


@dataclass(frozen=True, slots=True, config=STRICT)
class Hello:
    """The first message: the page has connected. `is_isolated`: it is cross-origin isolated."""

    protocol_version: int
    user_agent: str
    is_isolated: bool
    type: Literal["hello"] = "hello"


@dataclass(frozen=True, slots=True, config=STRICT)
class Start:
    """Set the flags, then start one backend of TF.js, or one accelerator of LiteRT.js, and prove that it runs."""

    id: int
    backend: Literal["cpu", "wasm", "webgl", "webgpu", "litert-wasm", "litert-webgpu"]
    flags: Mapping[str, FlagValue]
    type: Literal["start"] = "start"


@dataclass(frozen=True, slots=True, config=STRICT)
class Probes:
    """Results of real kernels, as the bits of each float32, which Python interprets.

    The kernel is an elementwise product of tensors that are too large for TF.js's CPU forwarding. `significand` is
    2049 x 1 and 16777215 x 1: 12 and 24 significant bits. `denormals_float32` is 2^-126 x 0.5 and 2^-127 x 1;
    `denormals_float16` is 2^-14 x 0.5 and 2^-15 x 1. `limits_float16` is 2051 x 1, which lies between two half floats,
    and 70000 x 1, which exceeds all of them.
    """

    significand: tuple[int, ...]
    denormals_float32: tuple[int, ...]
    denormals_float16: tuple[int, ...]
    limits_float16: tuple[int, ...]


@dataclass(frozen=True, slots=True, config=STRICT)
class Started:
    """The backend runs, with this environment.

    `library` is such as "tfjs 4.22.0". `flags` are the present values, `flags_default` the defaults, and
    `flags_unknown` the requested flags that no loaded module has.
    """

    id: int
    library: str
    backend: str
    renderer: str | None
    software_renderer: bool | None
    epsilon: float | None
    flags: Mapping[str, FlagValue]
    flags_default: Mapping[str, FlagValue]
    flags_unknown: tuple[str, ...]
    wasm_threads: int | None
    wasm_simd: str
    probes: Probes
    notes: tuple[str, ...]
    type: Literal["started"] = "started"


FailureCode = Literal[
    "unavailable", "flag", "backend", "load", "fallback", "predict", "train", "gpu", "transfer", "app"
]


@dataclass(frozen=True, slots=True, config=STRICT)
class Failed:
    """A command failed.

    `unavailable`: this browser lacks the feature. `fallback`: LiteRT.js would run on a different accelerator. `gpu`:
    the GPU failed or was lost. `app`: the user's module does not load, or lacks the export.
    """

    id: int
    code: FailureCode
    message: str
    stack: str
    type: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True, config=STRICT)
class Event:
    """An event outside of commands, which ends the runtime."""

    code: Literal["context-lost", "device-lost", "gpu-error", "uncaught"]
    message: str
    type: Literal["event"] = "event"
