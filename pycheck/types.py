"""The plain data that flows between the stages; imports nothing of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
#: Named tensors; the first axis of each is the sample.
Tensors = Mapping[str, Array]

#: The four classes of a number, in the order of every 4x4 class matrix.
CLASSES = ("finite", "nan", "+inf", "-inf")

BROWSER_ENGINES = ("chromium", "firefox", "webkit")
ENGINES = ("native", "artifact", *BROWSER_ENGINES)
PYTHON_KINDS = ("float32", "float64")
BROWSER_KINDS = ("cpu", "wasm", "webgl", "webgl-f16", "webgpu")
#: The engine of a device is this and the device's name.
DEVICE = "device:"
DEVICE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True, order=True)
class RuntimeId:
    """Something that executes, written ``engine:kind``: ``chromium:webgl``, or ``device:pixel:webgl``."""

    engine: str
    kind: str

    @classmethod
    def parse(cls, text: str) -> RuntimeId:
        """Read ``engine:kind``; ValueError names what is unknown and what is known."""
        engine, _, kind = text.rpartition(":") if text.count(":") > 1 else text.partition(":")
        name = engine.removeprefix(DEVICE)
        if f"{engine}:" == DEVICE or (name != engine and not DEVICE_NAME.fullmatch(name)):
            raise ValueError(
                f"no device in runtime {text!r}; write device:NAME:KIND, the name in small letters, digits and hyphens"
            )
        if name == engine and engine not in ENGINES:
            raise ValueError(f"unknown engine {engine!r} in runtime {text!r}; known: {', '.join(ENGINES)}, device:NAME")
        kinds = PYTHON_KINDS if engine in ("native", "artifact") else BROWSER_KINDS
        if kind not in kinds:
            raise ValueError(f"unknown kind {kind!r} in runtime {text!r}; {engine} has: {', '.join(kinds)}")
        return cls(engine, kind)

    def __str__(self) -> str:
        return f"{self.engine}:{self.kind}"

    @property
    def is_on_device(self) -> bool:
        """Whether it runs on a device, which is there while its page is open."""
        return self.engine.startswith(DEVICE)


NATIVE_FLOAT32 = RuntimeId("native", "float32")
NATIVE_FLOAT64 = RuntimeId("native", "float64")


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, NumPy dtype name and shape of a tensor; None is a dynamic dimension.

    The shape includes the sample axis, which comes first and is None.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model takes and gives, in its own order."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What the user trained. `format` is keras-v3, keras-h5, saved-model, keras-object or tfjs."""

    path: str
    format: str
    sha256: str
    signature: Signature

    @property
    def references(self) -> tuple[RuntimeId, RuntimeId]:
        """What its candidates are measured against: in float32 for class, in float64 for size of error.

        A TF.js model has no Python but its own.
        """
        engine = "artifact" if self.format == "tfjs" else "native"
        return RuntimeId(engine, "float32"), RuntimeId(engine, "float64")


