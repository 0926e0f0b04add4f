"""Measures one point: its error in the whole run and in isolation, and its operands at the worst element.

A complex value is measured as two parts: its last axis then holds the real and the imaginary part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType

import numpy as np

from ..artifact import Point
from ..comparison import Statistics, measure, screen, summarize
from ..gate import AUTO, ToleranceOptions, assess
from ..tensors import parts
from ..types import (
    ARTIFACT_FLOAT32,
    ARTIFACT_FLOAT64,
    Array,
    Comparison,
    NanPolicy,
    Operand,
    PointResult,
    RuntimeId,
    TracePoint,
    WorstElement,
)
from ..types.operations import tensorflow_name

LARGEST_HALF = 65504.0
SMALLEST_HALF = 2.0**-24

#: Elementwise operations and layers: the operands at the same place explain a wrong element.
_ELEMENTWISE = frozenset(
    re.split(
        r"\s+",
        "Abs Acos Acosh Add AddN AddV2 Asin Asinh Atan Atan2 Atanh BiasAdd Cast Ceil ClipByValue Cos Cosh Div DivNoNan "
        "Elu Equal Erf Exp Expm1 Floor FloorDiv FloorMod FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Greater "
        "GreaterEqual IsFinite IsInf IsNan LeakyRelu Less LessEqual Log Log1p LogSoftmax LogicalAnd LogicalNot "
        "LogicalOr Maximum Minimum Mod Mul Neg NotEqual Pow Prelu RealDiv Reciprocal Relu Relu6 Round Rsqrt Select "
        "SelectV2 Selu Sigmoid Sign Sin Sinh Softmax Softplus Sqrt Square SquaredDifference Sub Tan Tanh TruncateDiv "
        "Activation Average BatchNormalization ELU LayerNormalization LeakyReLU Multiply PReLU ReLU Rescaling "
        "Subtract ThresholdedReLU",
    )
)

_WORST = 3
#: More than one step between quantized values, because a step is rounded itself.
_STEPS = 1.001


class Expected:
    """Python's value at a point: in the dtype of the artifact and, unless it is None, in float64.

    The reference of all runtimes is prepared once. The float64 value is left out if its shape differs, which happens
    if the shape depends on values. `is_measured` is False if artifact:float64 computes a part in float32: then there
    is no noise floor. `reference` is the runtime of `single`. Of a value that depends on integers instead of floats,
    `allowed` is the error that kernels may make which round differently. `also` is the result of Python's other
    kernels, if there are two kinds: where these differ in NaN or infinity, a value of either kind is right.
    """

    def __init__(
        self,
        single: Array,
        double: Array | None,
        *,
        is_measured: bool = True,
        reference: RuntimeId = ARTIFACT_FLOAT32,
        allowed: float | None = None,
        also: Array | None = None,
    ) -> None:
        self.reference = reference
        self.allowed = allowed
        self._is_measured = is_measured
        single, double = parts(single), None if double is None else parts(double)
        self.single = single
        self.has_double = double is not None and double.shape == single.shape
        self.size = double if double is not None and self.has_double else single
        self.screened = screen(single, self.size)
        self._also = also

    @cached_property
    def undecided(self) -> Array | None:
        """Return where Python's kernels differ in NaN or infinity; None if they do not, or there is only one kind."""
        if self._also is None or self._also.shape != self.single.shape:
            return None
        differ = kinds(self._also) != kinds(self.single)
        return differ if differ.any() else None

    @property
    def undecided_count(self) -> int:
        """Return the number of elements at which Python's kernels differ in NaN or infinity."""
        return 0 if self.undecided is None else int(self.undecided.sum())

    def settled(self, candidate: Array) -> Array:
        """Return a runtime's value, with Python's where it is of the kind that Python's other kernels give there."""
        if self.undecided is None or self._also is None or candidate.shape != self.single.shape:
            return candidate
        return np.where(self.undecided & (kinds(candidate) == kinds(self._also)), self.single, candidate)

    @cached_property
    def floor(self) -> Statistics | None:
        """Measure the noise floor: artifact:float32 against artifact:float64; None if it cannot be measured."""
        if not self.has_double or not self._is_measured:
            return None
        return self.screened or measure(self.single, self.size, self.size, start=0, top_k=_WORST, drawn=False)


