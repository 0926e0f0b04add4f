"""Reduces one batch of one output to statistics, in chunks that stay in the processor's cache."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from typing import Any

import numpy as np

from ..types import Array, WorstElement
from . import classes, sums, ulp
from .magnitudes import ErrorGrid
from .nearer import nearer
from .pictures import looks_like_images, picture
from .statistics import Statistics, merge
from .top1 import measure_top1
from .worst import Ranked, Worst, largest_positions

_CHUNK_ELEMENTS = 1 << 15
_LARGEST = sys.float_info.max
_WORST_KINDS = ("masked", "introduced", "class")


def measure(
    candidate: Array,
    size_reference: Array,
    class_reference: Array,
    *,
    start: int,
    rtol: float | None = None,
    atol: float | None = None,
    top_k: int = 8,
    precision_bits: int = 32,
    drawn: bool = True,
    has_sample_axis: bool = True,
    name: str = "",
) -> Statistics:
    """Measure one batch of one output; all three arrays have the samples first, or `has_sample_axis` is False.

    Errors are measured against `size_reference` (native:float64, in float64), classes against `class_reference`
    (native:float32). The noise floor is the measurement of native:float32 as the candidate with native:float64 as both
    references.

    For floating point: absolute and relative errors, and ULP of `precision_bits` (16, 32 or 64), over pairs that are
    finite in both; a reference of 0 has no relative error. A row in which the two references are apart is measured
    against the nearer one (see `nearer`). -0 and +0 are equal. Errors too large for float64 become its largest number.
    For integers and booleans: an element is right if it equals either reference, its error is the
    distance to the nearer one, and there are no ULP.

    `start` is the index of the first sample in the whole input. With `rtol` or `atol`, pairs with
    ``|c - r| > atol + rtol * |r|`` are counted (the one that is not given is 0). Integers and booleans are always
    counted. `drawn` says whether to keep the data of charts: errors by magnitude, and a picture of image-like outputs.
    Without a sample axis an output is one value: places are indices of the whole value, and it has no classes. `name`
    may show whether an output has classes (see `top1`).

    A shape that differs from the reference's is reported in `shape_mismatch`, and nothing else is measured. ValueError
    if the two references differ in shape or `precision_bits` is unknown; TypeError for arrays without real numbers.
    """
    for role, array in (("candidate", candidate), ("reference", size_reference), ("reference", class_reference)):
        if array.dtype.kind not in "fbiu":
            raise TypeError(f"cannot compare a {role} of dtype {array.dtype}: only real numbers and booleans")
    if size_reference.shape != class_reference.shape:
        raise ValueError(f"references of shapes {size_reference.shape} and {class_reference.shape} for one output")
    if precision_bits not in ulp.PRECISIONS:
        raise ValueError(f"precision_bits is {precision_bits}; known: {', '.join(map(str, ulp.PRECISIONS))}")
    has_sample_axis = has_sample_axis and class_reference.ndim > 0
    blank = Statistics(
        dtype=class_reference.dtype.name,
        precision_bits=precision_bits,
        top_k=top_k,
        rtol=rtol,
        atol=atol,
        exact=class_reference.dtype.kind in "biu",
        sample_count=class_reference.shape[0] if has_sample_axis else 0,
        worst=Worst(top_k),
    )
    if candidate.shape != size_reference.shape:
        mismatch = _mismatch(size_reference.shape, candidate.shape, has_sample_axis=has_sample_axis)
        return replace(blank, shape_mismatch=mismatch)
    if not has_sample_axis:
        candidate, size_reference, class_reference = candidate[None], size_reference[None], class_reference[None]
    near = size_reference if blank.exact else nearer(candidate, size_reference, class_reference)
    flat = [np.ascontiguousarray(array).reshape(-1) for array in (candidate, size_reference, class_reference)]
    flat_near = None if near is size_reference else near.reshape(-1)
    grid = ErrorGrid(ulp.PRECISIONS[precision_bits]) if drawn and not blank.exact else None
    batch = _Batch(blank, start, class_reference.shape[1:], grid, has_sample_axis)
    total = blank
    for low in range(0, class_reference.size, _CHUNK_ELEMENTS):
        part = slice(low, low + _CHUNK_ELEMENTS)
        size = flat[1][part]
        near_part = size if flat_near is None else flat_near[part]
        total = merge(total, batch.chunk(flat[0][part], size, flat[2][part], near_part, low, total.worst))
    top1 = (
        None
        if blank.exact or not has_sample_axis
        else measure_top1(candidate, near, start=start, limit=top_k, name=name)
    )
    seen = None
    if drawn and looks_like_images(class_reference.shape[1:]):
        finite = total.pair_count == total.class_counts[0][0] == total.element_count
        seen = picture(
            candidate,
            near,
            class_reference,
            total.worst,
            start,
            finite=finite,
            has_sample_axis=has_sample_axis,
        )
    by_magnitude = grid.rows() if grid else ()
    return replace(total, sample_count=blank.sample_count, top1=top1, error_by_magnitude=by_magnitude, picture=seen)


def _mismatch(reference: tuple[int, ...], candidate: tuple[int, ...], *, has_sample_axis: bool) -> str:
    """Format the shapes of a sample; with the sample axis if that differs, or if there is none."""
    if has_sample_axis and reference[:1] == candidate[:1] and reference and candidate:
        reference, candidate = reference[1:], candidate[1:]
    return f"reference {reference}, candidate {candidate}"


class _Batch:
    """The values that all chunks of one batch share."""

    def __init__(
        self,
        blank: Statistics,
        start: int,
        sample_shape: tuple[int, ...],
        grid: ErrorGrid | None,
        has_sample_axis: bool,
    ) -> None:
        self._has_sample_axis = has_sample_axis
        self._blank = replace(blank, sample_count=0)
        self._start = start
        self._shape = sample_shape
        self._sample_size = math.prod(sample_shape)
        self._grid = grid

    def chunk(self, candidate: Array, size: Array, klass: Array, near: Array, low: int, known: Worst) -> Statistics:
        """Measure flat slices that begin at element `low`; `known` are the worst elements so far.

        Errors are against `near`, and the scale of the output is that of `size`.
        """
        result = replace(self._blank, element_count=len(candidate))
        finite = _all_finite(candidate) and _all_finite(size)
        if finite and (klass is size or _all_finite(klass)):
            result = replace(result, class_counts=((len(candidate), 0, 0, 0), *classes.NO_COUNTS[1:]))
        else:
            result = self._classes(result, candidate, klass, low)
        scale = np.abs(size.astype(np.float64))
        magnitudes = scale if near is size else np.abs(near.astype(np.float64))
        places: Array | None = None
        if not finite:
            known_size = np.isfinite(scale)
            scale = scale[known_size]
            places = np.flatnonzero(known_size & np.isfinite(candidate))
            candidate, near, klass, magnitudes = (a[places] for a in (candidate, near, klass, magnitudes))
        if scale.size:
            result = replace(result, reference_scale=float(scale.max()))
        if not candidate.size:
            return result
        exact = result.exact
        errors = _distances(candidate, near, klass) if exact else _errors(candidate, near)
        result = _sizes(result, candidate, near, errors, magnitudes, self._grid)
        above = known.errors[-1].size if len(known.errors) == known.limit else 0.0
        if result.max_abs_error is None or result.max_abs_error <= above:
            return result
        listed = self._largest(errors, candidate, klass if exact else near, places, low, above)
        return replace(result, worst=replace(result.worst, errors=listed))

    def _classes(self, result: Statistics, candidate: Array, klass: Array, low: int) -> Statistics:
        """Add the class matrix, and the first elements of each kind of change."""
        expected, got = classes.codes(klass), classes.codes(candidate)
        matrix = classes.count_matrix(expected, got)
        limit = self._blank.top_k
        selections = (
            (expected != 0) & (got == 0),
            (expected == 0) & (got != 0),
            (expected != 0) & (got != 0) & (expected != got),
        )
        listed = [
            tuple(
                Ranked(0.0, self._element(low + place, klass[place], candidate[place], kind))
                for place in np.flatnonzero(selected)[:limit].tolist()
            )
            for selected, kind in zip(selections, _WORST_KINDS, strict=True)
        ]
        counts = tuple(tuple(row) for row in matrix.tolist())
        return replace(result, class_counts=counts, worst=Worst(limit, (), *listed))

    def _largest(
        self, errors: Array, candidate: Array, reference: Array, places: Array | None, low: int, above: float
    ) -> tuple[Ranked, ...]:
        """Return the largest errors above `above`, in order; `places` are the positions of the pairs in the chunk."""
        ranked = []
        for at in largest_positions(errors, self._blank.top_k, above).tolist():
            place = low + (at if places is None else int(places[at]))
            ranked.append(Ranked(float(errors[at]), self._element(place, reference[at], candidate[at], "error")))
        return tuple(sorted(ranked, key=lambda r: r.order))

    def _element(self, place: int, reference: Any, candidate: Any, kind: str) -> WorstElement:
        sample, rest = divmod(place, self._sample_size)
        index = tuple(int(i) for i in np.unravel_index(rest, self._shape)) if self._shape else ()
        values = float(reference), float(candidate)
        return WorstElement(self._start + sample, index, *values, kind, self._has_sample_axis)


def _all_finite(values: Array) -> bool:
    return values.dtype.kind in "biu" or bool(np.isfinite(values).all())


def _sizes(
    result: Statistics,
    candidate: Array,
    reference: Array,
    errors: Array,
    magnitudes: Array,
    grid: ErrorGrid | None,
) -> Statistics:
    """Add all statistics of pairs; `errors` and `magnitudes` (of the reference) are float64."""
    references = reference.astype(np.float64, copy=False)
    largest, scale = float(errors.max()), float(magnitudes.max())
    outside, element_share = 0, None
    if result.exact or result.rtol is not None or result.atol is not None:
        allowed = (result.atol or 0.0) + (result.rtol or 0.0) * magnitudes
        outside = int(np.count_nonzero(errors > allowed))
        if result.rtol:
            element_share = _largest_share(errors, allowed)
    max_ulp: float | None = None
    histogram: tuple[int, ...] = ()
    if not result.exact:
        max_ulp, histogram = _ulps(errors, references, scale, ulp.PRECISIONS[result.precision_bits], grid)
    by_error, by_reference = sums.headroom(largest), sums.headroom(scale)
    by_candidate = sums.headroom(min(largest + scale, _LARGEST))
    r = _divided(references, by_reference)
    c = _divided(candidate.astype(np.float64), by_candidate)
    scaled = _divided(errors, by_error)
    squares = scaled * scaled
    return replace(
        result,
        pair_count=len(errors),
        outside_count=outside,
        element_share=element_share,
        max_abs_error=largest,
        max_rel_error=_largest_ratio(errors, magnitudes) if scale > 0.0 else None,
        max_ulp_error=max_ulp,
        ulp_histogram=histogram,
        error_sum=sums.ScaledSum(float(scaled.sum()), 0.0, by_error),
        squared_error_sum=sums.ScaledSum(float(squares.sum()), 0.0, 2 * by_error),
        fourth_error_sum=sums.dot(squares, 2 * by_error, squares, 2 * by_error),
        squared_reference_sum=sums.dot(r, by_reference, r, by_reference),
        squared_candidate_sum=sums.dot(c, by_candidate, c, by_candidate),
        product_sum=sums.dot(r, by_reference, c, by_candidate),
    )


def _ulps(
    errors: Array, references: Array, scale: float, precision: ulp.Precision, grid: ErrorGrid | None
) -> tuple[float, tuple[int, ...]]:
    """Return the largest distance and the histogram; add the counts by magnitude to `grid`."""
    binades = ulp.binades(references, precision)
    distances = ulp.distances(errors, binades, precision)
    largest, octaves = float(distances.max()), ulp.octaves(distances)
    if grid is None:
        return largest, tuple(np.bincount(octaves).tolist())
    counts = grid.add(binades, octaves, largest=scale, most_octave=ulp.octave(largest))
    return largest, tuple(counts.tolist())


def _errors(candidate: Array, reference: Array) -> Array:
    """Compute absolute differences in float64."""
    with np.errstate(over="ignore"):
        errors = np.subtract(candidate, reference, dtype=np.float64)
    np.abs(errors, out=errors)
    return np.minimum(errors, _LARGEST, out=errors)


def _distances(candidate: Array, *references: Array) -> Array:
    """Compute absolute differences to the nearest reference in float64, never 0 if integers differ."""
    result: Array | None = None
    for reference in references:
        errors = np.abs(candidate.astype(np.float64) - reference.astype(np.float64))
        errors[(errors == 0.0) & (candidate != reference)] = 1.0  # int64 above 2**53 may be equal as float64
        result = errors if result is None else np.minimum(result, errors, out=result)
    assert result is not None
    return result


def _divided(values: Array, exponent: int) -> Array:
    """Divide values by ``2**exponent``."""
    return np.ldexp(values, -exponent) if exponent else values


def _largest_share(errors: Array, allowed: Array) -> float:
    """Return the largest error over the allowed error of the same element; infinite if 0 is allowed."""
    wrong = errors > 0.0
    with np.errstate(over="ignore", divide="ignore"):
        return float(np.max(errors[wrong] / allowed[wrong], initial=0.0))


def _largest_ratio(errors: Array, magnitudes: Array) -> float:
    """Return the largest error over magnitude, for magnitudes that are not 0; at least one must not be."""
    if magnitudes.min() == 0.0:
        known = magnitudes > 0.0
        errors, magnitudes = errors[known], magnitudes[known]
    with np.errstate(over="ignore"):
        return min(float(np.max(errors / magnitudes)), _LARGEST)
