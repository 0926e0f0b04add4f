"""Small reports made by hand: one model with the output y, on a few runtimes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pycheck.diagnosis.codes import finding
from pycheck.gate import assess, decide
from pycheck.types import (
    NATIVE_FLOAT32,
    NATIVE_FLOAT64,
    ArtifactInfo,
    Comparison,
    Environment,
    Finding,
    InputsInfo,
    ModelInfo,
    NonfiniteCounts,
    Report,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Severity,
    Signature,
    TensorSpec,
)

CPU, WEBGL, WASM = (RuntimeId("chromium", kind) for kind in ("cpu", "webgl", "wasm"))
FIREFOX = RuntimeId("firefox", "webgl")

FLOOR = 1e-7
#: The automatic tolerance allows 24 times the noise floor.
LIMIT = 24 * FLOOR


def comparison(runtime: RuntimeId, error: float = FLOOR, *, introduced: int = 0, flips: int = 0) -> Comparison:
    """Of 480 elements about as large as 1; `error` is the largest and the RMS error at once."""
    counts = ((480 - introduced, introduced, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0))
    return Comparison(
        reference=NATIVE_FLOAT64,
        candidate=runtime,
        tensor="y",
        dtype="float32",
        element_count=480,
        finite_count=480 - introduced,
        max_abs_error=error,
        mean_abs_error=error / 2,
        rms_error=error / 4,
        max_rel_error=error,
        max_ulp_error=error / 2.0**-24,
        ulp_histogram=(480,),
        cosine_similarity=1.0,
        sqnr_db=120.0,
        top1_agreement=1 - flips / 48,
        top1_flips=(),
        top1_count=48,
        top1_flip_count=flips,
        reference_scale=1.0,
        reference_rms=0.5,
        noise_floor=None if runtime == NATIVE_FLOAT32 else FLOOR,
        noise_floor_rms=None if runtime == NATIVE_FLOAT32 else FLOOR / 4,
        noise_floor_count=480.0,
        nonfinite=NonfiniteCounts(NATIVE_FLOAT32, counts),
        worst=(),
        outputs_sha256=hashlib.sha256(f"{runtime} {error}".encode()).hexdigest(),
    )


def environment(runtime: RuntimeId, *, version: str = "156", renderer: str = "SwiftShader") -> Environment:
    if runtime.engine == "native":
        return Environment("tensorflow 2.19.0", "CPython 3.11.7")
    return Environment(
        "tfjs 4.22.0",
        f"{runtime.engine.capitalize()} {version}",
        renderer=renderer if runtime.kind == "webgl" else None,
        float_bits=32,
    )


def report(
    comparisons: Sequence[Comparison] = (),
    *,
    name: str = "m",
    failed: Sequence[RuntimeId] = (),
    findings: Sequence[Finding] = (),
    version: str = "156",
    sha256: str = "ab" * 32,
) -> Report:
    """A judged report; each comparison that fails has the finding that compare would give it."""
    floor = comparison(NATIVE_FLOAT32)
    assessed = assess([floor, *comparisons])
    ids = [NATIVE_FLOAT32, *(c.candidate for c in comparisons)]
    records = [RuntimeRecord(i, RuntimeStatus.OK, environment(i, version=version), {}) for i in ids]
    records += [RuntimeRecord(i, RuntimeStatus.UNAVAILABLE, None, {}, "there is none") for i in failed]
    found = [
        *findings,
        *(_drift(c) for c in assessed if c.drifted),
        *(_nan(c) for c in assessed if c.nonfinite.changed),
    ]
    found += [
        finding("runtime-unavailable", Severity.ERROR, runtimes=[i], summary=f"{i} is not here.", advice="")
        for i in failed
    ]
    spec = TensorSpec("y", "float32", (None, 10))
    model = ModelInfo(f"{name}.keras", "keras-v3", sha256, Signature((TensorSpec("x", "float32", (None, 4)),), (spec,)))
    return Report(
        pycheck_version="0.1.0",
        model=model,
        artifact=ArtifactInfo(
            Path("a"), "layers", "none", 12_000, "pycheck", "", ("x",), ("y",), {"x": "x"}, {"y": "y"},
            weights_sha256="cd" * 32,
        ),
        inputs=InputsInfo(None, "ef" * 32, 48),
        runtimes=tuple(records),
        comparisons=assessed,
        findings=tuple(found),
        verdict=decide(assessed, runtimes=records, findings=found),
        name=name,
    )  # fmt: skip


def _drift(c: Comparison) -> Finding:
    return finding("drift", Severity.ERROR, runtimes=[c.candidate], tensor="y", summary="y drifts.", advice="Look.")


def _nan(c: Comparison) -> Finding:
    return finding("nan-introduced", Severity.ERROR, runtimes=[c.candidate], tensor="y", summary="y is NaN.", advice="")


def shared_drift(runtimes: Sequence[RuntimeId]) -> Finding:
    return finding(
        "conversion-drift",
        Severity.ERROR,
        runtimes=runtimes,
        tensor="y",
        summary="All err alike.",
        advice="",
    )


def renamed(made: Report, name: str) -> Report:
    return replace(made, name=name)


LITERT = RuntimeId("chromium", "litert-wasm")


def with_tflite(made: Report, *, size_bytes: int = 9_000, sha256: str = "ef" * 32, tfjs: bool = True) -> Report:
    """The report with a .tflite file, and without TF.js's artifact if no runtime is of TF.js."""
    tflite = replace(made.artifact, format="tflite", size_bytes=size_bytes, weights_sha256=sha256)  # type: ignore[type-var]
    return replace(made, litert_artifact=tflite, artifact=made.artifact if tfjs else None)