def kinds(value: Array) -> Array:
    """Return 0 for each finite number, 1 and -1 for infinity, and 2 for NaN."""
    return np.where(np.isnan(value), 2, np.where(np.isinf(value), np.sign(value), 0))


def allowed_error(coarse: Mapping[str, float], name: str, value: Array) -> float | None:
    """Return the error that kernels in integers may make, because they round to different neighbors.

    1 % of the largest value, as for outputs of quantized files, or one step if that is more. None for points that are
    not in `coarse`, which has the steps, and for integers that stand for themselves.
    """
    if name not in coarse or value.dtype.kind != "f":
        return None
    largest = float(np.abs(value[np.isfinite(value)]).max(initial=0.0))
    return max(AUTO.upper_bound * largest, _STEPS * coarse[name])


def compare_point(
    name: str, candidate: Array, expected: Expected, runtime: RuntimeId, *, precision_bits: int, nan: NanPolicy
) -> Comparison:
    """Compare a runtime with the artifact in Python, judged by the automatic tolerance.

    A value that passes is only measured quickly: its class matrix and its errors. ULP, relative error, largest class
    and worst elements are then None or empty. TypeError for values that are not numbers.
    """
    candidate = expected.settled(parts(candidate))

    def judged(statistics: Statistics) -> Comparison:
        summary = summarize(
            statistics,
            tensor=name,
            reference=ARTIFACT_FLOAT64 if expected.has_double else expected.reference,
            candidate=runtime,
            class_reference=expected.reference,
            noise_floor=expected.floor,
        )
        options = None if expected.allowed is None else ToleranceOptions(atol={None: expected.allowed})
        (assessed,) = assess([summary], options=options, nan=nan)
        return assessed

    if expected.screened is not None and expected.allowed is None:
        quick = screen(candidate, expected.size, known=expected.screened)
        if quick is not None:
            comparison = judged(replace(quick, precision_bits=precision_bits))
            if comparison.passed:
                return comparison
    return judged(
        measure(
            candidate,
            expected.size,
            expected.single,
            start=0,
            top_k=_WORST,
            precision_bits=precision_bits,
            drawn=False,
            atol=expected.allowed,
        )
    )


def described(point: Point, value: Array) -> TracePoint:
    """Describe a point: its shape, its range, and its distance from the limits of float16."""
    smallest = largest = None
    if value.dtype.kind in "fc":
        real = parts(value)
        magnitudes = np.abs(real[np.isfinite(real)])
        magnitudes = magnitudes[magnitudes > 0]
        if magnitudes.size:
            smallest, largest = float(magnitudes.min()), float(magnitudes.max())
    return TracePoint(
        name=point.name,
        op=point.op,
        layer=point.layer,
        merged=point.merged,
        loops=point.loops,
        inputs=point.inputs,
        dtype=value.dtype.name,
        shape=value.shape,
        smallest=smallest,
        largest=largest,
        overflow_headroom=None if largest is None else LARGEST_HALF / largest,
        underflow_headroom=None if smallest is None else smallest / SMALLEST_HALF,
    )


def role(inherited: Comparison | None, own: Comparison | None, *, handing_on: bool, inputs_fail: bool) -> str:
    """Decide the role of an operation; see `PointResult`.

    An operation that does not run in isolation is a source if all of its inputs are right.
    """
    fails, fails_alone = (c is not None and c.passed is False for c in (inherited, own))
    if inherited is None and own is None:
        return "unknown"
    if fails_alone:
        return "source" if fails or inherited is None else "latent"
    if not fails:
        return "ok"
    return "passes-on" if own is not None or handing_on or inputs_fail else "source"


