"""Explains one wrong element of one operation by its operands, with a table of small rules."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..types import CLASSES, Comparison, Operand
from .broken import ON_CPU, computes_otherwise, gives_only_zeros, makes_nan
from .case import number

_LARGEST_HALF = 65504.0
_SMALLEST_NORMAL_HALF = 2.0**-14
_SMALLEST_HALF = 2.0**-24
_SMALLEST_NORMAL = 2.0**-126
_LARGEST_EXACT_INTEGER = 2**24
_SMALLEST_INT32, _LARGEST_INT32 = -(2**31), 2**31 - 1
_LARGEST_EXACT_PRODUCT = 2**53
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
#: TF.js computes these near 0 by a formula that cancels there, such as log(1 + x).
_CANCELLING = frozenset({"Elu", "ELU", "Expm1", "Log1p", "Selu", "Sinh", "Tanh"})
_TRANSFORMS = frozenset({"FFT", "IFFT", "RFFT", "IRFFT"})
_PERIODIC = frozenset({"Cos", "Sin", "Tan"})
_SMALL, _LARGE_ANGLE = 0.1, 1e3
#: Operations that compare numbers, whose result for NaN depends on the order of comparison.
_ORDERINGS = frozenset(
    {"ArgMax", "ArgMin", "Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "NotEqual", "TopK", "TopKV2"}
)
#: Backends that store or convert integers as floats; cpu and wasm have real integers.
_IN_FLOATS = frozenset({"webgl", "webgl-f16", "webgpu", "litert-webgpu"})


@dataclass(frozen=True, slots=True)
class Place:
    """One wrong element of a point, and its operands.

    If a runtime errs, `given` is its value and `expected` is Python's. If Python itself makes NaN or infinity, there
    is no `comparison`: `given` is the value in float32 and `expected` the one in float64.
    """

    op: str
    operands: tuple[Operand, ...]
    expected: float
    given: float
    comparison: Comparison | None = None
    ran_alone: bool = False

    @property
    def values(self) -> list[float]:
        """Return the elements that the wrong one was computed from, if the operation is elementwise."""
        return [o.value for o in self.operands if o.value is not None]

    @property
    def is_half(self) -> bool:
        """Tell whether the runtime computes in float16."""
        return self.comparison is not None and self.comparison.precision_bits == 16

    @property
    def is_integer(self) -> bool:
        """Tell whether a runtime gives integers."""
        return self.comparison is not None and self.comparison.dtype.lstrip("u").startswith("int")

    @property
    def is_exact(self) -> bool:
        """Tell whether a runtime gives integers or booleans, which no rounding changes."""
        return self.is_integer or (self.comparison is not None and self.comparison.dtype == "bool")

    @property
    def changes_class(self) -> bool:
        """Tell whether the class (finite, NaN, +Inf, -Inf) of the element changed."""
        return _class(self.expected) != _class(self.given)

    @property
    def divisor(self) -> float | None:
        """Return the divisor; None if it is a weight, or if the operation is not a division."""
        if self.op not in _DIVISIONS or not self.operands:
            return None
        return self.operands[-1].value


def _class(value: float) -> str:
    return "finite" if math.isfinite(value) else "NaN" if math.isnan(value) else str(value)


def _exceeds_half(s: Place) -> bool:
    """Tell whether a value overflows float16: some GPUs give infinity or NaN, others 65504."""
    reach = [v for o in s.operands for v in (o.smallest, o.largest)]
    own = [*s.values, *(v for o in s.operands if o.value is None for v in (o.smallest, o.largest)), s.expected]
    return s.is_half and any(map(_is_beyond_half, [*own, *reach] if s.changes_class else own))


def _is_beyond_half(value: float | None) -> bool:
    return value is not None and _LARGEST_HALF < abs(value) < math.inf


def _constant_exceeds_half(s: Place) -> bool:
    """Tell whether only a constant or a weight of the operation can have overflowed: its operands are in range."""
    fine = not any(o.nan_count or o.infinity_count for o in s.operands)
    return s.is_half and fine and math.isfinite(s.expected) and not math.isfinite(s.given)


def _vanishes_in_half(s: Place) -> bool:
    tiny = any(0.0 < abs(v) < _SMALLEST_NORMAL_HALF for v in s.values)
    return s.is_half and (tiny or (0.0 < abs(s.expected) < _SMALLEST_NORMAL_HALF and abs(s.given) < _SMALLEST_HALF))


def _adds_infinities(s: Place) -> bool:
    """Tell whether infinities are added: two operands, or a sum over many elements that becomes NaN."""
    if s.op in _SUMS:
        return sum(math.isinf(v) for v in s.values) > 1
    has_them = any(o.infinity_count for o in s.operands) and not any(o.nan_count for o in s.operands)
    return s.op in _CONTRACTIONS and has_them and (math.isnan(s.given) or math.isnan(s.expected))


def _flushes_an_operand(s: Place) -> bool:
    """Tell whether float32 flushes a divisor, or the argument of a logarithm, to 0 that float64 holds."""
    lost = _lost(s)
    return lost is not None and 0.0 < abs(lost) < _SMALLEST_NORMAL


def _divides_by_a_lost_number(s: Place) -> bool:
    return s.op in _DIVISIONS and bool(_lost(s))


def _has_a_lost_argument(s: Place) -> bool:
    return s.op in _LOGARITHMS and bool(_lost(s))


def _lost(s: Place) -> float | None:
    """Return the divisor, or the argument of a logarithm, in float64 if it is 0 or a denormal in float32 alone.

    Without the number in float64, a denormal is returned as it is.
    """
    if not math.isfinite(s.expected) or s.op not in _LOGARITHMS | _DIVISIONS or not s.operands:
        return None
    value, exact = s.operands[-1].value, s.operands[-1].exact
    if value is None or abs(value) >= _SMALLEST_NORMAL:
        return None
    return value if exact is None else exact


def _exp_overflows(s: Place) -> bool:
    overflow = any(v > _OVERFLOWING_EXPONENT for v in s.values)
    return s.op in _EXPONENTIALS and overflow and not (math.isfinite(s.expected) and math.isfinite(s.given))


def _compares_nan(s: Place) -> bool:
    """Tell whether an operation that compares numbers reads NaN, but gives none."""
    reads_nan = any(o.nan_count if o.value is None else math.isnan(o.value) for o in s.operands)
    return s.op in _ORDERINGS and not s.changes_class and reads_nan


def _amplifies_roundoff(s: Place) -> bool:
    """Tell whether float32 in Python errs as much as the runtime."""
    c = s.comparison
    if c is None or not c.noise_floor or not c.noise_floor_rms:
        return False
    return c.noise_floor >= (c.max_abs_error or 0.0) and c.noise_floor_rms >= (c.rms_error or 0.0)


def _spreads_nan(s: Place) -> bool:
    """Tell whether the element became NaN although only a neighbouring operand is NaN."""
    if math.isnan(s.expected) or any(math.isnan(v) for v in s.values):
        return False
    spoilt = not math.isfinite(s.given) and (math.isfinite(s.expected) or math.isnan(s.given))
    return spoilt and any(o.nan_count for o in s.operands)


def _leaves_unclipped(s: Place) -> bool:
    """Tell whether a clip returned its operand unclipped, as WebGL's does beside a NaN."""
    if s.op not in _CLIPS or math.isnan(s.expected) or s.given not in s.values:
        return False
    # WebGL's texels reach over samples, so the NaN may be in a different sample.
    return s.comparison is not None and sum(s.comparison.nonfinite.counts[CLASSES.index("nan")]) > 0


