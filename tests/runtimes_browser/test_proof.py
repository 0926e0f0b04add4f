"""What a page must have proved before it counts."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import pytest

from pycheck import protocol
from pycheck.errors import NoKernelError, RuntimeFailedError, RuntimeUnavailableError, UnsupportedModelError, UsageError
from pycheck.protocol import FlagValue
from pycheck.runtimes.browser import proof
from pycheck.runtimes.browser.harness import Harness
from pycheck.types import RuntimeId

HELLO = protocol.Hello(1, "agent", is_isolated=False)


def bits(*values: float) -> tuple[int, ...]:
    return struct.unpack(f"<{len(values)}I", struct.pack(f"<{len(values)}f", *values))


FLOAT32 = protocol.Probes(bits(2049, 16777215), bits(2.0**-127, 2.0**-127), bits(2.0**-15, 2.0**-15), bits(2051, 70000))
FLOAT16 = protocol.Probes(bits(2048, float("inf")), bits(0, 0), bits(2.0**-15, 2.0**-15), bits(2052, float("inf")))
STARTED = protocol.Started(1, "tfjs 4.22.0", "webgl", "GPU", False, 1e-4, {}, {}, (), None, "with SIMD", FLOAT32, ())


def environment(kind: str, asked_flags: dict[str, FlagValue] | None = None, **changes: Any) -> Any:
    known = {"WEBGL_PACK": "backend-webgl", "TOPOLOGICAL_SORT_CACHE_MAX_ENTRIES": "layers"}
    asked = proof.Asked(RuntimeId("chromium", kind), asked_flags or {}, "Chromium 1", True, known)
    return proof.environment(asked, HELLO, replace(STARTED, **changes))


def test_a_page_that_runs_what_was_asked_for_has_an_environment() -> None:
    found = environment("webgl")
    assert (found.backend, found.renderer, found.software_renderer) == ("webgl", "GPU", False)
    assert (found.float_bits, found.denormals, found.user_agent) == (32, "kept", "agent")


def test_another_backend_than_asked_for_is_a_failure() -> None:
    with pytest.raises(RuntimeFailedError, match="cpu instead of webgl"):
        environment("webgl", backend="cpu")


def test_half_floats_that_compute_in_whole_ones_are_a_failure() -> None:
    with pytest.raises(RuntimeFailedError, match="32 bits"):
        environment("webgl-f16")
    assert environment("webgl-f16", probes=FLOAT16).float_bits == 16


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ((2052, float("inf")), "float16: rounded to the nearest; 70000 becomes infinity"),
        ((2050, 65504), "float16: rounded toward zero, with bias and up to twice the error; 70000 becomes 65504"),
        ((2052, float("nan")), "float16: rounded to the nearest; 70000 becomes NaN"),
    ],
)  # fmt: skip
def test_how_half_floats_round_and_overflow_is_told_where_they_are_computed_with(
    limits: tuple[float, float], said: str
) -> None:
    assert said in environment("webgl-f16", probes=replace(FLOAT16, limits_float16=bits(*limits))).notes
    assert not any("float16" in note for note in environment("webgl").notes)


def test_webkit_s_name_for_every_gpu_is_not_taken_for_its_name() -> None:
    def webkit(renderer: str | None) -> Any:
        asked = proof.Asked(RuntimeId("webkit", "webgl"), {}, "WebKitGTK 2", True, {}, renderer)
        return proof.environment(asked, HELLO, replace(STARTED, renderer="Apple GPU"))

    unknown, known = webkit(None), webkit("llvmpipe")
    assert (unknown.renderer, unknown.software_renderer) == ("Apple GPU", None)
    assert any("the GPU is unknown" in note for note in unknown.notes)
    assert (known.renderer, known.software_renderer) == ("llvmpipe", True)
    assert any("'Apple GPU'" in note for note in known.notes)


def test_a_flag_that_is_not_in_force_is_a_failure() -> None:
    with pytest.raises(RuntimeFailedError, match=r"WEBGL_PACK=True instead of False"):
        environment("webgl", {"WEBGL_PACK": False}, flags={"WEBGL_PACK": True})


def test_flags_that_differ_from_their_defaults_are_told_apart() -> None:
    found = environment("webgl", flags={"A": 1, "B": 2}, flags_default={"A": 1, "B": 3})
    assert found.flags_set == {"B": 2}


@pytest.mark.parametrize(
    ("values", "expected"),
    [((2049, 16777215), 32), ((2048, float("inf")), 16), ((2050, float("nan")), 16), ((2049, 16777216), None)],
)
def test_precision_is_told_from_what_a_product_with_one_keeps(values: tuple[float, ...], expected: int | None) -> None:
    assert environment("webgl", probes=replace(FLOAT32, significand=bits(*values))).float_bits == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [((2.0**-127, 2.0**-127), "kept"), ((0, 0), "flushed"), ((2.0**-127, 0), "partly flushed")],
)
def test_denormals_are_kept_only_if_they_survive_as_result_and_as_operand(
    values: tuple[float, ...], expected: str
) -> None:
    assert environment("webgl", probes=replace(FLOAT32, denormals_float32=bits(*values))).denormals == expected


def test_denormals_of_half_floats_are_judged_in_half_floats() -> None:
    assert environment("webgl-f16", probes=FLOAT16).denormals == "kept"


def test_handing_small_tensors_to_the_cpu_is_noted_with_its_threshold() -> None:
    on = {"WEBGL_CPU_FORWARD": True, "CPU_HANDOFF_SIZE_THRESHOLD": 128}
    assert any("fewer than 128 elements" in note for note in environment("webgl", flags=on).notes)
    assert environment("webgl", flags={**on, "WEBGL_CPU_FORWARD": False}).notes == ()


def test_software_webgl_that_tfjs_would_refuse_is_noted() -> None:
    flags = {"SOFTWARE_WEBGL_ENABLED": True}
    assert any("SOFTWARE_WEBGL_ENABLED" in note for note in environment("webgl", flags=flags).notes)


def test_a_flag_of_another_backend_is_noted_and_one_of_layers_is_not() -> None:
    unknown = ("WEBGL_PACK", "TOPOLOGICAL_SORT_CACHE_MAX_ENTRIES")
    (note,) = environment("cpu", backend="cpu", flags_unknown=unknown).notes
    assert note == "flag WEBGL_PACK has no effect here: it is for backend-webgl"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("3", 3),
        ("-1", -1),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("inf", "Infinity"),
        ("-Infinity", "-Infinity"),
        ("nan", "NaN"),
        ("conv2d,binary", "conv2d,binary"),
        ("", ""),
    ],
)
def test_a_flags_text_is_read_as_tfjs_reads_it(text: str, value: FlagValue) -> None:
    found = proof.parse_flag(text)
    assert found == value
    assert type(found) is type(value)


def test_a_flag_that_tfjs_does_not_have_is_refused_with_the_nearest() -> None:
    known = Harness.read().flags
    proof.check_flags({"WEBGL_CPU_FORWARD": True, "WEBGPU_CPU_FORWARD": True, "WASM_HAS_SIMD_SUPPORT": True}, known)
    with pytest.raises(UsageError, match="no flag 'webgl_cpu_foward'") as caught:
        proof.check_flags({"webgl_cpu_foward": True}, known)
    assert "WEBGL_CPU_FORWARD" in caught.value.advice
    with pytest.raises(UsageError) as caught:
        proof.check_flags({"XYZ": True}, known)
    assert "It has: CANVAS2D" in caught.value.advice


@pytest.mark.parametrize(
    ("code", "message", "error", "part"),
    [
        ("unavailable", "no adapter", RuntimeUnavailableError, "Chromium 113"),
        ("flag", "takes a number", UsageError, ""),
        ("gpu", "WebGL reports OUT_OF_MEMORY", RuntimeFailedError, "--batch-size"),
        ("predict", "Kernel 'Einsum' not registered for backend 'wasm'", NoKernelError, "replace the layer"),
        ("load", "Unknown layer: Foo. This may be due to", UnsupportedModelError, "--format graph"),
        (
            "load",
            "litert_web.cc:245 (the browser said: WARNING: Attempting to use a delegate that only supports "
            "static-sized tensors with a graph that has dynamic-sized tensors (tensor#14 is a dynamic-sized tensor).)",
            UnsupportedModelError,
            "unroll=True",
        ),
        ("predict", "anything else", RuntimeFailedError, ""),
    ],
)
def test_a_failure_becomes_the_error_of_its_kind_with_what_to_do(
    code: Any, message: str, error: type[Exception], part: str
) -> None:
    found = proof.failure(RuntimeId("chromium", "webgpu"), protocol.Failed(1, code, message, ""))
    assert type(found) is error
    assert part in found.advice


def test_a_missing_kernel_is_named_with_its_backend() -> None:
    failed = protocol.Failed(1, "predict", "Kernel 'Einsum' not registered for backend 'wasm'", "")
    assert "wasm backend has no kernel for Einsum" in proof.failure(RuntimeId("chromium", "wasm"), failed).message


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ("ERROR: [a/litert_web.cc:245]\n└ ERROR: [b/model_next.h:70]", ["litert_web.cc:245 and model_next.h:70"]),
        ("Failed to load\n└ ERROR: [b/model_next.h:70]", ["Failed to load", "model_next.h:70"]),
    ],
)
def test_a_message_of_litert_is_one_line(message: str, wanted: list[str]) -> None:
    found = proof.failure(RuntimeId("chromium", "litert-webgpu"), protocol.Failed(1, "load", message, ""))
    assert "\n" not in found.message and all(part in found.message for part in wanted)