@dataclass(frozen=True, slots=True)
class ArtifactInfo:
    """What the browser loads: a folder with model.json and its weight shards.

    `inputs` and `outputs` name the artifact's own tensors, in the artifact's order.
    `input_names` and `output_names` map the model's names to the artifact's.
    """

    folder: Path
    format: str  # "layers" or "graph"
    quantization: str  # "none", "float16", "uint16", "uint8"
    size_bytes: int
    converter: str  # such as "pycheck 0.1.0, tensorflowjs 4.22.0"
    reason: str  # why this format; empty when the user chose it
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    input_names: Mapping[str, str]
    output_names: Mapping[str, str]
    notes: tuple[str, ...] = ()  # rewrites a reader should know of, such as "Erfc -> 1 - Erf (2 nodes)"
    model_file: str = "model.json"
    weights_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class InputsInfo:
    """Where the inputs came from; `path` is None when they were made from the signature."""

    path: str | None
    sha256: str
    sample_count: int
    notes: tuple[str, ...] = ()  # such as "x: float64 rounded to float32"


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of consecutive samples. `start` is the index of the first in the whole input."""

    index: int
    start: int
    tensors: Tensors

    @property
    def size(self) -> int:
        """Number of samples."""
        return len(next(iter(self.tensors.values())))


class RuntimeStatus(StrEnum):
    """How a runtime ended."""

    OK = "ok"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


@dataclass(frozen=True, slots=True)
class Environment:
    """What a runtime really was. None means: does not apply, or could not be learned."""

    library: str  # "tensorflow 2.19.0", "tfjs 4.22.0"
    platform: str | None = None  # "Chromium 156.0.1 (headless)", "CPython 3.11.7, Linux x86_64"
    backend: str | None = None  # what TF.js says is active
    renderer: str | None = None  # GPU renderer string, unmasked where the browser lets us
    software_renderer: bool | None = None
    float_bits: int | None = None  # 16, 32 or 64, probed with a real kernel
    denormals: str | None = None  # "kept" or "flushed", probed with a real kernel
    epsilon: float | None = None
    sandbox: bool | None = None  # whether the browser's own sandbox was on
    user_agent: str | None = None
    flags: Mapping[str, Any] = field(default_factory=dict)  # backend flags in force
    flags_set: Mapping[str, Any] = field(default_factory=dict)  # those that were not TF.js's default
    cpu_kernels: tuple[str, ...] = ()  # those that ran on TF.js's CPU backend because they were told to
    notes: tuple[str, ...] = ()  # "float64: op X has no float64 kernel, ran in float32 (2 nodes)"


@dataclass(frozen=True, slots=True)
class RuntimeRecord:
    """One runtime of a run: what it was, how it ended, what it cost (seconds by step)."""

    id: RuntimeId
    status: RuntimeStatus
    environment: Environment | None
    timings_s: Mapping[str, float]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What one output may differ by.

    ``mode`` is "auto" (max_abs_error <= max_abs and rms_error <= rms), "explicit"
    (NumPy's elementwise ``|c - r| <= atol + rtol * |r|``, and max_ulp where given)
    or "exact" (integers and booleans: no difference at all).
    `derivation` says in one line where the numbers come from.
    """

    mode: str
    max_abs: float | None = None
    rms: float | None = None
    rtol: float | None = None
    atol: float | None = None
    max_ulp: float | None = None
    derivation: str = ""


@dataclass(frozen=True, slots=True)
class WorstElement:
    """One of the elements that differ most. `index` is within the sample; `sample` is in the whole input."""

    sample: int
    index: tuple[int, ...]
    reference: float
    candidate: float
    kind: str  # "error", "introduced", "masked" or "class" (another change of class)


@dataclass(frozen=True, slots=True)
class Top1Flip:
    """A sample whose largest class changed. `margin` is the reference's gap between the two classes."""

    sample: int
    index: tuple[int, ...]  # position before the class axis, within the sample
    reference_class: int
    candidate_class: int
    margin: float


@dataclass(frozen=True, slots=True)
class PairingHint:
    """Where another output of the same shape is what this one should have been paired with.

    Errors are RMS, of what the candidate calls `tensor` and of what it calls `fits`,
    both against the reference's `tensor`.
    """

    candidate: RuntimeId
    tensor: str
    fits: str
    rms_error: float
    fitting_rms_error: float


@dataclass(frozen=True, slots=True)
class Column:
    """The largest magnitude in one column of an input; a column is one index of the last axis."""

    index: int
    magnitude: float


@dataclass(frozen=True, slots=True)
class Outlier:
    """A value that is far from its column's median; `robust_z` is how many times 1.4826 MAD."""

    column: int
    sample: int
    value: float
    median: float
    robust_z: float


