"""The differences between two runtimes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .names import RuntimeId


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The allowed difference of one output.

    ``mode`` is "auto" (max_abs_error <= max_abs and rms_error <= rms), "explicit" (NumPy's elementwise ``|c - r| <=
    atol + rtol * |r|``, and max_ulp if given) or "exact" (integers and booleans: no difference at all). `derivation`
    says in one line how the limits were derived.
    """

    mode: str
    max_abs: float | None = None
    rms: float | None = None
    rtol: float | None = None
    atol: float | None = None
    max_ulp: float | None = None
    derivation: str = ""
    small_count_factor: float = 1.0  # the factor because the noise floor comes from few values
    quantization: float = 0.0  # an error that quantization explains, which may be larger than max_abs


@dataclass(frozen=True, slots=True)
class QuantizationNoise:
    """The error that rounding by quantization makes in one output, measured in Python on inputs of the run.

    `largest` and `rms` are its largest magnitude and its root mean square; None if Python cannot measure it.
    `count` is the effective number of independent errors. `is_litert` tells of which artifact: LiteRT.js's or TF.js's.
    """

    tensor: str
    is_litert: bool
    largest: float | None
    rms: float | None
    count: float = 1.0


@dataclass(frozen=True, slots=True)
class SummationNoise:
    """The error that long sums in sequence make in one output, simulated in Python on inputs of the run.

    `largest` and `rms` are its largest magnitude and its root mean square. `count` is the effective number of
    independent errors.
    """

    tensor: str
    largest: float
    rms: float
    count: float = 1.0


@dataclass(frozen=True, slots=True)
class LimitUse:
    """The share of one limit that an error uses; it is 1 at the limit.

    `of` is the limit: "max_abs" (or `atol` alone), "rms", "max_ulp" or "rtol". With `rtol`, each element has its own
    limit: `error` is then the largest share of these, and `limit` is 1.
    """

    of: str
    error: float
    limit: float
    share: float


@dataclass(frozen=True, slots=True)
class WorstElement:
    """One of the elements that differ most. `index` is within the sample; `sample` is an index of the whole input.

    If the output has no sample axis, `index` is within the output, and `sample` is the first of the batch.
    """

    sample: int
    index: tuple[int, ...]
    reference: float
    candidate: float
    kind: str  # "error", "introduced", "masked" or "class" (a different change of class)
    has_sample_axis: bool = True

    @property
    def place(self) -> str:
        """Describe its place: ``sample 3 [1, 2]``, or ``element [1, 2] of the batch from sample 32``."""
        if self.has_sample_axis:
            return f"sample {self.sample}" + (f" {list(self.index)}" if self.index else "")
        element = f"element {list(self.index)}" if self.index else "the value"
        return f"{element} of the batch from sample {self.sample}" if self.sample else element

    @property
    def sample_text(self) -> str:
        """Format the sample for a table; without a sample axis, the batch unless it is the first."""
        return str(self.sample) if self.has_sample_axis else f"batch from {self.sample}" if self.sample else "-"


@dataclass(frozen=True, slots=True)
class Top1Flip:
    """A sample whose top-1 class changed. `margin` is the reference's difference between the two classes."""

    sample: int
    index: tuple[int, ...]  # position before the class axis, within the sample
    reference_class: int
    candidate_class: int
    margin: float


@dataclass(frozen=True, slots=True)
class PairingHint:
    """A different output of the same shape that matches this one better.

    Errors are RMS, of the candidate's `tensor` and of its `fits`, both against the reference's `tensor`.
    """

    candidate: RuntimeId
    tensor: str
    fits: str
    rms_error: float
    fitting_rms_error: float