def located(
    result: PointResult, op: str, inputs: Mapping[str, Array], output_shape: tuple[int, ...], *, is_complex: bool
) -> PointResult:
    """Add the first wrong element of a source and its operands; `output_shape` is the shape of the value's parts."""
    blamed = result.own if result.own is not None and result.own.passed is False else result.inherited
    if blamed is None or not blamed.worst:
        return result
    element = blamed.worst[0]
    place = (element.sample, *element.index) if output_shape else ()
    operands = operands_of(op, inputs, place, output_shape, is_complex=is_complex)
    return replace(result, element=element, operands=operands)


def renumbered(result: PointResult, samples: Sequence[int], shape: tuple[int, ...]) -> PointResult:
    """Replace the indices of samples by those in the whole input, if a point of this shape has one row per sample."""
    has_rows = shape[:1] == (len(samples),)

    def placed(comparison: Comparison | None) -> Comparison | None:
        if comparison is None or comparison.shape_mismatch:
            return comparison
        worst = tuple(in_samples(w, samples, shape) for w in comparison.worst)
        flips = tuple(replace(f, sample=samples[f.sample]) for f in comparison.top1_flips if has_rows)
        return replace(comparison, worst=worst, top1_flips=flips, has_sample_axis=has_rows)

    element = result.element and in_samples(result.element, samples, shape)
    return replace(result, inherited=placed(result.inherited), own=placed(result.own), element=element)


def in_samples(element: WorstElement, samples: Sequence[int], shape: tuple[int, ...]) -> WorstElement:
    """Return an element with its sample's index in the whole input.

    Without a sample axis, with its index in the tensor. Points within a model have no signature: the boxes of one
    image and the values of a weight begin with a different axis.
    """
    if shape[:1] == (len(samples),):
        return replace(element, sample=samples[element.sample])
    index = (element.sample, *element.index) if shape else ()
    return replace(element, sample=samples[0] if len(samples) == 1 else 0, index=index, has_sample_axis=False)


def pairs_elements(op: str) -> bool:
    """Tell whether an operation is elementwise."""
    return tensorflow_name(op) in _ELEMENTWISE


def operands_of(
    op: str,
    inputs: Mapping[str, Array],
    place: tuple[int, ...],
    output_shape: tuple[int, ...],
    *,
    is_complex: bool = False,
    doubles: Mapping[str, Array] = MappingProxyType({}),
) -> tuple[Operand, ...]:
    """Return the operands of the element at a place; each part of a complex element depends on both parts.

    `doubles` has inputs in float64.
    """
    paired = pairs_elements(op) and not is_complex
    found = [_operand(name, parts(value), place, output_shape, paired) for name, value in inputs.items()]
    if not paired:
        return tuple(found)
    return tuple(
        replace(o, exact=_aligned(doubles[o.name], place, output_shape)) if o.name in doubles else o for o in found
    )


def _operand(
    name: str, value: Array, place: tuple[int, ...], output_shape: tuple[int, ...], is_paired: bool
) -> Operand:
    sample = value
    if value.ndim and place and value.shape[0] == output_shape[0]:
        sample = value[place[0]]
    finite = sample[np.isfinite(sample)] if sample.dtype.kind == "f" else sample
    return Operand(
        name=name,
        value=_aligned(value, place, output_shape) if is_paired else None,
        smallest=float(finite.min()) if finite.size else None,
        largest=float(finite.max()) if finite.size else None,
        nan_count=int(np.isnan(sample).sum()) if sample.dtype.kind == "f" else 0,
        infinity_count=int(np.isinf(sample).sum()) if sample.dtype.kind == "f" else 0,
    )


def _aligned(value: Array, place: tuple[int, ...], output_shape: tuple[int, ...]) -> float | None:
    """Return the element at the same place after broadcasting by NumPy's rules; None if the shapes do not fit."""
    try:
        if np.broadcast_shapes(value.shape, output_shape) != output_shape:
            return None
    except ValueError:
        return None
    missing = len(output_shape) - value.ndim
    at = tuple(0 if size == 1 else place[missing + axis] for axis, size in enumerate(value.shape))
    return float(value[at])
