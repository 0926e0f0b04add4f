"""Evidence besides the outputs: inputs, weights, epsilons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from .comparisons import QuantizationNoise, SummationNoise, WorstElement
from .names import NATIVE_FLOAT32, RuntimeId


@dataclass(frozen=True, slots=True)
class Column:
    """The largest magnitude in one column of an input; a column is one index of the last axis."""

    index: int
    magnitude: float


@dataclass(frozen=True, slots=True)
class Outlier:
    """A value far from its column's median; `robust_z` is the distance in units of 1.4826 MAD."""

    column: int
    sample: int
    value: float
    median: float
    robust_z: float


@dataclass(frozen=True, slots=True)
class InputScale:
    """The scale of the finite values of one floating-point input, over all samples.

    `largest` and `smallest` are the extremes among columns that vary; `constant_columns` are the others.
    """

    name: str
    columns: int
    largest: Column
    smallest: Column
    outlier: Outlier | None
    constant_columns: tuple[int, ...] = ()
    has_sample_axis: bool = True


@dataclass(frozen=True, slots=True)
class IdRange:
    """Columns of an input (None: all) with indices of a table, from `low` to below `high`, and their range."""

    name: str
    columns: tuple[int, ...] | None
    low: int
    high: int
    reason: str  # such as "178 rows of embedding"
    smallest: float
    largest: float
    smallest_sample: int
    largest_sample: int

    def merge(self, later: Self) -> Self:
        """Merge with a later range; the first sample of several counts."""
        lower, higher = later.smallest < self.smallest, later.largest > self.largest
        return replace(
            self,
            smallest=later.smallest if lower else self.smallest,
            smallest_sample=later.smallest_sample if lower else self.smallest_sample,
            largest=later.largest if higher else self.largest,
            largest_sample=later.largest_sample if higher else self.largest_sample,
        )


@dataclass(frozen=True, slots=True)
class NonfiniteInput:
    """NaN and infinities of one input, in `sample_count` of its samples.

    The first is at `index` of `sample`, which is an index of the whole input; `kind` is one of CLASSES.
    """

    name: str
    nan_count: int
    infinity_count: int
    sample_count: int
    sample: int
    index: tuple[int, ...]
    kind: str
    has_sample_axis: bool = True  # if not, `sample` is 0 and `index` is within the whole input


@dataclass(frozen=True, slots=True)
class NonfiniteWeight:
    """A weight tensor with NaN or infinities. `place` is "model" or "artifact"; `index` is that of the first."""

    place: str
    name: str
    layer: str | None
    shape: tuple[int, ...]
    nan_count: int
    infinity_count: int
    index: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Epsilon:
    """The number that a normalization adds to a variance or a norm: in the model and in the artifact, if known.

    `in_tensors` says that the artifact adds it in a separate operation, so that half floats round the sum.
    """

    layer: str
    model: float | None
    artifact: float | None
    in_tensors: bool = False

    @property
    def differs(self) -> bool:
        """Tell whether model and artifact have different ones, by more than the rounding of float16."""
        if self.model is None or self.artifact is None:
            return False
        return abs(self.artifact - self.model) > 1e-3 * max(self.artifact, self.model)


@dataclass(frozen=True, slots=True)
class ArtifactFault:
    """A layer or a node of an artifact that TF.js lacks, or computes differently than the artifact says.

    `fault` is a clause such as "tfjs-layers ignores groups", `given` the argument in the artifact (``groups=2``),
    `cure` a sentence. `backends` are the affected backends of TF.js; empty for all. `broken` says that a kernel of
    these backends gives wrong values; otherwise the model does not load or run there, or runs with a different
    meaning. `lacking` says that `fault` ends with `op`, the name of an operation that TF.js or these backends lack.
    """

    name: str
    op: str
    fault: str
    cure: str
    given: str = ""
    backends: tuple[str, ...] = ()
    broken: bool = False
    lacking: bool = False


@dataclass(frozen=True, slots=True)
class ArtifactDifferences:
    """Differences between the layers of a given artifact and those of the model.

    `missing` and `extra` are layers with their classes; `changed` are clauses. `places` are the layers of the artifact
    that compute differently or from different inputs. `outputs` are the outputs after them that are wrong in the
    artifact itself. `nonfinite` are those of them that differ in shape or in NaN and infinity; None if the artifact
    did not run in Python.
    """

    missing: tuple[tuple[str, str], ...]
    extra: tuple[tuple[str, str], ...]
    changed: tuple[str, ...]
    places: tuple[str, ...]
    outputs: tuple[str, ...]
    nonfinite: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class OutOfRangeCast:
    """Numbers that a node of the model casts to an integer type which cannot hold them, on the first batch.

    `low` to `high` is the range of the type in TensorFlow and in TF.js, whose integers have 32 bits; `value` is the
    number farthest outside. `undefined` says that TensorFlow has no result for it either. `outputs` are those that
    change in Python if the cast gives a different result for these numbers.
    """

    name: str
    layer: str | None
    dtype: str
    count: int
    element_count: int
    value: float
    low: int
    high: int
    outputs: tuple[str, ...]
    undefined: bool


