"""Computes how much of a limit an error uses; no other module divides an error by a limit."""

from __future__ import annotations

import math

from ..types import Comparison, LimitUse, Tolerance


def share(error: float, limit: float) -> float:
    """Compute the share of a limit that an error uses: 1 is the limit itself.

    Infinity for an error above a limit of 0.
    """
    return error / limit if limit else math.inf if error else 0.0


def uses(comparison: Comparison, tolerance: Tolerance) -> tuple[LimitUse, ...]:
    """Compute the share of each limit of an output. Elements under `rtol` have their own limits.

    Their largest share counts.
    """
    c, atol = comparison, tolerance.atol if tolerance.mode == "explicit" and not tolerance.rtol else None
    found = (
        ("max_abs", c.max_abs_error, tolerance.max_abs if atol is None else atol),
        ("rms", c.rms_error, tolerance.rms),
        ("max_ulp", c.max_ulp_error, tolerance.max_ulp),
        ("rtol", c.element_share, 1.0 if tolerance.rtol else None),
    )
    return tuple(
        LimitUse(of, error, limit, share(error, limit))
        for of, error, limit in found
        if error is not None and limit is not None
    )