@dataclass(frozen=True, slots=True)
class InputScale:
    """How large the finite values of one floating-point input are, over all samples.

    `largest` and `smallest` are those of the columns that vary; `constant_columns` do not, and are empty
    where none does.
    """

    name: str
    columns: int
    largest: Column
    smallest: Column
    outlier: Outlier | None
    constant_columns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class NonfiniteInput:
    """NaN and infinities of one input, in `sample_count` of its samples.

    The first is at `index` of `sample`, which is its place in the whole input; `kind` is of CLASSES.
    """

    name: str
    nan_count: int
    infinity_count: int
    sample_count: int
    sample: int
    index: tuple[int, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class NonfiniteWeight:
    """A weight tensor with NaN or infinities. `place` is "model" or "artifact"; `index` is of the first."""

    place: str
    name: str
    layer: str | None
    shape: tuple[int, ...]
    nan_count: int
    infinity_count: int
    index: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Epsilon:
    """What a normalization adds to a variance or a norm: in the model and in the artifact, where each tells.

    `in_tensors` is whether the artifact adds it in an operation of its own, so that half floats round the sum.
    """

    layer: str
    model: float | None
    artifact: float | None
    in_tensors: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a run beside its outputs, for those who explain them."""

    scales: tuple[InputScale, ...] = ()
    weights: tuple[NonfiniteWeight, ...] = ()
    epsilons: tuple[Epsilon, ...] = ()
    bilinear_layers: tuple[str, ...] = ()  # of a layers artifact, which tfjs-layers resizes from pixel corners


@dataclass(frozen=True, slots=True)
class NonfiniteCounts:
    """The 4x4 class matrix, rows the reference, in the order of CLASSES."""

    reference: RuntimeId
    counts: tuple[tuple[int, ...], ...]

    @property
    def introduced(self) -> int:
        """Elements finite in the reference and not in the candidate."""
        return sum(self.counts[0][1:])

    @property
    def masked(self) -> int:
        """Elements not finite in the reference and finite in the candidate."""
        return sum(row[0] for row in self.counts[1:])

    @property
    def changed(self) -> int:
        """Elements of any other class than the reference's."""
        return sum(n for i, row in enumerate(self.counts) for j, n in enumerate(row) if i != j)


@dataclass(frozen=True, slots=True)
class MagnitudeErrors:
    """Errors of the pairs whose reference lies in ``[2**log2_magnitude, 2**(log2_magnitude + 1))``.

    `ulp_histogram` counts them as `Comparison.ulp_histogram` does, but what is beyond 2**62 ULP with what
    lies there. A `log2_magnitude` of None is 0 and what shares the unit of it: subnormals and the least normals;
    magnitudes beyond 2**160 are counted with that.
    """

    log2_magnitude: int | None
    ulp_histogram: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SamplePicture:
    """The worst sample of an image-like output, small: what Python has, what the candidate has, the difference.

    The pictures are PNG in base64, at most 64 pixels on the longer side. In the first two `low` is black
    and `high` is white, which are the least and the largest value of Python's sample; in the third
    `largest_error` is brightest. A pixel is transparent where a value is not finite, in the third
    where its class differs. `height`, `width` and `channels` are the sample's own, and
    `changed_count` elements of it have another class.
    """

    sample: int
    height: int
    width: int
    channels: int
    low: float
    high: float
    largest_error: float
    changed_count: int
    reference_png: str
    candidate_png: str
    difference_png: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """One output of one candidate against the reference, over all samples.

    Error metrics are over pairs finite on both sides and None when there is none.
    """

    reference: RuntimeId
    candidate: RuntimeId
    tensor: str
    dtype: str
    element_count: int
    finite_count: int
    max_abs_error: float | None
    mean_abs_error: float | None
    rms_error: float | None
    max_rel_error: float | None
    max_ulp_error: float | None
    ulp_histogram: tuple[int, ...]  # count of ULP distance under 1, then of [2**(i-1), 2**i)
    cosine_similarity: float | None
    sqnr_db: float | None
    top1_agreement: float | None
    top1_flips: tuple[Top1Flip, ...]
    reference_scale: float | None  # largest finite magnitude of the reference
    noise_floor: float | None  # max_abs_error of native:float32 against native:float64
    noise_floor_rms: float | None
    nonfinite: NonfiniteCounts
    worst: tuple[WorstElement, ...]
    shape_mismatch: str | None = None  # such as "reference (10,), candidate (9,)"
    tolerance: Tolerance | None = None  # set by the gate
    drifted: bool = False  # set by the gate
    passed: bool | None = None  # set by the gate; None until then, and for the noise floor's own row
    precision_bits: int = 32  # of the ULP that max_ulp_error counts in
    reference_rms: float | None = None  # root mean square of the reference, over finite pairs
    noise_floor_count: float | None = None  # how many equal, independent errors the noise floor is worth
    outside_count: int | None = None  # pairs beyond the explicit rtol and atol, or integers that differ
    top1_count: int = 0  # rows whose largest class was compared
    top1_flip_count: int = 0  # rows of them where it changed or became NaN; `top1_flips` lists a few
    outputs_sha256: str | None = None  # of the candidate's bytes, all samples in their order
    error_by_magnitude: tuple[MagnitudeErrors, ...] = ()  # of pairs, the smallest magnitude first
    picture: SamplePicture | None = None  # where a sample looks like an image and an element differs

    @property
    def is_noise_floor(self) -> bool:
        """Whether this row tells what float32 costs in Python, which nothing judges."""
        return self.candidate.engine == self.reference.engine


class NanPolicy(StrEnum):
    """What a non-finite divergence does."""

    FAIL = "fail"
    WARN = "warn"
    IGNORE = "ignore"


class Severity(StrEnum):
    """How much a finding matters; only an error fails the gate."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One explained fact."""

    code: str
    severity: Severity
    summary: str
    advice: str
    runtime: RuntimeId | None = None
    tensor: str | None = None
    layer: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def page(self) -> str:
        """Where its code is explained; ``pycheck explain CODE`` prints the same."""
        return f"docs/findings/{self.code}.md"


class Verdict(StrEnum):
    """The answer to: may this be released?"""

    PASS = "pass"
    DRIFT = "drift"
    NAN_DIVERGENCE = "nan_divergence"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Operand:
    """What an operation read where it went wrong.

    `value` is the element that the wrong one was computed from, where the operation pairs them; the
    rest is over the same sample, `smallest` and `largest` over its finite values.
    """

    name: str
    value: float | None
    smallest: float | None
    largest: float | None
    nan_count: int
    infinity_count: int


@dataclass(frozen=True, slots=True)
class PointResult:
    """One point on one runtime.

    `inherited` is the whole model run and this point looked at; `own` is the operation alone, run on
    the values that artifact:float32 has there. `role` is "source" (it fails, and alone as well),
    "passes-on" (it fails, alone it does not), "latent" (alone it fails, in the whole run it does not),
    "ok" or "unknown" (nothing could be compared). `note` says why one of the two is missing.
    `element` is the first wrong element of a source, and `operands` are what it was computed from.
    """

    runtime: RuntimeId
    role: str
    inherited: Comparison | None
    own: Comparison | None
    note: str | None = None
    element: WorstElement | None = None
    operands: tuple[Operand, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where artifact:float32 itself makes infinity of finite operands, or NaN of others: the first of `count` elements.

    `element` has what artifact:float64 gives there as its reference, NaN where that cannot run.
    """

    element: WorstElement
    count: int
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Saturation:
    """What share of an activation's result lies at each of its bounds, in artifact:float32."""

    activation: str
    bounds: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """One output of the whole artifact, run twice on the same inputs, where the two differ.

    `element` is the one that differs most: the second run's value as its candidate, the first one's as its reference.
    """

    runtime: RuntimeId
    tensor: str
    changed_count: int
    element_count: int
    element: WorstElement


@dataclass(frozen=True, slots=True)
class TracePoint:
    """One value inside the artifact: a node of a graph, a layer of a layers model.

    `smallest` and `largest` are magnitudes of artifact:float32, finite and not 0. The headrooms are
    how many times the largest half float (65504) the largest fits into, and how many times the smallest
    is the smallest half float (2**-24): below 1 half floats lose it. `skipped` says why it was not traced.
    `conversion` is looked for where an output of the artifact is not the model's in Python itself; its `own` is
    the operation alone on the values that the model has there, its `note` what its files have that is not the model's.
    """

    name: str
    op: str
    layer: str | None
    inputs: tuple[str, ...]
    dtype: str | None = None
    shape: tuple[int, ...] | None = None
    smallest: float | None = None
    largest: float | None = None
    overflow_headroom: float | None = None
    underflow_headroom: float | None = None
    results: tuple[PointResult, ...] = ()
    skipped: str | None = None
    origin: Origin | None = None
    saturation: Saturation | None = None
    merged: tuple[str, ...] = ()  # layers before `layer` whose operations the converter merged into this one
    conversion: PointResult | None = None  # the artifact in Python against the model at this point
    quantized: bool = False  # whether it reads weights that the artifact keeps in fewer bits
    loops: tuple[
        str, ...
    ] = ()  # nodes of loops and branches that it is the first to show in numbers, and runs alone with

    @property
    def operation(self) -> str:
        """The operation, with the loops that are part of the point: ``TensorListStack of lstm/while``."""
        return f"{self.op} of {', '.join(self.loops)}" if self.loops else self.op


@dataclass(frozen=True, slots=True)
class OutputSplit:
    """The error of one output in two parts.

    `conversion` is the artifact in Python against the model in Python, None where the artifact is the
    model; `backends` are the browsers against the artifact in Python.
    """

    tensor: str
    conversion: Comparison | None
    backends: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """One source operation, cut out for a bug report: where it lies, or why there is none (`folder` is None)."""

    folder: str | None
    note: str
    point: str | None = None
    runtime: RuntimeId | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """Where errors begin: points of the artifact, in topological order, on a few samples.

    `samples` are the places of those in the whole input: the ones that failed, then the first ones. `notes` say
    what the trace had to do without; `repeats` lists outputs that differ when the same is run again.
    """

    sample_count: int
    memory_bytes: int
    group_count: int  # the points were looked at in so many groups, to keep within the memory
    points: tuple[TracePoint, ...]
    splits: tuple[OutputSplit, ...]
    samples: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    repeats: tuple[Repeat, ...] = ()
    bundle: Bundle | None = None  # where one was asked for

    def table(self) -> list[dict[str, Any]]:
        """One flat row for every point and runtime, in topological order, as for ``pandas.DataFrame``.

        Keys: point, op, layer, dtype, shape, runtime, role, smallest, largest, overflow_headroom and
        underflow_headroom as in TracePoint and PointResult; with ``inherited_`` and ``own_`` before them passed,
        max_abs_error, limit, introduced, masked and class_changed (elements whose class differs), None where
        nothing was compared; note, which says why. A point without results has one row, its runtime None.
        """
        from .report.table import trace_table  # up, as in Report.to_dict

        return trace_table(self)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one runtime gave, over all outputs. Where it gave nothing, `error` says why and the numbers are None."""

    verdict: Verdict
    max_abs_error: float | None
    nonfinite_count: int | None  # elements of another class than in Python
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Remedy:
    """Something that was done otherwise on a runtime that failed, and what that gave on the same inputs.

    `kind` is "quantization", "format", "conversion", "flags", "operations", "epsilon", "backend" or "inputs"; `change`
    says what is different. `after` is None where it could not be tried, and `note` then says why (`trial_count` 0
    where nothing was); else it says what else there is to know, such as what the judgement was against.
    `options` make the same change on the command line, `code` in the page or in the model; either may be empty.
    """

    kind: str
    runtime: RuntimeId
    change: str
    worked: bool
    before: Outcome
    after: Outcome | None
    trial_count: int
    options: tuple[str, ...] = ()
    code: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class TrainingVariable:
    """One trainable variable, or one moving statistic, as the model has it; `name` is ``layer/variable``.

    `compared` is False where the artifact holds it in another form, or not at all.
    """

    name: str
    layer: str
    shape: tuple[int, ...]
    trainable: bool = True
    compared: bool = True


@dataclass(frozen=True, slots=True)
class TrainingMoment:
    """Something that happened first at one step (the first step is 0).

    `what` is "loss", "activation", "gradient" or "weight"; `name` is the layer or the variable, None for the loss.
    """

    step: int
    what: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class TrainingCurves:
    """What one runtime did, a number a step; None where it was not counted.

    Steps are in order; by-variable curves are in the order of the training's variables. The gradient is that of the
    loss before any clipping, weights are those after the step. `gradient_norm` is over all trainable variables, and
    the largest magnitudes are over finite elements. `loss_error`, `gradient_error` and `weight_error` are shares of
    what is allowed at that step, of the worst variable: above 1 the runtime has parted; None where the reference or
    the runtime is not finite. `activation_error` is that of the worst layer, which tells where, not whether.
    """

    runtime: RuntimeId
    loss: tuple[float, ...]
    gradient_norm: tuple[float, ...]
    largest_gradient: tuple[tuple[float | None, ...], ...]
    largest_weight: tuple[tuple[float | None, ...], ...]
    nonfinite_loss: tuple[int, ...]
    nonfinite_activations: tuple[int | None, ...]
    nonfinite_gradients: tuple[int, ...]
    nonfinite_weights: tuple[int, ...]
    loss_error: tuple[float | None, ...] = ()
    gradient_error: tuple[float | None, ...] = ()
    weight_error: tuple[float | None, ...] = ()
    first_nonfinite: TrainingMoment | None = None
    parted: TrainingMoment | None = None
    activation_error: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class GradientComparison:
    """The gradient of one variable at the first step, on one runtime: errors against native:float64."""

    runtime: RuntimeId
    variable: str
    max_abs_error: float | None
    allowed: float | None
    largest: float | None
    nonfinite: int
    passed: bool | None


@dataclass(frozen=True, slots=True)
class PassOperation:
    """One operation of the forward or backward pass in native:float32 that gives what is not finite.

    `phase` is "forward" or "backward"; `of` is the forward operation whose gradient a backward one belongs to.
    `is_origin` is whether all that it reads is finite. `operands` are what it reads.
    """

    name: str
    op: str
    phase: str
    layer: str | None
    nonfinite: int
    element_count: int
    is_origin: bool
    of: str | None = None
    operands: tuple[Operand, ...] = ()


@dataclass(frozen=True, slots=True)
class PassCheck:
    """Forward and backward pass of one step, operation by operation, in native:float32.

    `operations` are those with results that are not finite, in the order of computation.
    """

    step: int
    operation_count: int
    operations: tuple[PassOperation, ...]

    @property
    def origins(self) -> tuple[PassOperation, ...]:
        """Those that made NaN or infinity out of finite numbers."""
        return tuple(operation for operation in self.operations if operation.is_origin)


@dataclass(frozen=True, slots=True)
class Curvature:
    """The largest eigenvalue of the loss's Hessian before one step, by power iteration in float64."""

    step: int
    largest: float
    iterations: int


@dataclass(frozen=True, slots=True)
class CureTrial:
    """One cure, applied and trained again on every runtime.

    `worked` is whether every runtime stayed finite, and together with the reference, for all steps; of a training that
    broke, also whether they were apart only by an optimizer or loss that TF.js computes otherwise. `losses` are the
    last ones by runtime; they are of another loss, or of other data, where the cure changes these.
    """

    name: str
    description: str
    option: str
    worked: bool
    finite: bool
    together: bool
    losses: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Training:
    """How a model trained, side by side.

    The curves are those of native:float32, native:float64 and the candidates; `passes` are of steps that went wrong,
    `notes` say what the training had to do without.
    """

    optimizer: str
    loss: str
    step_count: int
    batch_size: int
    variables: tuple[TrainingVariable, ...]
    curves: tuple[TrainingCurves, ...]
    gradients: tuple[GradientComparison, ...] = ()
    passes: tuple[PassCheck, ...] = ()
    curvatures: tuple[Curvature, ...] = ()
    cures: tuple[CureTrial, ...] = ()
    notes: tuple[str, ...] = ()

    def of(self, runtime: RuntimeId) -> TrainingCurves | None:
        """The curves of one runtime."""
        return next((curves for curves in self.curves if curves.runtime == runtime), None)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a run learned; the reports are rendered from this alone."""

    pycheck_version: str
    model: ModelInfo
    artifact: ArtifactInfo | None
    inputs: InputsInfo
    runtimes: tuple[RuntimeRecord, ...]
    comparisons: tuple[Comparison, ...]
    findings: tuple[Finding, ...]
    verdict: Verdict
    command: str = ""  # what reproduces this report
    trace: Trace | None = None  # where it starts, when it was traced
    training: Training | None = None  # how it trained, when it was trained
    remedies: tuple[Remedy, ...] = ()  # what was tried against its failures: what worked first
    name: str = ""  # of the variant, where the run is one of a check's

    @property
    def passed(self) -> bool:
        """Whether the verdict is `pass`."""
        return self.verdict is Verdict.PASS

    def assert_ok(self) -> None:
        """AssertionError unless it passed: what differs, by how much and where, why, and what to do."""
        __tracebackhide__ = True  # pytest shows the test, not this
        if not self.passed:
            from .report.failure import failure_text  # as below

            raise AssertionError(failure_text(self))

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready data, `schema_version` 1."""
        from .report.json import report_to_dict  # the only way up: a method for the reader's convenience

        return report_to_dict(self)


@dataclass(frozen=True, slots=True)
class VariantFailure:
    """What kept one variant of a check from being judged: an error of its model, its inputs or its baseline."""

    name: str
    message: str
    advice: str
    exit_code: int  # that of the error, see errors.py


@dataclass(frozen=True, slots=True)
class CheckReport:
    """A whole matrix: one report a variant, which is a model in one format and quantization, on its runtimes.

    `reports` have the names of their variants, in the order of the configuration. Budgets, known divergences and
    the baseline have had their say in the findings and the verdict of each. `failures` are variants without a
    report, and those whose report could not be held against the baseline.
    """

    pycheck_version: str
    config: str  # the file that says what is checked
    reports: tuple[Report, ...]
    failures: tuple[VariantFailure, ...]
    verdict: Verdict
    wall_s: float
    command: str = ""  # what reproduces this report

    @property
    def passed(self) -> bool:
        """Whether the verdict is `pass`."""
        return self.verdict is Verdict.PASS

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON-ready data, `schema_version` 1."""
        from .report.json import check_to_dict  # the only way up: a method for the reader's convenience

        return check_to_dict(self)
