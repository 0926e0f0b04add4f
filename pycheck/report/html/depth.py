"""Computes the chart of a trace: the error at each point along the depth of the model, one strip for each runtime."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ...types import Comparison, PointResult, RuntimeId, Trace, TracePoint
from ..wording import ABSENT, count, printable, short, used

_MARGIN, _STRIP, _TITLE, _NAMES = 8, 72, 22, 96
_LEAST_WIDTH, _STEP, _LEAST_STEP = 1190, 48, 12
_NAME_STEP = 13
_DECADES = 4  # on either side of the limit
_LIMIT_SHARE = 0.5
_ALONE = 6  # the mark of an operation in isolation is so much wider than the bar


@dataclass(frozen=True, slots=True)
class Column:
    """One point on one runtime: a bar, and the mark of its operation in isolation if that ran."""

    x: float
    y: float
    width: float
    height: float
    kind: str  # "ok", "off" (beyond the limit) or "nan"
    alone: str  # a path, empty if there is none
    source: bool
    title: str


@dataclass(frozen=True, slots=True)
class Strip:
    """One runtime in the chart."""

    runtime: str
    top: float
    bottom: float
    limit: float
    columns: tuple[Column, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class LayerName:
    """The name of a layer at its first point; `edge` is where that point begins."""

    edge: float
    x: float
    text: str


@dataclass(frozen=True, slots=True)
class DepthChart:
    """All strips, one above the other, over the same points."""

    width: float
    height: float
    strips: tuple[Strip, ...]
    layers: tuple[LayerName, ...]
    names_top: float
    label: str


def depth_chart(trace: Trace) -> DepthChart | None:
    """Draw the chart of a trace; None if nothing was traced."""
    points = [point for point in trace.points if point.results]
    if not points:
        return None
    runtimes = list(dict.fromkeys(result.runtime for point in points for result in point.results))
    step = min(max((_LEAST_WIDTH - 2 * _MARGIN) / len(points), _LEAST_STEP), _STEP)
    strips = tuple(_strip(runtime, rank, points, step) for rank, runtime in enumerate(runtimes))
    names_top = strips[-1].bottom
    return DepthChart(
        width=math.ceil(2 * _MARGIN + step * len(points) + _NAMES / 2),
        height=names_top + _NAMES,
        strips=strips,
        layers=tuple(_layers(points, step)),
        names_top=names_top,
        label="Error along the depth of the model. " + " ".join(strip.sentence for strip in strips),
    )


def _strip(runtime: RuntimeId, rank: int, points: Sequence[TracePoint], step: float) -> Strip:
    top = rank * (_STRIP + _TITLE) + _TITLE
    columns, sources, failing = [], [], 0
    for i, point in enumerate(points):
        result = next((r for r in point.results if r.runtime == runtime), None)
        if result is None:
            continue
        column = _column(point, result, _MARGIN + i * step, top, step)
        columns.append(column)
        failing += column.kind != "ok"
        sources += [printable(point.name)] if column.source else []
    where = f"starts at {', '.join(sources[:3])}" if sources else "has no source"
    return Strip(
        str(runtime),
        top,
        top + _STRIP,
        top + _STRIP * (1 - _LIMIT_SHARE),
        tuple(columns),
        f"{runtime}: {failing} of {len(columns)} points beyond the limit; the error {where}."
        if failing
        else f"{runtime}: all {len(columns)} points within the limit.",
    )


def _column(point: TracePoint, result: PointResult, x: float, top: float, step: float) -> Column:
    inherited, own = result.inherited, result.own
    share = _share(inherited)
    height = round(share * _STRIP, 1)
    width = round(step * 0.6, 1)
    kind = "ok" if inherited is None or inherited.passed is not False else "nan" if _is_nan(inherited) else "off"
    told = [f"{printable(point.name)} ({printable(point.op)})", f"in the whole run: {described(inherited)}"]
    if own:
        told.append(f"in isolation: {described(own)}")
    alone = ""
    if own:
        y = round(top + _STRIP * (1 - _share(own)), 1)
        alone = f"M{round(x + step * 0.2 - _ALONE / 2, 1)} {y}h{round(width + _ALONE, 1)}"
    return Column(
        round(x + step * 0.2, 1),
        round(top + _STRIP - height, 1),
        width,
        height,
        kind,
        alone,
        result.role == "source",
        "; ".join(told),
    )


def _is_nan(c: Comparison) -> bool:
    return bool(c.nonfinite.changed or c.shape_mismatch)


def _share(c: Comparison | None) -> float:
    """Return the height in the strip: logarithmic, one half at the limit, the whole height for NaN and infinity."""
    if c is None:
        return 0.0
    share = c.share_or_inf
    return min(max(_LIMIT_SHARE + math.log10(share) / (2 * _DECADES), 0.02), 1.0) if share else 0.02


def described(c: Comparison | None) -> str:
    """Describe the error of a point and its limit."""
    if c is None:
        return ABSENT
    if c.shape_mismatch:
        return "different shape"
    if c.nonfinite.changed:
        return f"{count(c.nonfinite.changed)} NaN/Inf"
    return f"error {short(c.max_abs_error)}, limit used {used(c.limit_use)}"


def _layers(points: Sequence[TracePoint], step: float) -> Iterator[LayerName]:
    """Choose the names of layers that there is room for."""
    at, free = 0, -math.inf
    for layer, group in groupby(points, lambda point: point.layer or point.op):
        x = _MARGIN + (at + 0.5) * step
        if x >= free:
            yield LayerName(round(_MARGIN + at * step, 1), round(x, 1), printable(layer))
            free = x + _NAME_STEP
        at += len(list(group))
