"""Checks that a page runs the requested backend and precision, and returns its Environment, or rejects the page."""

from __future__ import annotations

import difflib
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from ... import protocol
from ...errors import (
    AppCodeError,
    NoKernelError,
    PycheckError,
    RuntimeFailedError,
    RuntimeUnavailableError,
    UnsupportedModelError,
    UsageError,
)
from ...protocol import FlagValue
from ...types import Environment, RuntimeId

#: The backend in TF.js of each kind, and the flags of the kind.
KINDS: Mapping[str, tuple[str, Mapping[str, FlagValue]]] = {
    "cpu": ("cpu", {}),
    "wasm": ("wasm", {}),
    "webgl": ("webgl", {}),
    "webgl-f16": ("webgl", {"WEBGL_FORCE_F16_TEXTURES": True}),
    "webgpu": ("webgpu", {}),
    "litert-wasm": ("litert-wasm", {}),
    "litert-webgpu": ("litert-webgpu", {}),
}
#: The flags by backend that send small tensors to CPU kernels, and the size limit.
_FORWARDING = {
    "webgl": ("WEBGL_CPU_FORWARD", "CPU_HANDOFF_SIZE_THRESHOLD"),
    "webgpu": ("WEBGPU_CPU_FORWARD", "WEBGPU_CPU_HANDOFF_SIZE_THRESHOLD"),
}
#: The advice for a headless Chromium on a Linux machine with a GPU: without a display it renders WebGL in software, and
#: WebGPU selects SwiftShader, because Vulkan does not start without a surface.
GPU_ON_LINUX = (
    "--browser-arg=--use-angle=vulkan --browser-arg=--enable-features=Vulkan --browser-arg=--disable-vulkan-surface"
)
_WEBGPU_ADVICE = {
    "chromium": (
        "WebGPU needs Chromium 113 or newer with a GPU driver or SwiftShader. Name a different browser with "
        f"--browser-path, remove this runtime, or on Linux with a GPU add {GPU_ON_LINUX}"
    ),
    "firefox": "Firefox needs a GPU driver with WebGPU support (Vulkan on Linux). Install one, or remove this runtime.",
    "webkit": "WebKit has WebGPU in Safari 26 and newer, but not on Linux. Remove this runtime.",
}
_FALLBACK_ADVICE = (
    "LiteRT.js has no WebGPU kernel for an operation of this model. Remove this runtime, or replace the layer."
)
_DEVICE_ADVICE = "Update the device's browser, or remove this runtime."
_INSECURE_ADVICE = "Set up a secure context as in docs/devices.md, or remove this runtime."
_WEBKIT_MASK = "Apple GPU"
_NO_KERNEL = re.compile(r"Kernel '(\w+)' not registered for backend '(\w+)'")
_NO_OP = re.compile(r"Unknown op '(\w+)'")
_LITERT_PLACE = re.compile(r"ERROR: \[(?:.*/)?([^/]+:\d+)\]")
_NO_LAYER = re.compile(r"Unknown layer: (\w+)")
_DYNAMIC = re.compile(
    r"Attempting to use a delegate that only supports static-sized tensors.*is a dynamic-sized tensor\)"
)
_DYNAMIC_ADVICE = (
    "An LSTM or a GRU with return_sequences=True becomes a loop with such tensors. Use litert-wasm, or convert a copy "
    "of the model with unroll=True in this layer."
)


