"""Tells a kernel that is broken from one that is only less exact than Python."""

from __future__ import annotations

from collections.abc import Sequence

from ..types import Comparison, Operand, PointResult, TracePoint
from .case import listed

#: In fewer elements than this, zeros or large errors may be chance.
_FEWEST = 4
#: From this share of Python's largest value, and of its RMS, on, errors are no roundoff.
_FAR = 0.1
#: Where float32 in Python errs by more than this share of the largest value, the operation amplifies roundoff.
_EXACT = 0.01
#: Below this, by float bits, a sound formula may give 0: one minus something near 1 has no digits left.
_NEAR_ZERO = {16: 1e-3, 32: 1e-6}
#: Operations whose result jumps: an argument at the jump is rounded to either side by a sound kernel.
_STEPS = frozenset({"Ceil", "Floor", "FloorDiv", "FloorMod", "Mod", "Round", "Sign", "TruncateDiv"})
#: Sums and products of two numbers, which stay finite where both are below `_MODERATE`.
_PLAIN = frozenset({"Add", "AddV2", "Mul", "Multiply", "Neg", "Sub", "Subtract", "Square", "SquaredDifference"})
_MODERATE = 1e18
_ON_CPU = ", or run this kernel on the CPU"


def gives_only_zeros(op: str, comparison: Comparison | None) -> bool:
    """Whether every element is 0 although Python has numbers far from 0, in an operation that does not jump."""
    c = comparison
    if c is None or c.nonfinite.changed or c.cosine_similarity is not None or op in _STEPS:
        return False
    if _is_near_zero(c):
        return False
    differing = c.finite_count if c.outside_count is None else c.outside_count
    return differing >= _FEWEST


def computes_otherwise(op: str, comparison: Comparison | None) -> bool:
    """Whether a kernel of full precision errs by a tenth of its values although float32 in Python does not."""
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
    """Whether a product or a sum of numbers far from float32's bounds is no number."""
    c = comparison
    if c is None or c.precision_bits == 16 or op not in _PLAIN or not operands or not c.nonfinite.introduced:
        return False
    reach = [max(abs(o.smallest or 0.0), abs(o.largest or 0.0)) for o in operands]
    return max(reach) < _MODERATE and not any(o.nan_count or o.infinity_count for o in operands)


def right_elsewhere(point: TracePoint, result: PointResult) -> str:
    """Name the runtimes of the trace that compute the operation right, as a sentence; empty if none does."""
    right = [
        other.runtime
        for other in point.results
        if other.runtime != result.runtime and other.own is not None and other.own.passed
    ]
    return f" {listed(right)} {'computes' if len(right) == 1 else 'compute'} it right." if right else ""


def without_cpu(advice: str, point: TracePoint, result: PointResult) -> str:
    """The advice without TF.js's CPU kernel, where that is the one that errs, or errs as well."""
    errs = any(other.runtime.kind == "cpu" and other.role in ("source", "latent") for other in point.results)
    return advice.replace(_ON_CPU, "") if errs or result.runtime.kind == "cpu" else advice
