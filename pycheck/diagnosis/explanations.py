"""What explains one wrong element of one operation: a table of small rules over what the operation read there."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..types import CLASSES, Comparison, Operand
from .broken import computes_otherwise, gives_only_zeros, makes_nan
from .case import number

_LARGEST_HALF = 65504.0
_SMALLEST_NORMAL_HALF = 2.0**-14
_SMALLEST_HALF = 2.0**-24
_SMALLEST_NORMAL = 2.0**-126
_LARGEST_EXACT_INTEGER = 2**24
_OVERFLOWING_EXPONENT = math.log(3.4028235e38)

_DIVISIONS = frozenset(
    {"Div", "RealDiv", "DivNoNan", "FloorDiv", "TruncateDiv", "Reciprocal", "FloorMod", "Mod", "Rsqrt"}
)
_LOGARITHMS = frozenset({"Log", "Log1p"})
_ROOTS = frozenset({"Sqrt", "Rsqrt"})
_EXPONENTIALS = frozenset({"Exp", "Expm1", "Sinh", "Cosh", "Softplus"})
_RESIZES = frozenset({"ResizeBilinear", "ResizeNearestNeighbor", "Resizing", "UpSampling2D"})
_SUMS = frozenset({"Add", "AddN", "AddV2", "BiasAdd", "Sub", "Subtract"})
#: Sums over many elements, which are not paired.
_CONTRACTIONS = frozenset(
    re.split(
        r"\s+",
        "BatchMatMul BatchMatMulV2 Conv2D Conv3D DepthwiseConv2dNative Einsum MatMul Mean Sum _FusedConv2D "
        "_FusedDepthwiseConv2dNative _FusedMatMul Conv1D Conv2DTranspose Dense DepthwiseConv2D Dot "
        "GlobalAveragePooling1D GlobalAveragePooling2D SeparableConv2D",
    )
)
_PRODUCTS = frozenset({"Mul", "Multiply", "Rescaling"})
_CLIPS = frozenset({"ClipByValue", "ReLU", "Relu6"})
#: What TF.js computes near 0 by a formula that cancels there, such as log(1 + x).
_CANCELLING = frozenset({"Elu", "ELU", "Expm1", "Log1p", "Selu", "Sinh", "Tanh"})
_TRANSFORMS = frozenset({"FFT", "IFFT", "RFFT", "IRFFT"})
_PERIODIC = frozenset({"Cos", "Sin", "Tan"})
_SMALL, _LARGE_ANGLE = 0.1, 1e3


@dataclass(frozen=True, slots=True)
class Place:
    """An element of a point that is wrong, and what was read for it.

    On a runtime that errs by itself, `given` is what it has and `expected` what Python has. Where Python itself
    makes NaN or infinity, there is no `comparison`, and they are what float32 and float64 have.
    """

    op: str
    operands: tuple[Operand, ...]
    expected: float
    given: float
    comparison: Comparison | None = None
    ran_alone: bool = False

    @property
    def values(self) -> list[float]:
        """The elements that the wrong one was computed from, where the operation pairs them."""
        return [o.value for o in self.operands if o.value is not None]

    @property
    def is_half(self) -> bool:
        """Whether the runtime computes in half floats."""
        return self.comparison is not None and self.comparison.precision_bits == 16

    @property
    def changes_class(self) -> bool:
        """Whether one of finite, NaN, +Inf and -Inf became another."""
        return _class(self.expected) != _class(self.given)

    @property
    def divisor(self) -> float | None:
        """What is divided by; None where it is a weight, or no division."""
        if self.op not in _DIVISIONS or not self.operands:
            return None
        return self.operands[-1].value


def _class(value: float) -> str:
    return "finite" if math.isfinite(value) else "NaN" if math.isnan(value) else str(value)


def _exceeds_half(s: Place) -> bool:
    """Some GPUs make infinity or NaN of it, others the largest half float, which is then wrong in size alone."""
    reach = [v for o in s.operands for v in (o.smallest, o.largest)]
    own = [*s.values, *(v for o in s.operands if o.value is None for v in (o.smallest, o.largest)), s.expected]
    return s.is_half and any(map(_is_beyond_half, [*own, *reach] if s.changes_class else own))


def _is_beyond_half(value: float | None) -> bool:
    return value is not None and _LARGEST_HALF < abs(value) < math.inf


def _constant_exceeds_half(s: Place) -> bool:
    """Finite, in range, and alone, and yet lost: what is left are the operation's own constants and weights."""
    fine = not any(o.nan_count or o.infinity_count for o in s.operands)
    return s.is_half and fine and math.isfinite(s.expected) and not math.isfinite(s.given)


