from __future__ import annotations

from pathlib import Path

import pytest

from pycheck.diagnosis import diagnose
from pycheck.types import (
    NATIVE_FLOAT64,
    ArtifactInfo,
    Environment,
    Finding,
    ModelInfo,
    Power,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Severity,
    Signature,
    TensorSpec,
)

WEBGL, F16, WEBGPU = (RuntimeId("chromium", kind) for kind in ("webgl", "webgl-f16", "webgpu"))
RENDERER = "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero)), SwiftShader driver)"


def ran(runtime: RuntimeId, **environment: object) -> RuntimeRecord:
    return RuntimeRecord(runtime, RuntimeStatus.OK, Environment("tfjs 4.22.0", **environment), {})  # type: ignore[arg-type]


def findings(*records: RuntimeRecord, elements: int | None = None) -> tuple[Finding, ...]:
    return diagnose((), runtimes=records, input_elements={} if elements is None else {"x": elements, "small": 1})


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (RuntimeStatus.UNAVAILABLE, "runtime-unavailable"),
        (RuntimeStatus.FAILED, "runtime-failed"),
        (RuntimeStatus.TIMED_OUT, "runtime-timed-out"),
    ],
)
def test_a_runtime_that_did_not_run_is_an_error_with_its_reason(status: RuntimeStatus, code: str) -> None:
    (finding,) = findings(RuntimeRecord(WEBGPU, status, None, {}, "no adapter"))
    assert (finding.code, finding.severity, finding.runtimes) == (code, Severity.ERROR, (WEBGPU,))
    assert finding.summary.endswith(": no adapter")
    assert finding.advice


def test_runtimes_that_ended_for_the_same_reason_share_a_finding() -> None:
    def gone(kind: str, said: str = "there is no Firefox") -> RuntimeRecord:
        runtime = RuntimeId("firefox", kind)
        return RuntimeRecord(runtime, RuntimeStatus.UNAVAILABLE, None, {}, f"{runtime}: {said}\nInstall it.")

    same, other = findings(gone("cpu"), gone("wasm"), gone("webgl", "no WebGL"))
    assert [str(runtime) for runtime in same.runtimes] == ["firefox:cpu", "firefox:wasm"]
    assert same.summary.startswith("firefox:cpu and firefox:wasm ") and same.summary.endswith(": there is no Firefox")
    assert [str(runtime) for runtime in other.runtimes] == ["firefox:webgl"]


def test_the_advice_that_an_error_brought_is_kept() -> None:
    record = RuntimeRecord(WEBGPU, RuntimeStatus.FAILED, None, {}, "no adapter\nStart it with --headed.")
    assert findings(record)[0].advice == "Start it with --headed."


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        (
            "Requested texture size [9999x1] greater than WebGL maximum on this browser / GPU [4096x4096].",
            "--batch-size 1, then --flag WEBGL_CONV_IM2COL=false",
        ),
        ("Kernel 'FFT' not registered for backend 'wasm'", "replace the layer"),
        ("the page said no", "No cause is known"),
        ("the page crashed", "pycheck doctor"),
        ("out of memory", "--batch-size 1"),
    ],
)
def test_a_failure_that_is_known_has_an_advice_of_its_own_and_names_the_runtime_once(reason: str, advice: str) -> None:
    (finding,) = findings(RuntimeRecord(WEBGL, RuntimeStatus.FAILED, None, {}, f"{WEBGL}: {reason}"))
    assert finding.summary == f"chromium:webgl started and then failed: {reason}"
    assert advice in finding.advice


def test_a_float64_that_cannot_run_is_a_warning_about_the_noise_floor() -> None:
    (finding,) = findings(RuntimeRecord(NATIVE_FLOAT64, RuntimeStatus.FAILED, None, {}, "no kernel"))
    assert finding.severity is Severity.WARNING
    assert "assumed" in finding.advice


def test_runtimes_on_one_software_renderer_share_a_finding() -> None:
    (finding,) = findings(*(ran(i, renderer=RENDERER, software_renderer=True) for i in (WEBGL, F16)))
    assert (finding.code, finding.severity, finding.runtimes) == ("software-renderer", Severity.INFO, (WEBGL, F16))
    assert finding.summary.endswith("not on a GPU: SwiftShader.")


def test_operations_that_are_left_to_the_cpu_end_in_one_full_stop_whatever_the_library_says() -> None:
    litert = RuntimeId("chromium", "litert-webgpu")
    (finding,) = findings(ran(litert, left_to_cpu=("WHILE: Operation is not supported.", "GATHER: Only 1D indices")))
    assert finding.summary.endswith(": WHILE: Operation is not supported; GATHER: Only 1D indices.")
    (finding,) = findings(ran(litert, left_to_cpu=("WHILE: Operation is not supported.",)))
    assert finding.summary.endswith(": WHILE: Operation is not supported.")