def _keeps_no_infinity(s: Place) -> bool:
    """Tell whether infinity became NaN because the float16 textures of some devices cannot hold it."""
    return s.is_half and math.isinf(s.expected) and math.isnan(s.given)


def _exceeds_int32(s: Place) -> bool:
    """Tell whether TF.js, which reads integers of all types as int32, cannot hold an operand or the result."""
    is_tfjs = s.comparison is not None and not s.comparison.candidate.is_litert
    return is_tfjs and s.is_integer and any(not _SMALLEST_INT32 <= v <= _LARGEST_INT32 for v in (*s.values, s.expected))


def _is_large_integer(s: Place) -> bool:
    """Tell whether an integer exceeds the digits of a float, on a backend that stores integers as floats."""
    on_gpu = s.comparison is not None and s.comparison.candidate.kind in _IN_FLOATS
    return on_gpu and s.is_integer and any(abs(v) > _LARGEST_EXACT_INTEGER for v in (*s.values, s.expected))


def _is_large_product(s: Place) -> bool:
    """Tell whether JavaScript, which multiplies integers as float64, loses the last digits of a product.

    The other factor may be a weight, which is no operand.
    """
    on_cpu = s.comparison is not None and s.comparison.candidate.kind == "cpu"
    largest = max(map(abs, s.values), default=0.0) * -_SMALLEST_INT32
    return on_cpu and s.is_integer and s.op in _PRODUCTS and largest > _LARGEST_EXACT_PRODUCT