def _vanishes_in_half(s: Place) -> bool:
    tiny = any(0.0 < abs(v) < _SMALLEST_NORMAL_HALF for v in s.values)
    return s.is_half and (tiny or (0.0 < abs(s.expected) < _SMALLEST_NORMAL_HALF and abs(s.given) < _SMALLEST_HALF))


def _log_of_zero(s: Place) -> bool:
    return s.op in _LOGARITHMS and any(v <= (0.0 if s.op == "Log" else -1.0) for v in s.values)


def _adds_infinities(s: Place) -> bool:
    """Two of them, or a sum over many elements that has them and becomes NaN."""
    if s.op in _SUMS:
        return sum(math.isinf(v) for v in s.values) > 1
    has_them = any(o.infinity_count for o in s.operands) and not any(o.nan_count for o in s.operands)
    return s.op in _CONTRACTIONS and has_them and (math.isnan(s.given) or math.isnan(s.expected))


def _multiplies_zero_by_infinity(s: Place) -> bool:
    return s.op in _PRODUCTS and any(v == 0.0 for v in s.values) and any(math.isinf(v) for v in s.values)


def _has_lost_an_operand(s: Place) -> bool:
    """A divisor or the argument of a logarithm is 0 in float32, or taken for it, and in float64 it is not."""
    lost = any(abs(v) < _SMALLEST_NORMAL for v in s.values)
    return math.isfinite(s.expected) and s.op in _LOGARITHMS | _DIVISIONS and lost


def _exp_overflows(s: Place) -> bool:
    overflow = any(v > _OVERFLOWING_EXPONENT for v in s.values)
    return s.op in _EXPONENTIALS and overflow and not (math.isfinite(s.expected) and math.isfinite(s.given))


def _reads_infinity(s: Place) -> bool:
    return s.changes_class and any(math.isinf(v) for v in s.values)


def _hides_nan(s: Place) -> bool:
    return not math.isfinite(s.expected) and math.isfinite(s.given)


def _spreads_nan(s: Place) -> bool:
    """Spoilt where no NaN was read but one is near."""
    if math.isnan(s.expected) or any(math.isnan(v) for v in s.values):
        return False
    spoilt = not math.isfinite(s.given) and (math.isfinite(s.expected) or math.isnan(s.given))
    return spoilt and any(o.nan_count for o in s.operands)


def _leaves_unclipped(s: Place) -> bool:
    """A clip that returned what it read, an infinity too: WebGL's does so beside a NaN."""
    if s.op not in _CLIPS or math.isnan(s.expected) or s.given not in s.values:
        return False
    # WebGL's texels reach over samples, so that the NaN may be in another one; Python has it in its place.
    return s.comparison is not None and sum(s.comparison.nonfinite.counts[CLASSES.index("nan")]) > 0


def _keeps_no_infinity(s: Place) -> bool:
    """Half-float textures of some devices have no infinity, so that it is lost as soon as it is stored."""
    return s.is_half and math.isinf(s.expected) and math.isnan(s.given)


def _flushes(s: Place) -> bool:
    return math.isfinite(s.given) and any(0.0 < abs(v) < _SMALLEST_NORMAL for v in (*s.values, s.expected))


def _is_large_integer(s: Place) -> bool:
    dtype = s.comparison.dtype if s.comparison else ""
    large = any(abs(v) > _LARGEST_EXACT_INTEGER for v in (*s.values, s.expected))
    return dtype.lstrip("u").startswith("int") and large


def _does_not_fit(s: Place) -> bool:
    """A cast to integers of which Python's own result is not the number without its fraction."""
    if s.op != "Cast" or s.comparison is None or not s.comparison.dtype.lstrip("u").startswith("int"):
        return False
    return any(not math.isfinite(v) or math.trunc(v) != s.expected for v in s.values)


def _cancels(s: Place) -> bool:
    return s.op in _CANCELLING and 0.0 < max(map(abs, s.values), default=0.0) < _SMALL


def _turns_often(s: Place) -> bool:
    return s.op in _PERIODIC and any(_LARGE_ANGLE < abs(v) < math.inf for v in s.values)


