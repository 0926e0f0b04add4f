"""Distinguishes a broken kernel from one that is only less exact than Python."""

from __future__ import annotations

from collections.abc import Sequence

from ..types import Comparison, Operand, PointResult, TracePoint
from .case import listed

#: With fewer elements than this, zeros or large errors may be chance.
_FEWEST = 4
#: Errors above this share of Python's largest value, and of its RMS, are not roundoff.
_FAR = 0.1
#: If float32 in Python errs by more than this share of the largest value, the operation amplifies roundoff.
_EXACT = 0.01
#: Below this, by float bits, a correct formula may give 0: 1 - x has no digits left if x is near 1.
_NEAR_ZERO = {16: 1e-3, 32: 1e-6}
#: Operations whose result jumps: a correct kernel may round an argument at the jump to either side.
_STEPS = frozenset({"Ceil", "Floor", "FloorDiv", "FloorMod", "Mod", "Round", "Sign", "TruncateDiv"})
#: Sums and products of two numbers, which stay finite if both are below `_MODERATE`.
_PLAIN = frozenset({"Add", "AddV2", "Mul", "Multiply", "Neg", "Sub", "Subtract", "Square", "SquaredDifference"})
_MODERATE = 1e18
ON_CPU = ", or run this kernel on the CPU"


def gives_only_zeros(op: str, comparison: Comparison | None) -> bool:
    """Tell whether every element is 0 although Python's are far from 0, in an operation that does not jump."""
    c = comparison
    if c is None or c.nonfinite.changed or c.cosine_similarity is not None or op in _STEPS:
        return False
    if _is_near_zero(c):
        return False
    differing = c.finite_count if c.outside_count is None else c.outside_count
    return differing >= _FEWEST


def computes_otherwise(op: str, comparison: Comparison | None) -> bool:
    """Tell whether a float32 kernel errs by a tenth of its values although float32 in Python does not."""
    c = comparison
    if c is None or c.precision_bits == 16 or c.nonfinite.changed or c.finite_count < _FEWEST or op in _STEPS:
        return False
    if not c.dtype.startswith("float") or not c.reference_scale or not c.reference_rms or _is_near_zero(c):
        return False
    if (c.noise_floor or 0.0) > _EXACT * c.reference_scale:
        return False
    largest, usual = c.max_abs_error or 0.0, c.rms_error or 0.0
    return largest > _FAR * c.reference_scale and usual > _FAR * c.reference_rms


def _is_near_zero(comparison: Comparison) -> bool:
    return (comparison.reference_scale or 0.0) < _NEAR_ZERO.get(comparison.precision_bits, 0.0)


def makes_nan(op: str, operands: Sequence[Operand], comparison: Comparison | None) -> bool:
    """Tell whether a product or a sum of moderate numbers is not finite."""
    c = comparison
    if c is None or c.precision_bits == 16 or op not in _PLAIN or not operands or not c.nonfinite.introduced:
        return False
    reach = [max(abs(o.smallest or 0.0), abs(o.largest or 0.0)) for o in operands]
    return max(reach) < _MODERATE and not any(o.nan_count or o.infinity_count for o in operands)


def right_elsewhere(point: TracePoint, result: PointResult) -> str:
    """Return a sentence that names the runtimes of the trace with a correct kernel; empty if there are none."""
    right = [
        other.runtime
        for other in point.results
        if other.runtime != result.runtime and other.own is not None and other.own.passed
    ]
    return f" The kernel of {listed(right)} is correct." if right else ""


def without_cpu(advice: str, point: TracePoint, result: PointResult) -> str:
    """Remove TF.js's CPU kernel from the advice if that kernel errs too."""
    errs = any(other.runtime.kind == "cpu" and other.role in ("source", "latent") for other in point.results)
    return advice.replace(ON_CPU, "") if errs or result.runtime.kind == "cpu" else advice
