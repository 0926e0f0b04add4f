"""Computes how much of a limit an error uses: the one place that divides an error by a limit."""

from __future__ import annotations

import math

from ..types import Comparison, LimitUse, Tolerance


def share(error: float, limit: float) -> float:
    """The share of a limit that an error uses: 1 is the limit itself. A limit of 0 is exceeded infinitely."""
    return error / limit if limit else math.inf if error else 0.0


def uses(comparison: Comparison, tolerance: Tolerance) -> tuple[LimitUse, ...]:
    """Every error of an output that has a limit. The elements under `rtol` are one of them, each held to its own."""
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