def _does_not_fit(s: Place) -> bool:
    """Tell whether the number does not fit the integer type of a cast: Python's result is not its integer part."""
    if s.op != "Cast" or not s.is_integer:
        return False
    return any(not math.isfinite(v) or math.trunc(v) != s.expected for v in s.values)


def _transforms_on_a_gpu(s: Place) -> bool:
    """Tell whether it is a Fourier transform on a GPU, which sums sines and cosines (`fft_gpu.ts`, `fft_webgpu.ts`)."""
    on_gpu = s.comparison is not None and s.comparison.candidate.kind in ("webgl", "webgl-f16", "webgpu")
    small = s.comparison is not None and (s.comparison.max_abs_error or 0.0) < _SMALL * (
        s.comparison.reference_scale or 0.0
    )
    return s.op in _TRANSFORMS and on_gpu and small


Explanation = tuple[str, Callable[[Place], bool], str, str]

#: For a runtime that errs: code, condition, cause, advice. The first rule that applies is taken.
RULES: Sequence[Explanation] = (
    (
        "nondeterministic",
        lambda s: s.op.startswith(("Random", "StatelessRandom")) or s.op in ("Multinomial", "TruncatedNormal"),
        "Python and {library} draw different random numbers, even with the same seed",
        "End the model before this operation, or make the random numbers an input of the model.",
    ),
    (
        "f16-overflow",
        _exceeds_half,
        "the value overflows float16 (beyond 65504)",
        "Scale the values down before this operation, and the result up after the model.",
    ),
    (
        "f16-underflow",
        _vanishes_in_half,
        "the value underflows in float16",
        "Use an epsilon of at least 1e-3, or scale the values up.",
    ),
    (
        "log-of-zero",
        lambda s: s.op in _LOGARITHMS and any(v <= (0.0 if s.op == "Log" else -1.0) for v in s.values),
        "the argument of the logarithm is 0 or less",
        "Add an epsilon inside the logarithm, or clip its argument above 0.",
    ),
    (
        "division-by-zero",
        lambda s: s.divisor == 0.0,
        "the divisor is 0",
        "Add an epsilon to the divisor, or use tf.math.divide_no_nan.",
    ),
    (
        "sqrt-of-negative",
        lambda s: s.op in _ROOTS and any(v < 0.0 for v in s.values),
        "the argument of the square root is negative",
        "Clip the argument at 0: roundoff can make a small difference negative.",
    ),
    (
        "inf-minus-inf",
        _adds_infinities,
        "infinities are added or subtracted",
        "Clip before the operation that makes the infinity, and mask with a large finite number.",
    ),
    (
        "exp-overflow",
        _exp_overflows,
        "the exponential overflows float32",
        "Clip the argument below 88, or subtract its maximum first.",
    ),
    (
        "nan-spread",
        _leaves_unclipped,
        "this backend does not clip the elements beside a NaN",
        "Remove the NaN before this operation: this backend propagates it to neighbouring elements.",
    ),
    (
        "infinity-mishandled",
        lambda s: s.changes_class and any(math.isinf(v) for v in s.values),
        "this backend mishandles infinite input",
        "Clip the inputs of this operation to large finite numbers.",
    ),
    (
        "infinity-mishandled",
        _keeps_no_infinity,
        "float16 on this device has no infinity",
        "Clip the inputs of this operation so that its result stays below 65504.",
    ),
    (
        "cast-out-of-range",
        _does_not_fit,
        "the integer type cannot hold the number, and {library} converts it differently",
        "Clip the values to the range of the type before the cast.",
    ),
    (
        "int32-precision",
        _exceeds_int32,
        "{library} has no integer type beyond int32, which ends at 2147483647",
        "Keep integers below 2147483648 (2^31), or split them in two.",
    ),
    (
        "int32-precision",
        _is_large_product,
        "JavaScript multiplies integers as float64, which is exact only up to 9007199254740992",
        "Keep products below 9007199254740992 (2^53), or split them in two.",
    ),
    (
        "int32-precision",
        _is_large_integer,
        "this backend stores integers as floats, which are exact only up to 16777216",
        "Keep integers below 16777216 (2^24), or split them in two.",
    ),
    (
        "nan-spread",
        _spreads_nan,
        "a NaN propagates from a different element to this one",
        "Remove the NaN before this operation: this backend propagates it to neighbouring elements.",
    ),
    (
        "denormal-flush",
        lambda s: math.isfinite(s.given) and any(0.0 < abs(v) < _SMALLEST_NORMAL for v in (*s.values, s.expected)),
        "a number below 1.2e-38 is a denormal, which some runtimes flush to 0",
        "Scale the values up, compute with their logarithms, or use an epsilon above 1e-37.",
    ),
    (
        "nan-masked",
        lambda s: not math.isfinite(s.expected) and math.isfinite(s.given),
        "Python gives NaN or infinity, this backend a finite number",
        "Remove the NaN or infinity in the model: the browser hides the fault.",
    ),
    (
        "f16-overflow",
        _constant_exceeds_half,
        "a constant or weight of the operation overflows float16 (beyond 65504)",
        "Use smaller constants: in float16 a mask of -1e9 and 1 / 1e-12 are infinite.",
    ),
    (
        "broken-kernel",
        lambda s: s.ran_alone and makes_nan(s.op, s.operands, s.comparison),
        "{library}'s {backend} kernel gives NaN or infinity for finite inputs",
        "Use another backend, or run this kernel on the CPU.",
    ),
    (
        "nan-introduced",
        lambda s: math.isfinite(s.expected) and not math.isfinite(s.given),
        "the result is finite in Python",
        "Clip the inputs of this operation to the range in which Python and the backend agree.",
    ),
    (
        "nonfinite-changed",
        lambda s: s.changes_class,
        "Python and this backend give different kinds of NaN or infinity",
        "Clip the inputs of this operation: JavaScript that tests for NaN or infinity takes a different branch.",
    ),
    (
        "resize-alignment",
        lambda s: s.op in _RESIZES and not s.changes_class,
        "this backend samples different pixels",
        "Resize to a whole multiple, or use interpolation='nearest' with half-pixel centers: backends agree on these.",
    ),
    (
        "own-drift",
        lambda s: s.op in _CANCELLING and 0.0 < max(map(abs, s.values), default=0.0) < _SMALL,
        "near 0 this backend's formula cancels and keeps few digits",
        "Scale the values up, or use the first terms of the series near 0 (x - x*x/2 for log1p(x)).",
    ),
    (
        "own-drift",
        lambda s: s.op in _PERIODIC and any(_LARGE_ANGLE < abs(v) < math.inf for v in s.values),
        "this backend reduces large angles to one turn with few digits",
        "Reduce angles to -pi..pi in float64 before the model.",
    ),
    (
        "own-drift",
        _transforms_on_a_gpu,
        "{library}'s {backend} kernel sums sines and cosines that the GPU computes with few digits",
        "Use another backend, or compute the Fourier transform outside the model.",
    ),
    (
        "broken-kernel",
        lambda s: gives_only_zeros(s.op, s.comparison),
        "{library}'s {backend} kernel returns only zeros",
        "Use another backend, or run this kernel on the CPU.",
    ),
    (
        "broken-kernel",
        lambda s: s.ran_alone and computes_otherwise(s.op, s.comparison),
        "{library}'s {backend} kernel computes a different result",
        "Use another backend, or run this kernel on the CPU.",
    ),
    (
        "own-drift",
        _compares_nan,
        "{library}'s {backend} kernel compares NaN with numbers differently than Python",
        "Remove the NaN before this operation.",
    ),
    (
        "own-drift",
        _amplifies_roundoff,
        "the operation amplifies roundoff, and float32 in Python errs as much",
        "No backend can be more exact: normalize the inputs of the operation, or rewrite differences of large numbers.",
    ),
    (
        "own-drift",
        lambda s: s.is_exact,
        "{library}'s {backend} kernel gives a different result than Python",
        "No cause is known. If the difference matters, use another backend, or run this kernel on the CPU.",
    ),
    (
        "own-drift",
        lambda s: True,
        "{library}'s {backend} kernel is less exact than float32 in Python",
        "No cause is known. If the error matters, use another backend, or run this kernel on the CPU.",
    ),
)

