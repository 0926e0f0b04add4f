"""One case for each code of a comparison and a trace: evidence that makes a rule give it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pycheck.diagnosis import diagnose, diagnose_pipeline
from pycheck.diagnosis.operations import diagnose_trace
from pycheck.types import (
    ArtifactDifferences,
    ArtifactFault,
    ArtifactInfo,
    ChangedAnswer,
    Column,
    Environment,
    Epsilon,
    Evidence,
    FailedFile,
    FileShares,
    Finding,
    IdRange,
    InputDifference,
    InputScale,
    NonfiniteInput,
    NonfiniteWeight,
    Operand,
    OutOfRangeCast,
    OutputShares,
    PairingHint,
    Pipeline,
    PipelineCause,
    PipelineRow,
    Power,
    PowerShare,
    ReferenceCheck,
    Repeat,
    RuntimeId,
    RuntimeRecord,
    RuntimeStatus,
    SampleSpread,
    Saturation,
    TableReach,
    TensorLeak,
    Trace,
    TracePoint,
    TrainingCall,
    WorstElement,
)

NAN, INF = math.nan, math.inf
CPU, WEBGL = RuntimeId("chromium", "cpu"), RuntimeId("chromium", "webgl")
ONE = np.ones((2, 3))
CLASSES_OF_A = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]])
TIED = np.array([[0.4, 0.4 - 1e-8, 0.2]])
UINT8 = ArtifactInfo(Path("a"), "layers", "uint8", 1, "", "", (), (), {}, {})
OF_CAUSES = (
    "channels-swapped", "pixel-scale", "pixel-range", "resize-differs", "crop-differs", "image-orientation",
    "image-flipped", "channels-first", "alpha-differs", "color-differs", "decoder-differs",
    "sample-rate-differs", "resampler-differs", "audio-channels-differ", "audio-position-differs", "audio-scale",
    "window-differs", "frames-differ", "mel-differs", "log-differs", "spectrogram-scale", "axes-transposed",
    "tokens-shifted", "padding-differs", "truncation-differs", "tokens-reversed", "lower-case-differs",
    "punctuation-differs", "unknown-words-differ",
)  # fmt: skip
PIPELINE = Pipeline(
    "prep.py:load",
    "prep.js",
    9,
    (FailedFile("bad.jpg", CPU, "Error: The source image could not be decoded"),),
    (
        PipelineRow(
            CPU,
            (InputDifference("image", 1.99, 0.67, 1.0, False),),
            (OutputShares("kind", 0.5, 0.02, 0.066, 1e-8, 2.4e-8, 0.02, 0.066),),
            (
                FileShares("a.jpg", 0.7, 0.066, 2.4e-8, 0.066, 4, 3, change="4 -> 3"),
                FileShares("b.jpg", 0.6, 0.05, 2e-8, 0.05, 1, 1),
            ),
            8,
            1,
            1,
            False,
            tuple(PipelineCause(code, "RGB", "BGR", 0.67, 0.01) for code in OF_CAUSES),
            0.01,
        ),
    ),
)
DECIDED = Pipeline(
    "prep.py:load",
    "prep.js",
    9,
    (),
    (
        PipelineRow(
            CPU, (), (),
            (FileShares("a.jpg", 0, 0, 0, 0, "cat", "dog", ("cat", "dog"), "cat -> dog", ("postprocessing",)),),
            8, 1, 0, passed=False, changed_by_postprocessing=2,
        ),
    ),
    postprocess="post.py:decide",
    js_postprocess="post.js",
)  # fmt: skip
NEAR_NAN = Operand("row", None, 1.0, 2.0, nan_count=1, infinity_count=0)


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def ended(status: RuntimeStatus) -> Collection[Finding]:
    return diagnose((), runtimes=(RuntimeRecord(WEBGL, status, None, {}, "it did"),))


def ran(**environment: Any) -> Collection[Finding]:
    record = RuntimeRecord(WEBGL, RuntimeStatus.OK, Environment("tfjs", **environment), {})
    return diagnose((), runtimes=(record,), input_elements={"x": 4})


def seen(evidence: Evidence) -> Collection[Finding]:
    return diagnose((), evidence=evidence)


def traced(trace: Trace) -> Collection[Finding]:
    return diagnose_trace(trace, (), ())


#: By subject: the code, and what gives it. `find`, `source` and `origin` are the fixtures of those names.
OF_RUNS: dict[str, Callable[[], Collection[Finding]]] = {
    "runtime-unavailable": lambda: ended(RuntimeStatus.UNAVAILABLE),
    "runtime-failed": lambda: ended(RuntimeStatus.FAILED),
    "runtime-timed-out": lambda: ended(RuntimeStatus.TIMED_OUT),
    "artifact-unsupported": lambda: diagnose(
        (),
        runtimes=(RuntimeRecord(WEBGL, RuntimeStatus.FAILED, None, {}, "Shape mismatch"),),
        evidence=Evidence(faults=(ArtifactFault("conv", "Conv2D", "tfjs-layers ignores groups", "Convert it again."),)),
    ),
    "artifact-differs": lambda: seen(
        Evidence(differences=ArtifactDifferences((("act", "Activation"),), (), (), ("dense",), ("y",)))
    ),
    "reference-differs": lambda: seen(Evidence(reference=ReferenceCheck("model.predict", "differs", "y", 0.5, 1.0))),
    "training-mode": lambda: seen(Evidence(training_calls=(TrainingCall("bn", "BatchNormalization", True),))),
    "left-to-cpu": lambda: ran(left_to_cpu=("GATHER: Only support 1D indices",)),
    "software-renderer": lambda: ran(renderer="SwiftShader", software_renderer=True),
    "cpu-forwarded": lambda: ran(flags={"WEBGL_CPU_FORWARD": True}),
    **dict.fromkeys(("preprocessing-differs", "file-fails", *OF_CAUSES), lambda: list(diagnose_pipeline(PIPELINE))),
    "tensor-leak": lambda: list(
        diagnose_pipeline(replace(PIPELINE, leaks=(TensorLeak(CPU, "prep.js", "a.png", 2, 3),)))
    ),
    "decisions-differ": lambda: list(diagnose_pipeline(DECIDED)),
    "input-nonfinite": lambda: diagnose((), nonfinite_inputs=[NonfiniteInput("x", 1, 0, 1, 0, (0,), "nan")]),
    "output-pairing": lambda: diagnose((), pairing_hints=[PairingHint(CPU, "y", "z", 0.5, 1e-7)]),
    "input-scale": lambda: seen(Evidence((InputScale("x", 2, Column(0, 5e3), Column(1, 1.0), None),))),
    "cast-out-of-range": lambda: seen(
        Evidence(casts=(OutOfRangeCast("c", None, "uint8", 1, 8, 300.0, 0, 255, ("y",), True),))
    ),
    "ids-out-of-table": lambda: seen(Evidence(ids=(IdRange("x", None, 0, 9, "9 rows of e", 0.0, 9.0, 0, 1),))),
    "blind-inputs": lambda: diagnose((), power=Power(0.01, 1, (), tables=(TableReach("table", None, 9, 1, 8),))),
    "equal-outputs": lambda: diagnose((), spreads=[SampleSpread("y", 8, 0.0, 1.0)]),
    "weight-nonfinite": lambda: seen(Evidence((), (NonfiniteWeight("model", "w", None, (2,), 1, 0, (0,)),))),
    "epsilon-mismatch": lambda: seen(Evidence(epsilons=(Epsilon("norm", 1e-3, 1e-5),))),
    "activation-saturated": lambda: traced(
        Trace(1, 1, 1, (TracePoint("p", "Relu", None, (), saturation=Saturation("relu", (0.0,), (1.0,))),), ())
    ),
    "stale-state": lambda: diagnose(
        (),
        runtimes=(RuntimeRecord(CPU, RuntimeStatus.OK, None, {}),),
        evidence=Evidence(
            changed_answers=(ChangedAnswer("y", 3, 3, WorstElement(0, (0,), 1.0, 2.0, "error"), "", CPU, 2),)
        ),
    ),
    "nondeterministic": lambda: traced(
        Trace(1, 1, 1, (), (), repeats=(Repeat(CPU, "y", 1, 2, WorstElement(0, (0,), 1.0, 2.0, "error")),))
    ),
}
OF_TRACES = ("accumulated-drift", "broken-kernel")  # see test_accumulated.py, test_broken.py
OF_OUTPUTS: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "nan-masked": (np.array([NAN, 1.0]), {"chromium:cpu": floats(1.0, 1.0)}, {}),
    "nan-introduced": (np.array([1.0, 1.0]), {"chromium:cpu": floats(NAN, 1.0)}, {}),
    "nonfinite-changed": (np.array([INF, 1.0]), {"chromium:cpu": floats(NAN, 1.0)}, {}),
    "native-overflow": (np.array([1e39, 1.0]), {"chromium:cpu": floats(INF, 1.0)}, {}),
    "native-nan": (np.array([NAN, 1.0]), {"chromium:cpu": floats(NAN, 1.0)}, {}),
    "empty-output": (np.zeros((0, 4)), {"chromium:cpu": np.zeros((0, 4), np.float32)}, {}),
    "shape-mismatch": (ONE, {"chromium:cpu": floats(1.0, 1.0)[:, None]}, {}),
    "drift": (ONE, {"chromium:cpu": 1.5 * ONE}, {}),
    "conversion-drift": (ONE, {"chromium:cpu": 1.5 * ONE, "chromium:wasm": 1.5 * ONE}, {}),
    "quantization-drift": (ONE, {"chromium:cpu": 1.5 * ONE}, {"artifact": UINT8}),
    "noise-floor-high": (ONE, {"chromium:cpu": ONE}, {"single": 1.5 * ONE}),
    "top1-flip": (CLASSES_OF_A, {"chromium:cpu": CLASSES_OF_A[:, ::-1]}, {}),
    "weak-comparison": (ONE, {"chromium:cpu": ONE}, {"power": Power(0.01, 1, (), shares=(PowerShare(CPU, 1, 3),))}),
    "loose-limit": (np.array([[0.1]]), {"chromium:cpu": [[0.1]]}, {}),
    "argmax-tie": (TIED, {"chromium:cpu": [[0.4, 0.4 + 3e-8, 0.2]]}, {"single": np.array([[0.4, 0.4, 0.2]])}),
}  # fmt: skip
OF_SOURCES: dict[str, tuple[str, tuple[float | Operand | None, ...], float, float, dict[str, Any]]] = {
    "f16-overflow": ("Mul", (300.0,), 9e4, INF, {"bits": 16}),
    "f16-underflow": ("Rsqrt", (1e-8,), 1e4, INF, {"bits": 16}),
    "log-of-zero": ("Log", (0.0,), -INF, -88.0, {}),
    "division-by-zero": ("RealDiv", (0.0, 0.0), NAN, 1.0, {}),
    "sqrt-of-negative": ("Sqrt", (-1.0,), NAN, 0.0, {}),
    "exp-overflow": ("Exp", (89.0,), INF, 3e38, {}),
    "inf-minus-inf": ("Sub", (INF, INF), NAN, 0.0, {}),
    "infinity-mishandled": ("Relu", (-INF,), 0.0, NAN, {}),
    "nan-spread": ("Softmax", (1.0, NEAR_NAN), 0.5, NAN, {}),
    "int32-precision": ("Add", (2.0**24 + 1,), 2.0**24 + 2, 2.0**24, {"dtype": "i4"}),
    "denormal-flush": ("Mul", (1e-40, 1e38), 0.01, 0.0, {}),
    "resize-alignment": ("ResizeBilinear", (), 0.4, 0.6, {}),
    "own-drift": ("Sin", (1e7,), 0.42, 0.71, {}),
}  # fmt: skip
