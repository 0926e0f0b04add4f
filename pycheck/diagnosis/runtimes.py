"""Finds runtimes that did not run, ran without a GPU, or computed on the CPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..types import Finding, RuntimeId, RuntimeRecord, RuntimeStatus, Severity
from .case import SEE_REFERENCE, Case, Rule, listed
from .codes import finding

_STATUS = {
    RuntimeStatus.UNAVAILABLE: ("runtime-unavailable", "could not be started"),
    RuntimeStatus.FAILED: ("runtime-failed", "started and then failed"),
    RuntimeStatus.TIMED_OUT: ("runtime-timed-out", "timed out"),
}
_ADVICE = {
    RuntimeStatus.UNAVAILABLE: "Run pycheck doctor: it names what is missing and how to install it.",
    RuntimeStatus.TIMED_OUT: "Set a longer --timeout or a smaller --batch-size.",
}
#: Parts of known messages of browsers, and the advice for each.
_KNOWN_FAILURES = (
    (
        "greater than WebGL maximum",
        "A tensor exceeds this GPU's largest texture. Try --batch-size 1, then --flag WEBGL_CONV_IM2COL=false, which "
        "convolves without one large matrix. If both fail, make the layer smaller, or use wasm on such devices.",
    ),
    (
        "not registered",
        "The backend has no kernel for this operation: use another backend, or replace the layer that needs it.",
    ),
    ("out of memory", "Try --batch-size 1, then fewer runtimes at once."),
    ("context lost", "The browser lost the GPU: try --batch-size 1, then fewer runtimes at once."),
)
#: Messages about the end of a browser, not of a model in it.
_OF_BROWSERS = ("crash", "browser ended", "was closed", "closed its connection", "disconnected", "opening a page")
#: Messages about too little memory.
_OF_MEMORY = ("memory", "allocation", "context lost", "greater than WebGL maximum")
#: Begins the console messages of a page, which may differ between runtimes that fail in the same way.
_BESIDE = " (the browser said:"
_BROWSER = "Run pycheck doctor: it checks the browser. If it finds no fault, try --batch-size 1."
_UNKNOWN = "No cause is known beyond this message. Compare on another backend, and use that one if it runs."
_CONTRADICTION = "Python cannot run this artifact either: {reason}. Convert the model again."
_GIVEN = (
    "No cause is known beyond this message. Convert the model again: pycheck convert MODEL FOLDER also runs the result."
)
_CONVERTED = "No cause is known beyond this message. Try a different --format."
_LITERT = "No cause is known beyond this message. Compare on a runtime of TF.js, such as chromium:wasm, too."
_ONE_FORMAT = (
    "No cause is known beyond this message. The layers format is not possible for this model: replace the operation "
    "that the message names."
)
_FLOAT64_ADVICE = "Errors are measured against native:float32 instead, and the noise floor is assumed, not measured."

#: TF.js's default CPU_HANDOFF_SIZE_THRESHOLD and WEBGPU_CPU_HANDOFF_SIZE_THRESHOLD, with the flags that switch them.
_FORWARDING = {
    "webgl": ("WEBGL_CPU_FORWARD", "CPU_HANDOFF_SIZE_THRESHOLD", 128),
    "webgl-f16": ("WEBGL_CPU_FORWARD", "CPU_HANDOFF_SIZE_THRESHOLD", 128),
    "webgpu": ("WEBGPU_CPU_FORWARD", "WEBGPU_CPU_HANDOFF_SIZE_THRESHOLD", 1000),
}


def not_run(case: Case) -> Iterator[Finding]:
    """Find runtimes that did not run; those that ended for the same reason are one finding."""
    ended = [record for record in case.runtimes if record.status is not RuntimeStatus.OK]
    together = _all_alike(case, ended)
    if together:
        yield _failed_alike(case, together)
    alike: dict[tuple[object, ...], list[RuntimeRecord]] = {}
    for record in ended:
        if record not in together:
            alike.setdefault((record.status, reason_of(record), _is_optional(record)), []).append(record)
    for records in alike.values():
        yield _ended(case, records)


def _ended(case: Case, records: Sequence[RuntimeRecord]) -> Finding:
    first, names = records[0], [record.id for record in records]
    code, what = _STATUS[first.status]
    if case.has_no_artifact and first.status is RuntimeStatus.FAILED:
        what = "did not run"
    reason, advice = reason_of(first)
    optional = _is_optional(first)
    return finding(
        code,
        Severity.WARNING if optional else Severity.ERROR,
        runtimes=names,
        summary=f"{listed(names)} {'could not run' if optional else what}" + (f": {reason}" if reason else "."),
        advice=advice or (_FLOAT64_ADVICE if optional else _advice(case, first, reason)),
        evidence={"status": first.status.value, "error": first.error},
    )


def _is_optional(record: RuntimeRecord) -> bool:
    return record.id.kind == "float64"


def reason_of(record: RuntimeRecord) -> tuple[str, str]:
    """Return the message of a runtime that did not run, and its advice."""
    reason, _, advice = (record.error or "").partition("\n")
    return reason.removeprefix(f"{record.id}: "), advice


def _all_alike(case: Case, ended: Sequence[RuntimeRecord]) -> list[RuntimeRecord]:
    """Return the browsers' records if there are several and all failed with the same message; otherwise none."""
    browsers = [record for record in case.runtimes if record.id.engine not in ("native", "artifact")]
    failed = [record for record in ended if record.status is RuntimeStatus.FAILED and record in browsers]
    same = len({reason_of(record)[0].partition(_BESIDE)[0] for record in failed}) == 1
    alike = len(failed) > 1 and len(failed) == len(browsers) and same
    of_machine = alike and any(words in reason_of(failed[0])[0] for words in (*_OF_BROWSERS, *_OF_MEMORY))
    return failed if alike and not of_machine else []


