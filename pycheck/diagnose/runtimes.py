"""Findings about the runtimes themselves: which did not run, and what the others really were."""

from __future__ import annotations

from collections.abc import Iterator

from ..types import Finding, RuntimeId, RuntimeRecord, RuntimeStatus, Severity
from .case import Case, Rule, listed
from .codes import finding

_STATUS = {
    RuntimeStatus.UNAVAILABLE: ("runtime-unavailable", "could not be started here"),
    RuntimeStatus.FAILED: ("runtime-failed", "started and then failed"),
    RuntimeStatus.TIMED_OUT: ("runtime-timed-out", "gave no answer in time"),
}
_ADVICE = {
    RuntimeStatus.UNAVAILABLE: "Run pycheck doctor: it says what is missing and how to get it.",
    RuntimeStatus.FAILED: "Run it alone with -v to see what the browser said; pycheck doctor checks the browser.",
    RuntimeStatus.TIMED_OUT: "Give it longer with --timeout, or less at a time with --batch-size.",
}
#: What the browser says of some failures, and what to do about them.
_KNOWN_FAILURES = (
    (
        "greater than WebGL maximum",
        "A tensor is larger than this GPU's textures may be: take a smaller --batch-size, make the layer smaller, or "
        "let such devices use wasm.",
    ),
    (
        "not registered",
        "This backend has no kernel for it: take another one for this model, or replace the layer that needs it.",
    ),
    ("out of memory", "Take a smaller --batch-size, or fewer runtimes at a time."),
)
_FLOAT64_ADVICE = "Errors are measured against native:float32 instead, and the noise floor is assumed, not measured."

#: TF.js's default CPU_HANDOFF_SIZE_THRESHOLD and WEBGPU_CPU_HANDOFF_SIZE_THRESHOLD, with the flags that switch them.
_FORWARDING = {
    "webgl": ("WEBGL_CPU_FORWARD", "CPU_HANDOFF_SIZE_THRESHOLD", 128),
    "webgl-f16": ("WEBGL_CPU_FORWARD", "CPU_HANDOFF_SIZE_THRESHOLD", 128),
    "webgpu": ("WEBGPU_CPU_FORWARD", "WEBGPU_CPU_HANDOFF_SIZE_THRESHOLD", 1000),
}


def not_run(case: Case) -> Iterator[Finding]:
    """runtime-unavailable, runtime-failed, runtime-timed-out."""
    for record in case.runtimes:
        if record.status is RuntimeStatus.OK:
            continue
        code, what = _STATUS[record.status]
        reason, _, advice = (record.error or "").partition("\n")
        reason = reason.removeprefix(f"{record.id}: ")
        optional = record.id.kind == "float64"
        yield finding(
            code,
            Severity.WARNING if optional else Severity.ERROR,
            runtime=record.id,
            summary=f"{record.id} {what}" + (f": {reason}" if reason else "."),
            advice=advice or (_FLOAT64_ADVICE if optional else _advice(record.status, reason)),
            evidence={"status": record.status.value, "error": record.error},
        )


def _advice(status: RuntimeStatus, reason: str) -> str:
    return next((advice for words, advice in _KNOWN_FAILURES if words in reason), _ADVICE[status])


#: Renderers that compute on the CPU, as their strings name them.
_SOFTWARE = ("SwiftShader", "llvmpipe", "Microsoft Basic Render", "Apple Software Renderer")


def software_renderer(case: Case) -> Iterator[Finding]:
    """software-renderer: one finding for each renderer that is no GPU."""
    by_renderer: dict[str, list[RuntimeId]] = {}
    for record in case.runtimes:
        environment = record.environment
        if environment and environment.software_renderer:
            by_renderer.setdefault(environment.renderer or "a software renderer", []).append(record.id)
    for renderer, ids in by_renderer.items():
        yield finding(
            "software-renderer",
            Severity.INFO,
            runtime=ids[0] if len(ids) == 1 else None,
            summary=f"{listed(ids)} ran on a software renderer, not on a GPU: {_short(renderer)}.",
            advice="Your users' GPUs may round, overflow and flush denormals differently; check on real hardware too.",
            evidence={"renderer": renderer, "runtimes": [str(i) for i in ids]},
        )


def _short(renderer: str) -> str:
    return next((name for name in _SOFTWARE if name.lower() in renderer.lower()), renderer)


def cpu_forwarded(case: Case) -> Iterator[Finding]:
    """cpu-forwarded: every input is so small that TF.js starts on its CPU kernels."""
    for record in case.runtimes:
        threshold = _threshold(record)
        if not case.input_elements or threshold is None:
            continue
        largest = max(case.input_elements.values())
        if largest < threshold:
            flag = _FORWARDING[record.id.kind][0]
            yield finding(
                "cpu-forwarded",
                Severity.INFO,
                runtime=record.id,
                summary=f"The largest input has {largest} elements a batch, under {threshold}: "
                f"{record.id} computes some operations on the CPU, as it does for your users.",
                advice=f"To test the GPU kernels use a larger --batch-size, or --flag {flag}=false.",
                evidence={"largest_input_elements": largest, "threshold": threshold, "flag": flag},
            )


def _threshold(record: RuntimeRecord) -> int | None:
    """Below how many elements TF.js hands tensors to the CPU, or None where it does not."""
    if record.id.kind not in _FORWARDING or record.environment is None:
        return None
    flag, size_flag, default = _FORWARDING[record.id.kind]
    flags = record.environment.flags
    if str(flags.get(flag, False)).lower() != "true":
        return None
    return int(flags.get(size_flag, default))


RULES: tuple[Rule, ...] = (not_run, software_renderer, cpu_forwarded)