_NATIVE_CODES = ("log-of-zero", "division-by-zero", "sqrt-of-negative", "inf-minus-inf", "exp-overflow")
#: The same, if Python itself introduces NaN or infinity.
NATIVE_RULES: Sequence[Explanation] = (
    (
        "denormal-flush",
        _flushes_an_operand,
        "float32 flushes an input below 1.2e-38 to 0",
        "Scale the values up, or compute with their logarithms: the logarithm of a product is a sum.",
    ),
    (
        "division-by-zero",
        _divides_by_a_lost_number,
        "the divisor is 0 in float32, and not in float64",
        "Roundoff or underflow makes it 0: rewrite a difference of nearly equal numbers, or add an epsilon.",
    ),
    (
        "log-of-zero",
        _has_a_lost_argument,
        "the argument of the logarithm is 0 in float32, and not in float64",
        "Roundoff or underflow makes it 0: rewrite a difference of nearly equal numbers, or add an epsilon.",
    ),
    *(rule for rule in RULES if rule[0] in _NATIVE_CODES),
    (
        "native-nan",
        lambda s: s.op in _PRODUCTS and any(v == 0.0 for v in s.values) and any(math.isinf(v) for v in s.values),
        "0 is multiplied by infinity",
        "Clip before the operation that makes the infinity.",
    ),
    (
        "native-overflow",
        lambda s: math.isfinite(s.expected) and any(math.isinf(v) for v in s.values),
        "an input is infinite in float32 and finite in float64",
        "Find the operation that makes the infinity, and scale down or clip its inputs.",
    ),
    (
        "native-overflow",
        lambda s: math.isfinite(s.expected),
        "the value overflows float32 (beyond 3.4e38)",
        "Scale the values down before this operation, or clip them.",
    ),
    (
        "native-nan",
        lambda s: True,
        "the operation has no finite result for these inputs, in float32 or float64",
        "Clip the inputs of this operation to the range in which it has a result.",
    ),
)