@dataclass(frozen=True, slots=True)
class NonfiniteCounts:
    """The 4x4 class matrix; rows are the reference's classes, in the order of CLASSES."""

    reference: RuntimeId
    counts: tuple[tuple[int, ...], ...]

    @property
    def introduced(self) -> int:
        """Count elements that are finite in the reference and not in the candidate."""
        return sum(self.counts[0][1:])

    @property
    def masked(self) -> int:
        """Count elements that are not finite in the reference and finite in the candidate."""
        return sum(row[0] for row in self.counts[1:])

    @property
    def changed(self) -> int:
        """Count elements whose class differs from the reference's."""
        return sum(n for i, row in enumerate(self.counts) for j, n in enumerate(row) if i != j)


@dataclass(frozen=True, slots=True)
class MagnitudeErrors:
    """Errors of the pairs whose reference is in ``[2**log2_magnitude, 2**(log2_magnitude + 1))``.

    `ulp_histogram` counts as `Comparison.ulp_histogram` does, but errors above 2**62 ULP are in the last entry. A
    `log2_magnitude` of None stands for 0 and the numbers with the same unit: subnormals and the smallest normals.
    Magnitudes above 2**160 are counted with that.
    """

    log2_magnitude: int | None
    ulp_histogram: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SamplePicture:
    """The worst sample of an image-like output, as small pictures: Python's, the candidate's, the difference.

    The pictures are PNG in base64, at most 64 pixels on the longer side. In the first two, `low` is black and `high`
    is white: the smallest and the largest value of Python's sample. In the third, `largest_error` is brightest. A
    pixel is transparent if a value is not finite, in the third if its class differs. `height`, `width` and `channels`
    are the sample's own, and `changed_count` of its elements have a different class.
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
    has_sample_axis: bool = True  # if not, it is the whole output for the batch from `sample`


@dataclass(frozen=True, slots=True)
class Comparison:
    """One output of one candidate against the reference, over all samples.

    Error metrics are over pairs that are finite on both sides, and None if there is none. An output without a sample
    axis is compared as a whole, batch by batch.
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
    precision_bits: int = 32  # the float bits of the ULP in max_ulp_error
    reference_rms: float | None = None  # root mean square of the reference, over finite pairs
    noise_floor_count: float | None = None  # the effective number of independent errors in the noise floor
    quantization_noise: QuantizationNoise | None = None  # of a quantized artifact; measured if float32's limits fail
    summation_noise: SummationNoise | None = None  # of a model with long sums; simulated if the limits fail
    outside_count: int | None = None  # pairs that exceed the explicit rtol and atol, or integers that differ
    top1_count: int = 0  # rows whose top-1 class was compared
    top1_flip_count: int = 0  # rows in which it changed or became NaN; `top1_flips` lists a few
    top1_certain: bool = True  # whether the rows are certainly classes; otherwise they may be a regression
    outputs_sha256: str | None = None  # hash of the candidate's bytes, all samples in order
    error_by_magnitude: tuple[MagnitudeErrors, ...] = ()  # for pairs, the smallest magnitude first
    floor_assumed_for: tuple[str, ...] = ()  # operations that the reference ran in float32: its floor is assumed
    picture: SamplePicture | None = None  # if a sample looks like an image and an element differs
    has_sample_axis: bool = True
    element_share: float | None = None  # the largest share of its ``atol + rtol * |r|`` that an element uses
    limit_use: LimitUse | None = None  # set by the gate: the limit with the largest used share
    excused: str | None = None  # set by the gate: why its failure does not count

    @property
    def failed(self) -> bool:
        """Tell whether it is a reason for the gate to fail: it did not pass, and is not excused."""
        return self.passed is False and self.excused is None

    @property
    def share_used(self) -> float | None:
        """Return the largest used share of any limit: 1 is the limit itself. None if there is no limit."""
        return self.limit_use.share if self.limit_use else None

    @property
    def share_or_inf(self) -> float:
        """Return `share_used`, 0 without one; infinity for a different shape or class, which no limit allows."""
        return math.inf if self.shape_mismatch or self.nonfinite.changed else self.share_used or 0.0

    @property
    def is_noise_floor(self) -> bool:
        """Tell whether this row is the noise floor in Python, which is not judged."""
        return self.candidate.engine == self.reference.engine
