"""The statistics of one or more batches of one output, in a form that merges."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from ..types import MagnitudeErrors
from . import classes, magnitudes
from .pictures import Picture, worse
from .sums import ZERO, ScaledSum
from .top1 import Top1
from .worst import NO_WORST, Worst


@dataclass(frozen=True, slots=True)
class Statistics:
    """The statistics of one output of one candidate.

    "Pairs" are elements that are finite in the candidate and in the size reference. Maxima are None if there is no
    pair; a relative error needs a reference that is not 0. `top1` is None if the output does not look like classes.
    """

    dtype: str
    precision_bits: int
    top_k: int
    rtol: float | None
    atol: float | None
    exact: bool  # integers and booleans
    sample_count: int = 0
    element_count: int = 0
    class_counts: classes.ClassCounts = classes.NO_COUNTS
    pair_count: int = 0
    outside_count: int = 0  # pairs beyond rtol and atol
    element_share: float | None = None  # the largest error as a share of its own ``atol + rtol * |r|``
    max_abs_error: float | None = None
    max_rel_error: float | None = None
    max_ulp_error: float | None = None
    ulp_histogram: tuple[int, ...] = ()
    reference_scale: float | None = None  # largest finite magnitude of the size reference, pair or not
    error_sum: ScaledSum = ZERO
    squared_error_sum: ScaledSum = ZERO
    fourth_error_sum: ScaledSum = ZERO
    squared_reference_sum: ScaledSum = ZERO
    squared_candidate_sum: ScaledSum = ZERO
    product_sum: ScaledSum = ZERO
    top1: Top1 | None = None
    worst: Worst = NO_WORST
    shape_mismatch: str | None = None
    error_by_magnitude: tuple[MagnitudeErrors, ...] = ()
    picture: Picture | None = None


def merge(a: Statistics, b: Statistics) -> Statistics:
    """Merge the statistics of two batches.

    Counts, maxima, histograms and lists equal those of one joint measurement, in any order and grouping; sums agree to
    about 1e-13. ValueError if the two were measured with different settings.
    """
    if _settings(a) != _settings(b):
        raise ValueError(f"statistics measured differently cannot be merged: {_settings(a)} and {_settings(b)}")
    return Statistics(
        dtype=a.dtype,
        precision_bits=a.precision_bits,
        top_k=a.top_k,
        rtol=a.rtol,
        atol=a.atol,
        exact=a.exact,
        sample_count=a.sample_count + b.sample_count,
        element_count=a.element_count + b.element_count,
        class_counts=classes.add(a.class_counts, b.class_counts),
        pair_count=a.pair_count + b.pair_count,
        outside_count=a.outside_count + b.outside_count,
        element_share=_larger(a.element_share, b.element_share),
        max_abs_error=_larger(a.max_abs_error, b.max_abs_error),
        max_rel_error=_larger(a.max_rel_error, b.max_rel_error),
        max_ulp_error=_larger(a.max_ulp_error, b.max_ulp_error),
        ulp_histogram=tuple(x + y for x, y in zip_longest(a.ulp_histogram, b.ulp_histogram, fillvalue=0)),
        reference_scale=_larger(a.reference_scale, b.reference_scale),
        error_sum=a.error_sum + b.error_sum,
        squared_error_sum=a.squared_error_sum + b.squared_error_sum,
        fourth_error_sum=a.fourth_error_sum + b.fourth_error_sum,
        squared_reference_sum=a.squared_reference_sum + b.squared_reference_sum,
        squared_candidate_sum=a.squared_candidate_sum + b.squared_candidate_sum,
        product_sum=a.product_sum + b.product_sum,
        top1=a.top1 + b.top1 if a.top1 and b.top1 else None,
        worst=a.worst + b.worst,
        shape_mismatch=_first(a.shape_mismatch, b.shape_mismatch),
        error_by_magnitude=magnitudes.add(a.error_by_magnitude, b.error_by_magnitude),
        picture=worse(a.picture, b.picture),
    )


def _settings(s: Statistics) -> tuple[object, ...]:
    return s.dtype, s.precision_bits, s.top_k, s.rtol, s.atol, s.exact


def _larger(a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else max(a, b)


def _first(a: str | None, b: str | None) -> str | None:
    """Choose one of two in a way that does not depend on their order."""
    return min(filter(None, (a, b)), default=None)