def _digits(value: float) -> str:
    """Format an operand; an integer beyond 2^24 with all its digits, because float32 may have lost the last ones."""
    text = number(value)
    is_large = _LARGEST_EXACT_INTEGER < abs(value) < 2.0**53 and value.is_integer()
    return f"{value:,.0f}" if is_large and float(text.replace(",", "")) != value else text


def explanation(place: Place) -> Explanation:
    """Return the rule that applies, with the name of the backend in its texts."""
    rules = RULES if place.comparison else NATIVE_RULES
    code, applies, what, advice = next(rule for rule in rules if rule[1](place))
    runtime = place.comparison.candidate if place.comparison else None
    backend = runtime.kind.removesuffix("-f16").removeprefix("litert-") if runtime else ""
    names = {"backend": backend, "library": runtime.library if runtime else ""}
    if runtime and runtime.is_litert:  # which has accelerators, and no option that moves one kernel to the CPU
        advice = advice.replace(ON_CPU, "").replace("another backend", "another accelerator")
    return code, applies, what.format(**names), advice.format(**names)


def of_operands(operands: Sequence[Operand]) -> str:
    """Begin a sentence: ``For 3 and -Inf it gives ``, shorter if the operation is not elementwise."""
    values = [_digits(o.value) + _in_float64(o) for o in operands if o.value is not None]
    return f"For {' and '.join(values)} it gives " if values else "It gives "


def _in_float64(o: Operand) -> str:
    """Return the number that became 0 in float32; empty if there is none."""
    return f" ({number(o.exact)} in float64)" if o.value == 0.0 and o.exact else ""
