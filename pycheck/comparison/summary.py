"""Turns statistics into the metrics of the report."""

from __future__ import annotations

import math

from ..types import Comparison, NonfiniteCounts, RuntimeId
from .statistics import Statistics


def summarize(
    statistics: Statistics,
    *,
    tensor: str,
    reference: RuntimeId,
    candidate: RuntimeId,
    class_reference: RuntimeId,
    noise_floor: Statistics | None = None,
) -> Comparison:
    """Compute the comparison of one output over all measured samples.

    `noise_floor` is the measurement of native:float32 against native:float64; None if there is none, and for the noise
    floor's own row. `mean_abs_error` and `rms_error` are over pairs. `cosine_similarity` is that of the flattened
    outputs, None if either is all zero. `sqnr_db` is 10 log10 of the reference's energy over the error's: +Inf without
    error, None without both.
    """
    s = statistics
    count = s.pair_count
    floor = noise_floor
    return Comparison(
        reference=reference,
        candidate=candidate,
        tensor=tensor,
        dtype=s.dtype,
        element_count=s.element_count,
        finite_count=count,
        max_abs_error=s.max_abs_error,
        mean_abs_error=s.error_sum.value / count if count else None,
        rms_error=s.squared_error_sum.root_mean(count) if count else None,
        max_rel_error=s.max_rel_error,
        max_ulp_error=s.max_ulp_error,
        ulp_histogram=s.ulp_histogram,
        cosine_similarity=_cosine(s),
        sqnr_db=_sqnr_db(s),
        top1_agreement=1.0 - s.top1.changed / s.top1.rows if s.top1 and s.top1.rows else None,
        top1_flips=s.top1.flips if s.top1 else (),
        reference_scale=s.reference_scale,
        noise_floor=floor.max_abs_error if floor else None,
        noise_floor_rms=floor.squared_error_sum.root_mean(floor.pair_count) if floor and floor.pair_count else None,
        nonfinite=NonfiniteCounts(class_reference, s.class_counts),
        worst=s.worst.elements,
        shape_mismatch=s.shape_mismatch,
        precision_bits=s.precision_bits,
        reference_rms=s.squared_reference_sum.root_mean(count) if count else None,
        noise_floor_count=_effective_count(floor) if floor else None,
        outside_count=s.outside_count if s.exact or s.rtol is not None or s.atol is not None else None,
        element_share=s.element_share,
        top1_count=s.top1.rows if s.top1 else 0,
        top1_flip_count=s.top1.changed if s.top1 else 0,
        top1_certain=s.top1 is None or s.top1.certain,
        error_by_magnitude=s.error_by_magnitude,
        picture=s.picture.encoded() if s.picture else None,
    )


def _cosine(s: Statistics) -> float | None:
    energy = s.squared_reference_sum.times(s.squared_candidate_sum)
    if not energy.high:
        return None
    product = s.product_sum
    ratio = product.squared().over(energy) if product.high else 0.0
    return math.copysign(math.sqrt(min(ratio, 1.0)), product.high)


def _sqnr_db(s: Statistics) -> float | None:
    signal, noise = s.squared_reference_sum, s.squared_error_sum
    if not noise.high:
        return math.inf if signal.high else None
    if not signal.high:
        return -math.inf
    return 10.0 * (_log10(signal.high, signal.exponent) - _log10(noise.high, noise.exponent))


def _log10(mantissa: float, exponent: int) -> float:
    return math.log10(mantissa) + exponent * math.log10(2.0)


def _effective_count(floor: Statistics) -> float | None:
    """Compute the effective number of errors in the noise floor: ``(sum e**2)**2 / sum e**4``, times 3.

    This is the participation ratio, which is n / 3 for n Gaussian errors. If a few elements dominate the noise floor,
    it is as uncertain as a few elements. The result is never more than the count; None without errors.
    """
    if not floor.pair_count or not floor.fourth_error_sum.high:
        return None
    ratio = floor.squared_error_sum.squared().over(floor.fourth_error_sum)
    return min(3.0 * ratio, float(floor.pair_count))
