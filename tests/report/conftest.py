"""Reports made by the real stages from made-up outputs; only the running is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pycheck.comparison import measure, summarize
from pycheck.diagnosis import diagnose
from pycheck.gate import ToleranceOptions, assess, decide, precision_bits
from pycheck.types import (
    NATIVE_FLOAT32,
    NATIVE_FLOAT64,
    Array,
    ArtifactInfo,
    Comparison,
    Environment,
    InputsInfo,
    ModelInfo,
    NanPolicy,
    Outcome,
    PointResult,
    Remedy,
    Report,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    Signature,
    TensorSpec,
    Trace,
    TracePoint,
    Verdict,
)

SWIFTSHADER = "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero) (0x0000C0DE)), SwiftShader driver)"
CPU, WEBGL, F16, WASM, WEBGPU = (
    RuntimeId("chromium", kind) for kind in ("cpu", "webgl", "webgl-f16", "wasm", "webgpu")
)


def _environment(runtime: RuntimeId) -> Environment:
    if runtime.engine == "native":
        return Environment("tensorflow 2.19.0", "CPython 3.11.7, Linux x86_64", float_bits=int(runtime.kind[-2:]))
    gpu = runtime.kind.startswith("web")
    return Environment(
        "tfjs 4.22.0",
        "Chromium 156.0.7000.1 (headless)",
        backend=runtime.kind.removesuffix("-f16"),
        renderer=SWIFTSHADER if gpu else None,
        software_renderer=True if gpu else None,
        float_bits=16 if runtime.kind == "webgl-f16" else 32,
        denormals="flushed" if gpu else "kept",
        epsilon=1e-7,
        sandbox=False,
        flags={"WEBGL_CPU_FORWARD": True, "WEBGL_PACK": True},
        notes=("small tensors run on the CPU",) if runtime.kind.startswith("webgl") else (),
        flags_set={"WEBGL_FORCE_F16_TEXTURES": True} if runtime.kind == "webgl-f16" else {},
    )


def build(
    references: Mapping[str, Array],
    candidates: Mapping[RuntimeId, Mapping[str, Array] | str],
    *,
    options: ToleranceOptions | None = None,
    nan: NanPolicy = NanPolicy.FAIL,
    quantization: str = "none",
    made_inputs: bool = False,
) -> Report:
    """A report over float64 `references`; a candidate is its outputs, or the error that it died of."""
    options = options or ToleranceOptions()
    singles = {n: r.astype(np.float32) if r.dtype.kind == "f" else r for n, r in references.items()}
    records = [
        RuntimeRecord(i, RuntimeStatus.OK, _environment(i), {"predict": 0.4}) for i in (NATIVE_FLOAT32, NATIVE_FLOAT64)
    ]
    floors, comparisons = {}, []
    with np.errstate(over="ignore"):
        for name, reference in references.items():
            floors[name] = measure(singles[name], reference, reference, start=0)
            comparisons.append(
                summarize(
                    floors[name],
                    tensor=name,
                    reference=NATIVE_FLOAT64,
                    candidate=NATIVE_FLOAT32,
                    class_reference=NATIVE_FLOAT64,
                )
            )
    for runtime, outputs in candidates.items():
        if isinstance(outputs, str):
            records.append(RuntimeRecord(runtime, RuntimeStatus.FAILED, None, {}, outputs))
            continue
        environment = _environment(runtime)
        records.append(RuntimeRecord(runtime, RuntimeStatus.OK, environment, {"load": 0.2, "predict": 1.5}))
        for name, reference in references.items():
            limits = options.of(name)
            statistics = measure(
                outputs[name],
                reference,
                singles[name],
                start=0,
                rtol=limits.rtol,
                atol=limits.atol,
                precision_bits=precision_bits(runtime, environment),
            )
            comparisons.append(
                summarize(
                    statistics,
                    tensor=name,
                    reference=NATIVE_FLOAT64,
                    candidate=runtime,
                    class_reference=NATIVE_FLOAT32,
                    noise_floor=floors[name],
                )
            )
    specs = tuple(TensorSpec(n, singles[n].dtype.name, (None, *r.shape[1:])) for n, r in references.items())
    model = ModelInfo(
        "models/cnn.keras",
        "keras-v3",
        "ab" * 32,
        Signature((TensorSpec("image", "float32", (None, 28, 28, 1)),), specs),
    )
    names = {n: n for n in references}
    artifact = ArtifactInfo(
        folder=Path("/cache/ab"),
        format="layers",
        quantization=quantization,
        size_bytes=1_234_567,
        converter="pycheck 0.1.0, tensorflowjs 4.22.0",
        reason="tfjs-layers has every layer",
        inputs=("image",),
        outputs=tuple(references),
        input_names={"image": "image"},
        output_names=names,
    )
    inputs = InputsInfo(None if made_inputs else "inputs.npy", "cd" * 32, len(next(iter(references.values()))))
    assessed = assess(comparisons, options=options, nan=nan)
    findings = diagnose(
        assessed, runtimes=records, model=model, artifact=artifact, input_elements={"image": 28 * 28 * 8}, nan=nan
    )
    return Report(
        pycheck_version="0.1.0",
        model=model,
        artifact=artifact,
        inputs=inputs,
        runtimes=tuple(records),
        comparisons=assessed,
        findings=findings,
        verdict=decide(assessed, runtimes=records, findings=findings, nan=nan),
        command="pycheck compare models/cnn.keras inputs.npy",
    )


def softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def noisy(values: Array, scale: float, seed: int = 0, dtype: type = np.float32) -> Array:
    """Values with relative Gaussian noise, rounded."""
    noise = np.random.default_rng(seed).normal(size=values.shape)
    with np.errstate(over="ignore"):
        return (values * (1.0 + scale * noise)).astype(dtype).astype(np.float32)


def _scores() -> Array:
    return softmax(np.random.default_rng(7).normal(size=(64, 10)) * 3.0)


def passing() -> Report:
    s = _scores()
    good = {r: {"scores": noisy(s, 2e-7, i)} for i, r in enumerate((CPU, WEBGL, WASM))}
    return build({"scores": s}, good, made_inputs=True)


def drifting() -> Report:
    s = _scores()
    wrong = softmax(np.log(s) * 1.02)
    return build(
        {"scores": s},
        {
            CPU: {"scores": noisy(s, 2e-7)},
            WEBGL: {"scores": noisy(wrong, 2e-7)},
            F16: {"scores": noisy(s, 4e-4, dtype=np.float16)},
        },
    )


def with_nan() -> Report:
    s, values = _scores(), np.random.default_rng(1).normal(size=(64, 4, 4, 8)) * 50
    values[5, 1, 2, 3] = 90_000.0
    values[9, 0, 0, 0] = np.inf
    broken = noisy(s, 2e-7)
    broken[3] = np.nan
    halves = noisy(values, 4e-4, dtype=np.float16)
    masked = noisy(values, 2e-7)
    masked[9, 0, 0, 0] = 88.03
    return build(
        {"scores": s, "backbone/block_16_project_BN/features": values},
        {
            CPU: {"scores": noisy(s, 2e-7), "backbone/block_16_project_BN/features": noisy(values, 2e-7)},
            WEBGL: {"scores": broken, "backbone/block_16_project_BN/features": masked},
            F16: {"scores": noisy(s, 4e-4, dtype=np.float16), "backbone/block_16_project_BN/features": halves},
        },
    )


def failing_runtime() -> Report:
    s = _scores()
    error = "navigator.gpu.requestAdapter() gave null\nStart it with --browser-arg=--enable-unsafe-webgpu."
    return build({"scores": s}, {CPU: {"scores": noisy(s, 2e-7)}, WEBGPU: error})


def mixed() -> Report:
    s = _scores()
    labels = np.arange(64, dtype=np.int32)
    moved = labels.copy()
    moved[7] += 1
    return build(
        {"scores": s, "labels": labels},
        {
            CPU: {"scores": noisy(s, 2e-7), "labels": labels},
            WEBGL: {"scores": noisy(s, 1e-3), "labels": moved},
            WASM: {"scores": noisy(s, 2e-7)[:, :9], "labels": labels},
            WEBGPU: "the GPU device was lost: out of memory",
        },
    )


def many_outputs() -> Report:
    rng = np.random.default_rng(3)
    references = {
        f"detector/stage_{i}/convolutional_block_{i}/boxes": rng.normal(size=(16, 7, 7, 4)) * 10.0 ** (i % 5)
        for i in range(12)
    }
    good = {n: noisy(r, 2e-7) for n, r in references.items()}
    bad = dict(good)
    name = "detector/stage_4/convolutional_block_4/boxes"
    bad[name] = noisy(references[name] * 1.001, 2e-7)
    return build(references, {CPU: good, WASM: good, WEBGL: bad})


def quantized() -> Report:
    s = _scores()
    wrong = softmax(np.log(s) * 1.004)
    return build(
        {"scores": s},
        {r: {"scores": noisy(wrong, 1e-7, i)} for i, r in enumerate((CPU, WEBGL, WASM))},
        quantization="uint8",
    )


def explicit() -> Report:
    s = _scores()
    options = ToleranceOptions(atol={"scores": 1e-4}, rtol={None: 1e-3})
    return build({"scores": s}, {CPU: {"scores": noisy(s, 1e-4)}, WEBGL: {"scores": noisy(s, 1e-2)}}, options=options)


def hostile() -> Report:
    """Names that would take over a terminal, a page or an XML document."""
    report = drifting()
    name = "<script>alert(1)</script>\x1b[31m[bold]&\x00"
    comparisons = tuple(replace(c, tensor=name) for c in report.comparisons)
    findings = tuple(replace(f, tensor=name, summary=f"{name}: {f.summary}") for f in report.findings)
    return replace(report, comparisons=comparisons, findings=findings)


def pictures() -> Report:
    """An image-like output with a NaN, on one runtime shifted by a pixel."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[0:48, 0:96] / 48.0
    waves = [np.sin(x * 9 + i) * np.cos(y * 5 - i) * 0.4 + 0.5 for i in range(4)]
    image = np.stack(waves)[..., None] * rng.uniform(0.4, 1.0, 3)
    shifted = np.roll(noisy(image, 2e-7), 1, axis=2)
    broken = noisy(image, 2e-7)
    broken[1, 10:14, 20:30] = np.nan
    return build(
        {"image": image}, {CPU: {"image": noisy(image, 2e-7)}, WEBGL: {"image": shifted}, WASM: {"image": broken}}
    )