def _transforms_on_a_gpu(s: Place) -> bool:
    """The kernels of WebGL and WebGPU sum the terms of the definition (`fft_gpu.ts`, `fft_webgpu.ts`)."""
    on_gpu = s.comparison is not None and s.comparison.candidate.kind in ("webgl", "webgl-f16", "webgpu")
    small = s.comparison is not None and (s.comparison.max_abs_error or 0.0) < _SMALL * (
        s.comparison.reference_scale or 0.0
    )
    return s.op in _TRANSFORMS and on_gpu and small


def _draws(s: Place) -> bool:
    return s.op.startswith(("Random", "StatelessRandom")) or s.op in ("Multinomial", "TruncatedNormal")


Explanation = tuple[str, Callable[[Place], bool], str, str]

#: Of a runtime that errs by itself: code, whether it is that, what happened, what to do; the first that applies.
RULES: Sequence[Explanation] = (
    (
        "nondeterministic",
        _draws,
        "it draws random numbers: Python and TF.js draw different ones, whatever the seed",
        "End the model before it, or make what is drawn an input, which both are then given.",
    ),
    (
        "f16-overflow",
        _exceeds_half,
        "it is beyond 65504, the largest half float",
        "Scale the values down before this operation, and its result up again after the model.",
    ),
    (
        "f16-underflow",
        _vanishes_in_half,
        "so small a value is lost in half floats",
        "Use a larger epsilon, at least 1e-3, or scale the values up.",
    ),
    (
        "log-of-zero",
        _log_of_zero,
        "it is the logarithm of 0 or less",
        "Add an epsilon inside of the logarithm, or clip its argument above 0.",
    ),
    (
        "division-by-zero",
        lambda s: s.divisor == 0.0,
        "it divides by 0",
        "Add an epsilon to the divisor, or use divide_no_nan.",
    ),
    (
        "sqrt-of-negative",
        lambda s: s.op in _ROOTS and any(v < 0.0 for v in s.values),
        "it is the root of a negative number",
        "Clip the argument at 0: roundoff alone can make a small difference negative.",
    ),
    (
        "inf-minus-inf",
        _adds_infinities,
        "it adds or subtracts infinities",
        "Keep infinities out: clip before the operation that makes them, and mask with a large finite number.",
    ),
    (
        "exp-overflow",
        _exp_overflows,
        "the exponential is beyond the largest float32",
        "Clip the argument below 88, or subtract its maximum first.",
    ),
    (
        "nan-spread",
        _leaves_unclipped,
        "this backend does not clip the elements beside a NaN",
        "Remove the NaN before this operation: on this backend it does not stay in its place.",
    ),
    (
        "infinity-mishandled",
        _reads_infinity,
        "this backend mishandles infinite input",
        "Keep infinities out of this operation: clip what it reads to large finite numbers.",
    ),
    (
        "infinity-mishandled",
        _keeps_no_infinity,
        "half floats keep no infinity on this device",
        "Keep infinities out: clip what makes them to numbers below 65504.",
    ),
    (
        "cast-out-of-range",
        _does_not_fit,
        "the integer type cannot hold the number, and TF.js makes a different one of it",
        "Clip the values to what the type holds before the cast.",
    ),
    (
        "int32-precision",
        _is_large_integer,
        "this backend keeps integers in floats, exact to 16777216 only",
        "Keep integers below 2^24, or split them in two.",
    ),
    (
        "nan-spread",
        _spreads_nan,
        "a NaN in a different element made this one NaN",
        "Remove the NaN before this operation: on this backend it does not stay in its place.",
    ),
    (
        "denormal-flush",
        _flushes,
        "it is about a number below 1.2e-38, which some runtimes keep and others take for 0",
        "Scale the values up, work with their logarithms, or use an epsilon above 1e-37.",
    ),
    (
        "nan-masked",
        _hides_nan,
        "Python gives NaN or infinity and this backend hides it",
        "Remove the NaN or infinity in the model, where Python shows it.",
    ),
    (
        "f16-overflow",
        _constant_exceeds_half,
        "a constant or weight that it uses is beyond 65504, where half floats end",
        "Use a smaller constant: an epsilon of 1e-12 becomes a bound of 1e12, and a mask of -1e9 is infinite.",
    ),
    (
        "broken-kernel",
        lambda s: s.ran_alone and makes_nan(s.op, s.operands, s.comparison),
        "TF.js's {backend} kernel makes NaN or infinity of finite numbers",
        "Use another backend, or run this kernel on the CPU.",
    ),
    (
        "nan-introduced",
        lambda s: math.isfinite(s.expected) and not math.isfinite(s.given),
        "Python gives a finite number here",
        "Look at the operands: clip what reaches this operation to the range in which it agrees.",
    ),
    (
        "nonfinite-changed",
        lambda s: s.changes_class,
        "neither side is finite, and they are not the same",
        "Clip before the value is lost: code that tests for NaN or infinity takes another branch.",
    ),
    (
        "resize-alignment",
        lambda s: s.op in _RESIZES and not s.changes_class,
        "this backend takes it from other pixels",
        "Resize to a whole multiple, or with interpolation='nearest' and half-pixel centers, on which backends agree.",
    ),
    (
        "own-drift",
        _cancels,
        "so near 0 this backend's formula for it cancels, and keeps few digits",
        "Scale the values up before it, or replace it near 0 by x or its first terms (log1p(x) by x - x*x/2).",
    ),
    (
        "own-drift",
        _turns_often,
        "this backend reduces so large an angle to one turn with few digits",
        "Take whole turns off before the model, in float64, so that angles stay between -pi and pi.",
    ),
    (
        "own-drift",
        _transforms_on_a_gpu,
        "TF.js's {backend} kernel sums sines and cosines that the GPU computes with few digits",
        "Use another backend, or compute the Fourier transform outside the model.",
    ),
    (
        "broken-kernel",
        lambda s: gives_only_zeros(s.op, s.comparison),
        "TF.js's {backend} kernel returns only zeros",
        "Use another backend, or run this kernel on the CPU.",
    ),
    (
        "broken-kernel",
        lambda s: s.ran_alone and computes_otherwise(s.op, s.comparison),
        "TF.js's {backend} kernel computes a different result",
        "Use another backend, or run this kernel on the CPU.",
    ),
    (
        "own-drift",
        lambda s: True,
        "the operation itself is less exact here than float32 in Python",
        "No cause is known. If the error matters, use another backend, or run this kernel on the CPU.",
    ),
)