def test_a_hardware_renderer_is_no_finding() -> None:
    assert findings(ran(WEBGL, renderer="NVIDIA H100", software_renderer=False)) == ()


@pytest.mark.parametrize(
    ("runtime", "flag", "threshold"), [(WEBGL, "WEBGL_CPU_FORWARD", 128), (WEBGPU, "WEBGPU_CPU_FORWARD", 1000)]
)
def test_inputs_below_the_threshold_are_forwarded_to_the_cpu(runtime: RuntimeId, flag: str, threshold: int) -> None:
    record = ran(runtime, flags={flag: True})
    assert [f.code for f in findings(record, elements=threshold - 1)] == ["cpu-forwarded"]
    assert findings(record, elements=threshold) == ()


@pytest.mark.parametrize(
    ("shape", "has_sample_axis", "larger"),
    [((None, 8), True, True), ((4, 8), True, False), ((1, 8), True, False), ((8,), False, False)],
)
def test_a_larger_batch_is_advised_only_to_a_model_that_takes_one(
    shape: tuple[int | None, ...], has_sample_axis: bool, larger: bool
) -> None:
    x = TensorSpec("x", "float32", shape, has_sample_axis=has_sample_axis)
    model = ModelInfo("m.keras", "keras-v3", "ab" * 32, Signature((x,), ()))
    record = ran(WEBGL, flags={"WEBGL_CPU_FORWARD": True})
    (found,) = diagnose((), runtimes=[record], model=model, input_elements={"x": 8})
    assert ("--batch-size" in found.advice) is larger
    assert "--flag WEBGL_CPU_FORWARD=false" in found.advice


def test_runtimes_that_forward_below_the_same_threshold_share_a_finding() -> None:
    records = [ran(i, flags={"WEBGL_CPU_FORWARD": True}) for i in (WEBGL, F16)]
    (finding,) = findings(*records, elements=127)
    assert finding.runtimes == (WEBGL, F16)
    assert "chromium:webgl and chromium:webgl-f16" in finding.summary and "on the CPU" in finding.summary


def test_nothing_is_forwarded_when_the_flag_is_off_or_the_threshold_was_lowered() -> None:
    off = {"WEBGL_CPU_FORWARD": False}
    lowered = {"WEBGL_CPU_FORWARD": True, "CPU_HANDOFF_SIZE_THRESHOLD": 4}
    assert findings(ran(WEBGL, flags=off), elements=5) == ()
    assert findings(ran(WEBGL, flags=lowered), elements=5) == ()


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    ("reason", "failure", "advice"),
    [
        ("given with --tfjs-model", "the layer 'reg' has no weight for its kernel [16, 6]", "Python cannot run this"),
        (
            "given as the model",
            "Input to reshape is a tensor with 32 values (node flat/Reshape)",
            "Python cannot run this",
        ),
        (
            "the published converter converts Keras 2 files to layers models",
            "no weight for it",
            "Python cannot run this",
        ),
        ("given with --tfjs-model", "", "No cause is known"),
        ("tfjs-layers has every layer", "Input to reshape is a tensor with 32 values", "No cause is known"),
    ],
)
def test_a_given_artifact_that_python_cannot_run_either_is_at_fault(
    count: int, reason: str, failure: str, advice: str
) -> None:
    failed = [
        RuntimeRecord(runtime, RuntimeStatus.FAILED, None, {}, "Shape mismatch: [16,6] vs. [16,5]")
        for runtime in (WEBGL, WEBGPU)[:count]
    ]
    converter = "tensorflowjs 4.22.0, tensorflow 2.19.0" if reason.startswith("the published") else ""
    artifact = ArtifactInfo(Path(), "graph", "none", 0, converter, reason, (), (), {}, {})
    (finding,) = diagnose((), runtimes=failed, artifact=artifact, power=Power(0.01, 0, (), failure=failure))
    assert finding.advice.startswith(advice)
    assert (failure in finding.advice) == (bool(failure) and advice.startswith("Python")) or not failure
    assert "Use another backend" not in finding.advice


def test_browsers_fail_alike_whatever_one_console_said_meanwhile() -> None:
    said = ("weights are cut short", "weights are cut short (the browser said: Failed to load resource)")
    records = [
        RuntimeRecord(r, RuntimeStatus.FAILED, Environment("tfjs 4.22.0"), {}, f"{r}: {text}")
        for r, text in zip((WEBGL, WEBGPU), said, strict=True)
    ]
    (found,) = [f for f in findings(*records) if f.code == "runtime-failed"]
    assert found.runtimes == (WEBGL, WEBGPU) and "in the artifact" in found.summary