def traced() -> Report:
    """Eight points of which the fourth makes NaN on one runtime and the sixth drifts on another."""
    report = with_nan()
    values = np.random.default_rng(5).normal(size=(4, 6))
    points = []
    for i, op in enumerate(("Conv2D", "BiasAdd", "Relu", "Exp", "Mul", "Tanh", "MatMul", "Softmax")):
        results = []
        for runtime in (CPU, WEBGL, F16):
            alone, whole = noisy(values, 1e-7, i), noisy(values, 2e-7, i)
            if runtime == WEBGL and i >= 3:
                whole[0, 0] = np.nan
                if i == 3:
                    alone[0, 0] = np.nan
            if runtime == F16 and i >= 5:
                whole *= 1.2
                alone *= 1.2 if i == 5 else 1.0
            inherited, own = (_point(op, v, values, runtime) for v in (whole, alone))
            failed = (inherited.passed is False, own.passed is False)
            role = {(True, True): "source", (True, False): "passes-on"}.get(failed, "ok")
            results.append(PointResult(runtime, role, inherited, own))
        points.append(
            TracePoint(
                f"model/{op}_{i}", op, f"layer_{i // 2}", (), "float32", (4, 6), 0.01, 3.0, results=tuple(results)
            )
        )
    skipped = TracePoint("model/labels", "ArgMax", None, (), skipped="its values are no numbers")
    before, after = Outcome(Verdict.NAN_DIVERGENCE, 0.2, 10), Outcome(Verdict.PASS, 2e-7, 0)
    remedies = (
        Remedy("flags", WEBGL, "WEBGL_PACK=false", True, before, after, 3, ("--flag", "WEBGL_PACK=false")),
        Remedy("epsilon", F16, "epsilon 1e-3 of <norm>", False, before, before, 1, code="layer.epsilon = 1e-3"),
    )
    trace = Trace(4, 1 << 30, 1, (*points, skipped), (), samples=(0, 1, 2, 3))
    return replace(report, trace=trace, remedies=remedies)


def _point(name: str, candidate: Array, reference: Array, runtime: RuntimeId) -> Comparison:
    single = reference.astype(np.float32)
    summary = summarize(
        measure(candidate, reference, single, start=0),
        tensor=name,
        reference=RuntimeId("artifact", "float64"),
        candidate=runtime,
        class_reference=RuntimeId("artifact", "float32"),
        noise_floor=measure(single, reference, reference, start=0),
    )
    return assess([summary])[0]


REPORTS: dict[str, Callable[[], Report]] = {
    f.__name__: f
    for f in (
        passing,
        drifting,
        with_nan,
        failing_runtime,
        mixed,
        many_outputs,
        quantized,
        explicit,
        hostile,
        pictures,
        traced,
    )
}


@pytest.fixture(scope="session")
def reports() -> dict[str, Report]:
    return {name: make() for name, make in REPORTS.items()}


@pytest.fixture(params=list(REPORTS))
def report(request: pytest.FixtureRequest, reports: dict[str, Report]) -> Report:
    return reports[request.param]