_NATIVE_CODES = ("log-of-zero", "division-by-zero", "sqrt-of-negative", "inf-minus-inf", "exp-overflow")
#: The same where Python itself makes NaN or infinity of what is none.
NATIVE_RULES: Sequence[Explanation] = (
    (
        "denormal-flush",
        _has_lost_an_operand,
        "what it reads is below 1.2e-38, which float32 keeps no more, and was taken for 0",
        "Scale the values up, or work with their logarithms: the logarithm of a product is a sum.",
    ),
    *(rule for rule in RULES if rule[0] in _NATIVE_CODES),
    (
        "native-nan",
        _multiplies_zero_by_infinity,
        "it multiplies 0 by infinity",
        "Keep the infinity out: look at the operation that makes it.",
    ),
    (
        "native-overflow",
        lambda s: math.isfinite(s.expected) and any(math.isinf(v) for v in s.values),
        "float64 has a number here, float32 only the infinity that it reads",
        "Look at the operation that makes the infinity, and scale down or clip what that reads.",
    ),
    (
        "native-overflow",
        lambda s: math.isfinite(s.expected),
        "float32 ends at 3.4e38, and it is beyond",
        "Scale the values down before this operation, or clip them.",
    ),
    (
        "native-nan",
        lambda s: True,
        "neither float32 nor float64 has a number for it",
        "Clip what this operation reads to the range in which it has a result.",
    ),
)


def explanation(place: Place) -> Explanation:
    """The rule that applies, with the name of the backend in its texts."""
    rules = RULES if place.comparison else NATIVE_RULES
    code, applies, what, advice = next(rule for rule in rules if rule[1](place))
    backend = place.comparison.candidate.kind.removesuffix("-f16") if place.comparison else ""
    return code, applies, what.format(backend=backend), advice.format(backend=backend)


def of_operands(operands: Sequence[Operand]) -> str:
    """``of 3 and -Inf it makes ``, shorter where the operation does not pair elements."""
    values = [number(o.value) for o in operands if o.value is not None]
    return f"of {' and '.join(values)} it makes " if values else "it gives "