def parse_flag(text: str) -> FlagValue:
    """Parse the value of ``--flag NAME=VALUE`` as TF.js reads it in an address: true, false, a number, else text."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        return value if value - value == 0 else {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")
    return text


def check_flags(flags: Mapping[str, FlagValue], known: Mapping[str, str]) -> None:
    """Raise UsageError, with the nearest names, for an unknown flag of TF.js."""
    for name in flags:
        if name not in known:
            near = difflib.get_close_matches(name.upper(), known, n=3, cutoff=0.6)
            raise UsageError(
                f"TF.js has no flag {name!r}.",
                f"Did you mean {' or '.join(near)}?" if near else f"It has: {', '.join(sorted(known))}.",
            )


@dataclass(frozen=True, slots=True)
class Asked:
    """The request for a runtime."""

    id: RuntimeId
    flags: Mapping[str, FlagValue]  # flags of the kind and of the user
    platform: str
    sandbox: bool | None
    known_flags: Mapping[str, str]
    renderer: str | None = None  # the renderer, if the launcher knows it and the pages do not
    engine: str = ""  # the engine of the browser, if the runtime's name does not contain it


def environment(asked: Asked, hello: protocol.Hello, started: protocol.Started) -> Environment:
    """Return the environment of a page; RuntimeFailedError if it differs from the request."""
    backend, _ = KINDS[asked.id.kind]
    if started.backend != backend:
        raise RuntimeFailedError(f"The page runs the backend {started.backend} instead of {backend}.")
    float_bits = _float_bits(started.probes.significand)
    if asked.id.kind == "webgl-f16" and float_bits != 16:
        raise RuntimeFailedError(
            f"webgl-f16 needs half-float textures, but kernels compute with {float_bits or 'unknown'} bits.",
            "This browser ignores WEBGL_FORCE_F16_TEXTURES. Remove this runtime.",
        )
    for name, value in asked.flags.items():
        if name in started.flags and started.flags[name] != value:
            raise RuntimeFailedError(f"TF.js has the flag {name}={started.flags[name]} instead of {value}.")
    renderer, software, masked = _renderer(asked, started)
    changed = {n: v for n, v in started.flags.items() if started.flags_default.get(n) != v}
    return Environment(
        library=started.library,
        platform=asked.platform,
        backend=started.backend,
        renderer=renderer,
        software_renderer=software,
        float_bits=float_bits,
        denormals=_denormals(started.probes, float_bits),
        epsilon=started.epsilon,
        sandbox=asked.sandbox,
        user_agent=hello.user_agent,
        flags=dict(started.flags),
        flags_set=changed,
        notes=(*_notes(asked, started), *masked, *(_half_floats(started.probes) if float_bits == 16 else ())),
    )


def failure(id: RuntimeId, failed: protocol.Failed) -> PycheckError:
    """Make the error for a command that failed in the page, with the advice."""
    message = _of_litert(failed.message) if id.is_litert else failed.message
    if failed.code == "unavailable":
        return RuntimeUnavailableError(message, _advice(id, message))
    if failed.code == "flag":
        return UsageError(message)
    if failed.code == "app":
        return AppCodeError(failed.message)
    if failed.code == "fallback":
        return RuntimeFailedError(f"{message}.", _FALLBACK_ADVICE)
    if match := _NO_KERNEL.search(message):
        op, backend = match.groups()
        return NoKernelError(
            f"TF.js's {backend} backend has no kernel for {op}, which this model needs.",
            "Remove this runtime, or replace the layer that uses the kernel.",
        )
    if match := _NO_OP.search(message):
        return UnsupportedModelError(f"TF.js has no operation {match[1]}, which this model needs: {message}")
    if match := _NO_LAYER.search(message):
        advice = "Convert the model to the graph format: --format graph"
        return UnsupportedModelError(f"tfjs-layers has no layer {match[1]}: {message}", advice)
    if match := _DYNAMIC.search(message):
        reason = "LiteRT.js's WebGPU code needs tensors of a fixed size, and this model computes the size of one"
        return UnsupportedModelError(f"{reason} (the browser said: {match[0]}).", _DYNAMIC_ADVICE)
    advice = "The GPU failed. Try a smaller --batch-size." if failed.code == "gpu" else ""
    return RuntimeFailedError(message, advice)


def _of_litert(message: str) -> str:
    """Return a message of LiteRT.js in one line; it often consists of places in its source code alone."""
    lines = [line.strip(" └") for line in message.splitlines()]
    places = [found[1] for line in lines if (found := _LITERT_PLACE.fullmatch(line))]
    if len(places) == len(lines):
        return f"LiteRT.js failed without a reason, at {' and '.join(places)}."
    return "; ".join(lines)


def isolation_advice(id: RuntimeId) -> str:
    """Return what to do if a page that should be cross-origin isolated is not."""
    if id.is_on_device:
        return "Open the device's page over https, from pycheck devices --listen --isolated."
    return "Remove --isolated, or this runtime: its browser needs https, or has no such isolation."


def _advice(id: RuntimeId, message: str) -> str:
    if id.is_on_device:
        return _INSECURE_ADVICE if "no secure context" in message else _DEVICE_ADVICE
    if id.kind.endswith("webgpu"):
        return _WEBGPU_ADVICE[id.engine]
    option = "--browser-path" if id.engine == "chromium" else f"--browser-path {id.engine}=PATH"
    return f"Update the browser or its GPU driver, name a different browser with {option}, or remove this runtime."


def _renderer(asked: Asked, started: protocol.Started) -> tuple[str | None, bool | None, tuple[str, ...]]:
    """Return the renderer and whether it is a software renderer, with a note if the browser hides it.

    WebKit returns the same text to every page: Source/WebCore/html/canvas/WebGLRenderingContextBase.cpp.
    """
    if (asked.engine or asked.id.engine) != "webkit" or started.renderer != _WEBKIT_MASK:
        return started.renderer, started.software_renderer, ()
    if asked.renderer is None:
        return started.renderer, None, (f"the GPU is unknown: WebKit reports every GPU as {_WEBKIT_MASK!r}",)
    return (
        asked.renderer,
        True,
        (f"the renderer is that of the browser's start options, because WebKit reports {_WEBKIT_MASK!r}",),
    )


def _notes(asked: Asked, started: protocol.Started) -> list[str]:
    notes = list(started.notes)
    if started.wasm_threads is not None and not asked.id.kind.endswith("webgpu"):
        count = f"{started.wasm_threads} thread{'' if started.wasm_threads == 1 else 's'}"
        build = ", TF.js's build for threads" if started.flags.get("WASM_HAS_MULTITHREAD_SUPPORT") else ""
        notes.append(f"WebAssembly {started.wasm_simd}, {count}{build}")
    if started.backend in _FORWARDING:
        forward, threshold = _FORWARDING[started.backend]
        if started.flags.get(forward):
            notes.append(
                f"TF.js runs operations on tensors of fewer than {started.flags.get(threshold)} elements that are "
                "not yet "
                f"on the GPU in its CPU kernels ({forward}, on by default)"
            )
    if started.flags.get("SOFTWARE_WEBGL_ENABLED"):
        what = "WebGL runs in software" if started.software_renderer else "the browser reports its WebGL as slow"
        notes.append(
            f"{what}: TF.js rejects software WebGL by default; pycheck sets SOFTWARE_WEBGL_ENABLED to allow it"
        )
    for name in started.flags_unknown:
        if asked.known_flags.get(name) != "layers":  # tfjs-layers registers its flags when a model is loaded
            notes.append(f"flag {name} has no effect here: it is for {asked.known_flags.get(name)}")
    return notes


def _float(bits: int) -> float:
    value: float = struct.unpack("<f", struct.pack("<I", bits))[0]
    return value


def _float_bits(significand: tuple[int, ...]) -> int | None:
    """Return 32 if 24 significant bits survive a product with 1, 16 if not even 12 do."""
    twelve, twenty_four = (_float(bits) for bits in significand)
    if (twelve, twenty_four) == (2049.0, 16777215.0):
        return 32
    return 16 if twelve != 2049.0 else None


def _half_floats(probes: protocol.Probes) -> tuple[str, ...]:
    """Describe how the driver rounds to float16 and handles overflow, because drivers differ.

    Mesa's llvmpipe rounds toward zero, although OpenGL recommends otherwise: lp_build_float_to_half in lp_bld_conv.c.
    """
    between, above = (_float(bits) for bits in probes.limits_float16)
    rounding = {2052.0: "to the nearest", 2050.0: "toward zero, with bias and up to twice the error"}
    stored = "NaN" if above != above else f"{above:g}" if above - above == 0 else "infinity"
    return (f"float16: rounded {rounding.get(between, f'so that 2051 is {between:g}')}; 70000 becomes {stored}",)


def _denormals(probes: protocol.Probes, float_bits: int | None) -> str | None:
    """Tell whether denormals of the probed precision survive, both as a result and as an operand."""
    if float_bits is None:
        return None
    found = probes.denormals_float16 if float_bits == 16 else probes.denormals_float32
    expected = 2.0**-15 if float_bits == 16 else 2.0**-127
    values = [_float(bits) for bits in found]
    if values == [expected, expected]:
        return "kept"
    return "flushed" if values == [0.0, 0.0] else "partly flushed"
