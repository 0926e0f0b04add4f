"""A trace as flat rows, one for every point and runtime, for a data frame or a spreadsheet."""

from __future__ import annotations

from typing import Any

from ..types import Comparison, PointResult, Trace, TracePoint


def trace_table(trace: Trace) -> list[dict[str, Any]]:
    """See `Trace.table`."""
    return [_row(point, result) for point in trace.points for result in point.results or (None,)]


def _row(point: TracePoint, result: PointResult | None) -> dict[str, Any]:
    return {
        "point": point.name,
        "op": point.op,
        "layer": point.layer,
        "dtype": point.dtype,
        "shape": point.shape,
        "runtime": str(result.runtime) if result else None,
        "role": result.role if result else None,
        **_measured("inherited", result.inherited if result else None),
        **_measured("own", result.own if result else None),
        "smallest": point.smallest,
        "largest": point.largest,
        "overflow_headroom": point.overflow_headroom,
        "underflow_headroom": point.underflow_headroom,
        "note": result.note if result else point.skipped,
    }


def _measured(kind: str, comparison: Comparison | None) -> dict[str, Any]:
    tolerance = comparison.tolerance if comparison else None
    values = {
        "passed": comparison.passed if comparison else None,
        "max_abs_error": comparison.max_abs_error if comparison else None,
        "limit": tolerance.max_abs if tolerance else None,
        "introduced": comparison.nonfinite.introduced if comparison else None,
        "masked": comparison.nonfinite.masked if comparison else None,
        "class_changed": comparison.nonfinite.changed if comparison else None,
    }
    return {f"{kind}_{name}": value for name, value in values.items()}
