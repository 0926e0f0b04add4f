"""Decides which faults the limits of a comparison would notice.

A fault is noticed if it moves at least one output of a runtime beyond the limit of this output in the run. An
estimated change has only a root mean square, which is compared with the same limits. This never claims too much,
because the largest change is at least as large.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..types import Comparison, OutputChange, Power, PowerShare, RuntimeId, Tolerance, WeightPower

#: The smallest number of ULP in a relative change of 1, by float bits: that of a number just below a power of two.
_ULP = {16: 2.0**10, 32: 2.0**23}


def judge_power(power: Power, comparisons: Iterable[Comparison]) -> Power:
    """Set `noticed_by` of each weight, and compute the share for each runtime that has limits."""
    limits: dict[RuntimeId, dict[str, Comparison]] = {}
    for c in comparisons:
        if not c.is_noise_floor and c.tolerance:
            limits.setdefault(c.candidate, {})[c.tensor] = c
    weights = tuple(
        replace(weight, noticed_by=tuple(runtime for runtime, known in limits.items() if _noticed(weight, known)))
        for weight in power.weights
    )
    measured = [weight for weight in weights if weight.method != "unknown"]
    shares = tuple(
        PowerShare(runtime, sum(runtime in weight.noticed_by for weight in measured), len(measured))
        for runtime in limits
        if measured
    )
    return replace(power, weights=weights, shares=shares)


def _noticed(weight: WeightPower, comparisons: Mapping[str, Comparison]) -> bool:
    found = ((change, comparisons.get(change.output)) for change in weight.changes)
    return any(exceeds(change, c, c.tolerance) for change, c in found if c and c.tolerance)


def exceeds(change: OutputChange, comparison: Comparison, tolerance: Tolerance) -> bool:
    """Tell whether a change moves an output beyond its limit."""
    largest = change.rms if change.largest is None else change.largest
    if tolerance.mode == "exact":
        return largest > 0.0
    if tolerance.mode == "explicit":
        return _exceeds_given(change, largest, comparison, tolerance)
    return largest > (tolerance.max_abs or 0.0) or change.rms > (tolerance.rms or 0.0)


def _exceeds_given(change: OutputChange, largest: float, c: Comparison, tolerance: Tolerance) -> bool:
    """Compare a change with NumPy's ``atol + rtol * |r|`` for the elements that are known, and with the ULP limit."""
    if tolerance.max_ulp is not None and change.largest_relative is not None:
        ulps = change.largest_relative * _ULP[16 if c.precision_bits == 16 else 32]
        if ulps > tolerance.max_ulp:
            return True
    if tolerance.rtol is None and tolerance.atol is None:
        return False
    rtol, atol = tolerance.rtol or 0.0, tolerance.atol or 0.0
    beside = change.reference_at_largest
    if beside is None:  # estimated: if each element were within its limit, so would the RMS
        beside = c.reference_rms or 0.0
    at_largest = largest > atol + rtol * beside
    return at_largest or (atol == 0.0 and change.largest_relative is not None and change.largest_relative > rtol)