def _failed_alike(case: Case, records: Sequence[RuntimeRecord]) -> Finding:
    """Make one finding of runtimes that all fail with the same message: the artifact has the fault."""
    reason, advice = reason_of(records[0])
    names = [record.id for record in records]
    known = next((text for words, text in _KNOWN_FAILURES if words in reason), "")
    if case.is_traced_wrongly:
        advice = SEE_REFERENCE
    reason_of_format = case.artifact.reason if case.artifact else ""
    given = case.is_foreign
    converted = (
        _LITERT
        if case.is_of_litert
        else _ONE_FORMAT
        if reason_of_format.startswith("tfjs-layers cannot take it")
        else _CONVERTED
    )
    return finding(
        "runtime-failed",
        Severity.ERROR,
        runtimes=names,
        summary=f"{listed(names)} did not run: {reason}"
        if case.has_no_artifact
        else f"{listed(names)} fail with the same message, so the fault is in the artifact, not in a browser: {reason}",
        advice=advice or known or _contradiction(case) or (_GIVEN if given else converted),
        evidence={"status": RuntimeStatus.FAILED.value, "error": records[0].error},
    )


def _advice(case: Case, record: RuntimeRecord, reason: str) -> str:
    if record.status is not RuntimeStatus.FAILED:
        return _ADVICE[record.status]
    if case.is_traced_wrongly:
        return SEE_REFERENCE
    known = next((advice for words, advice in _KNOWN_FAILURES if words in reason), None)
    if known is None and any(words in reason for words in _OF_BROWSERS):
        return _BROWSER
    return known or _contradiction(case) or _UNKNOWN


def _contradiction(case: Case) -> str:
    """Return the advice for a given artifact that does not run in Python either; otherwise an empty text."""
    reason = case.power.failure if case.power and case.is_foreign else ""
    return _CONTRADICTION.format(reason=reason.rstrip(".")) if reason else ""


#: Names of renderers that compute on the CPU.
_SOFTWARE = ("SwiftShader", "llvmpipe", "Microsoft Basic Render", "Apple Software Renderer")


def software_renderer(case: Case) -> Iterator[Finding]:
    """Find software-renderer: one finding for each renderer that is not a GPU."""
    by_renderer: dict[str, list[RuntimeId]] = {}
    for record in case.runtimes:
        environment = record.environment
        if environment and environment.software_renderer:
            by_renderer.setdefault(environment.renderer or "a software renderer", []).append(record.id)
    for renderer, ids in by_renderer.items():
        yield finding(
            "software-renderer",
            Severity.INFO,
            runtimes=ids,
            summary=f"{listed(ids)} ran on a software renderer, not on a GPU: {_short(renderer)}.",
            advice="Your users' GPUs may round, overflow and flush denormals differently: check on real hardware too.",
            evidence={"renderer": renderer},
        )


def _short(renderer: str) -> str:
    return next((name for name in _SOFTWARE if name.lower() in renderer.lower()), renderer)


def cpu_forwarded(case: Case) -> Iterator[Finding]:
    """Find cpu-forwarded: inputs so small that TF.js computes them on the CPU; one finding for each threshold."""
    largest = max(case.input_elements.values(), default=0)
    by_flag: dict[tuple[str, int], list[RuntimeId]] = {}
    for record in case.runtimes:
        threshold = _threshold(record)
        if largest and threshold is not None and largest < threshold:
            by_flag.setdefault((_FORWARDING[record.id.kind][0], threshold), []).append(record.id)
    batch = "a larger --batch-size, or " if _takes_other_batches(case) else ""
    for (flag, threshold), ids in by_flag.items():
        verbs = ("computes", "it does") if len(ids) == 1 else ("compute", "they do")
        yield finding(
            "cpu-forwarded",
            Severity.INFO,
            runtimes=ids,
            summary=f"The largest input has {largest} elements per batch, fewer than {threshold}. "
            f"{listed(ids)} therefore {verbs[0]} some operations on the CPU, as {verbs[1]} for your users.",
            advice=f"To test the GPU kernels, use {batch}--flag {flag}=false.",
            evidence={"largest_input_elements": largest, "threshold": threshold, "flag": flag},
        )


def _takes_other_batches(case: Case) -> bool:
    signature = case.model.signature if case.model else None
    return signature is None or (signature.has_samples and signature.fixed_batch is None)


def _threshold(record: RuntimeRecord) -> int | None:
    """Return the number of elements below which TF.js computes on the CPU; None if it does not."""
    if record.id.kind not in _FORWARDING or record.environment is None:
        return None
    flag, size_flag, default = _FORWARDING[record.id.kind]
    flags = record.environment.flags
    if str(flags.get(flag, False)).lower() != "true":
        return None
    return int(flags.get(size_flag, default))


def left_to_cpu(case: Case) -> Iterator[Finding]:
    """Find left-to-cpu: operations that LiteRT.js leaves to the CPU, because its GPU code lacks them."""
    for record in case.runtimes:
        left = record.environment.left_to_cpu if record.environment else ()
        if left:
            yield finding(
                "left-to-cpu",
                severity=Severity.WARNING,
                runtimes=(record.id,),
                summary=f"{record.id} runs these operations on the CPU, because LiteRT.js has no WebGPU code for them: "
                f"{'; '.join(reason.rstrip('.') for reason in left)}.",
                evidence={"operations": list(left)},
                advice="The GPU waits for the CPU at each of them, so measure whether litert-wasm is faster. A browser "
                "without JSPI runs the whole model on the CPU.",
            )


RULES: tuple[Rule, ...] = (not_run, software_renderer, left_to_cpu, cpu_forwarded)