@dataclass(frozen=True, slots=True)
class ReferenceCheck:
    """The comparison of the traced function, which is the reference, with the user's own `predict`, on the first batch.

    `against` names the latter ("model.predict", "the signature"). `outcome` is "agrees"; "retraced": they differed,
    and the function was traced again with the sizes of the run, which agrees; "undefined": a number is cast to a type
    that cannot hold it, and with smaller inputs both agree; "differs"; "overridden": the class of the model has its
    own predict; "random": two calls differ; "skipped". `tensors` are the outputs that differ, empty if not known.
    `tensor` is the one that differs most, `layer` the first layer whose result differs, `reason` why the check was
    skipped or how shapes differ. If the function was traced again, `shape` is that of the first input with the sizes
    that must be fixed, else None.
    """

    against: str
    outcome: str
    tensor: str | None = None
    max_abs_error: float | None = None
    reference_scale: float | None = None
    layer: str | None = None
    reason: str = ""
    shape: tuple[int | None, ...] = ()
    tensors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingCall:
    """A layer that the model calls with ``training=True``; `holds` says whether predict uses that too."""

    layer: str
    class_name: str
    holds: bool


class FaultyPart(StrEnum):
    """The part of a run on LiteRT.js in which the error of an output begins, found by running the file in Python.

    FILE: TensorFlow Lite gives it too. XNNPACK: only XNNPACK's kernels do, which LiteRT.js has too. BUILTIN: only
    TensorFlow Lite's built-in kernels do, which `tf.lite.Interpreter` does not use by default.
    BROWSER: TensorFlow Lite does not give it. MOSTLY_BROWSER: TensorFlow Lite fails as well, with a much smaller error.
    """

    FILE = "file"
    XNNPACK = "xnnpack"
    BUILTIN = "builtin"
    BROWSER = "browser"
    MOSTLY_BROWSER = "mostly-browser"


@dataclass(frozen=True, slots=True)
class ChangedAnswer:
    """An output of the first batch that changed, in any bit, when a runtime predicted that batch again.

    `element` is the one that changed most: its reference is the first value, its candidate the later one; None if the
    two shapes differ, which `shapes` then has. `iteration` is the number of the later prediction in the page, from 1.
    `after` says what the page predicted in between: "itself" (nothing), "batches" (all others) or "shape" (all others,
    if there are any, and then one sample alone); "kept" compares with an earlier run, at `kept_at`, and `iteration` is
    then the number of the batch. `is_repeatable` says that two more predictions, directly afterwards,
    agree with each other; `is_restored` that the first value returns after the artifact is loaded again; `is_by_shape`
    that it then stays when the batch is repeated, and changes after one sample alone.
    """

    tensor: str
    changed_count: int
    element_count: int
    element: WorstElement | None
    shapes: str = ""
    runtime: RuntimeId = NATIVE_FLOAT32
    iteration: int = 0
    after: str = "itself"
    is_repeatable: bool = True
    is_restored: bool = False
    is_by_shape: bool = False
    kept_at: str = ""

    @property
    def is_random(self) -> bool:
        """Tell whether earlier predictions do not explain the change."""
        return not (self.is_repeatable or self.is_restored)

    @property
    def max_change(self) -> float | None:
        """Return the largest change; NaN if it is a change to or from a NaN, None if the shapes differ."""
        return None if self.element is None else abs(self.element.candidate - self.element.reference)


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """Whether the answers of a runtime to the first batch are within the limits of an output.

    `first` is about the first answer, `again` about all later ones, `change` about the differences between them.
    """

    runtime: RuntimeId
    tensor: str
    first: bool
    again: bool
    change: bool

    @property
    def is_decisive(self) -> bool:
        """Tell whether the change decides the verdict, or is itself larger than a limit."""
        return self.first != self.again or not (self.first or self.change)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All knowledge about a run besides its outputs.

    `mended_by_epsilons` are the failed outputs that agree in Python if the artifact has the model's epsilons.
    `faulty_parts` has the outputs that failed on LiteRT.js, and there the runtimes on which they failed, if the file
    runs in Python. `inputs_of_outputs` has the inputs that each output depends on, if known. `casts_inside` has the
    integer types of casts within loops and branches before an output, which may overflow. `precision` is "float16" or
    "bfloat16" if the model computes in that type in Python, the coarser one of both. `quantization_noise` has the
    outputs of quantized artifacts that exceeded the limits of float32, `summation_noise` those that exceeded them in a
    model with long sums.
    """

    scales: tuple[InputScale, ...] = ()
    weights: tuple[NonfiniteWeight, ...] = ()
    epsilons: tuple[Epsilon, ...] = ()
    bilinear_layers: tuple[str, ...] = ()  # in a layers artifact, which tfjs-layers resizes from pixel corners
    faults: tuple[ArtifactFault, ...] = ()  # in the artifact, known before it runs
    ids: tuple[IdRange, ...] = ()
    reference: ReferenceCheck | None = None
    training_calls: tuple[TrainingCall, ...] = ()
    precision: str | None = None
    mended_by_epsilons: tuple[str, ...] = ()
    casts: tuple[OutOfRangeCast, ...] = ()
    differences: ArtifactDifferences | None = None  # in a given artifact; searched if an output fails
    inputs_of_outputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    casts_inside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    faulty_parts: Mapping[str, Mapping[str, FaultyPart]] = field(default_factory=dict)
    changed_answers: tuple[ChangedAnswer, ...] = ()
    quantization_noise: tuple[QuantizationNoise, ...] = ()
    summation_noise: tuple[SummationNoise, ...] = ()

    def without_artifact(self) -> Evidence:
        """Return what is known of the model and of the run, without that of its TF.js artifact."""
        return replace(
            self, epsilons=(), bilinear_layers=(), faults=(), mended_by_epsilons=(), differences=None,
            weights=tuple(weight for weight in self.weights if weight.place == "model"),
        )  # fmt: skip
