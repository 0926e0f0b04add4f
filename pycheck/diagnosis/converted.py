"""Findings about points where the artifact, in Python itself, is not the model it was made from."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..types import Comparison, Finding, PointResult, Severity, Trace, TracePoint
from .accumulated import moves_an_output
from .case import effect_of, lighter, listed, named, number, place, unlike
from .codes import finding

#: More sources than this are told by the worst of them.
_MOST = 8
_MOST_NAMED = 3

_Source = tuple[TracePoint, PointResult, Comparison]


def converted(trace: Trace, failing: Collection[object], quantization: str) -> Iterator[Finding]:
    """conversion-drift, quantization-drift, shape-mismatch: the points where the artifact stops being the model.

    `failing` are the runtimes of which an output fails; `quantization` is the artifact's.
    """
    sources = list(_sources(trace))
    # Those that are not measured err less by themselves; where nothing is, the relative error has to do.
    measured = any(result.effect for _, result, _ in sources)
    told = sources if measured or len(sources) <= _MOST else sorted(sources, key=_excess, reverse=True)
    for place_told, source in enumerate(told[:_MOST]):
        severity = Severity.ERROR if failing and moves_an_output(source[1]) else Severity.WARNING
        yield _finding(source, severity, quantization, 0 if place_told else max(len(told) - _MOST, 0))


def _sources(trace: Trace) -> Iterator[_Source]:
    for point, result in trace.conversion_sources():
        comparison = result.own if result.own and result.own.passed is False else result.inherited
        if comparison:
            yield point, result, comparison


def _excess(source: _Source) -> float:
    comparison = source[2]
    if comparison.shape_mismatch or comparison.nonfinite.changed:
        return float("inf")
    return (comparison.rms_error or 0.0) / (comparison.reference_rms or 1.0)


def _finding(source: _Source, severity: Severity, quantization: str, others: int) -> Finding:
    point, result, comparison = source
    where = named(point)
    code, what, advice = _explained(point, comparison, quantization)
    if code == "conversion-drift" and _between(point, result):
        what = f"from here on it differs by {_size(comparison)}"
    more = f" {others} more points differ, and less." if others else ""
    return finding(
        code,
        severity,
        tensor=point.name,
        layer=point.layer,
        summary=f"The artifact stops being the model at {where}: {what}{_example(point, result)}."
        f"{_between(point, result)}{effect_of(result)}{_note(result)}{more}",
        advice=advice,
        evidence={
            "op": point.op,
            "ran_alone": result.own is not None,
            "reference": str(comparison.reference),
            "shapes": comparison.shape_mismatch,
            "sample": result.element.sample if result.element else None,
            "index": list(result.element.index) if result.element else None,
            "given": result.element.candidate if result.element else None,
            "expected": result.element.reference if result.element else None,
            "max_abs_error": comparison.max_abs_error,
            "max_abs_tolerance": comparison.tolerance.max_abs if comparison.tolerance else None,
            "reference_scale": comparison.reference_scale,
            "others": others,
            "moves": result.effect.tensor if result.effect else None,
            "moves_by": result.effect.share if result.effect else None,
        },
    )


def _explained(point: TracePoint, comparison: Comparison, quantization: str) -> tuple[str, str, str]:
    """Code, what happened, what to do."""
    if comparison.shape_mismatch:
        return (
            "shape-mismatch",
            f"its value has another shape in Python itself, {comparison.shape_mismatch}",
            "One of its attributes (padding, strides, axis, size) is not the model's: convert the model again.",
        )
    if point.quantized:
        return (
            "quantization-drift",
            f"its quantized weights cost {_size(comparison)}",
            "Leave its weights in float32 (--keep-float; --try-remedies finds them), or take --quantize "
            f"{lighter(quantization)}.",
        )
    return (
        "conversion-drift",
        f"on the model's own values it errs by {_size(comparison)}",
        "Its weights or its attributes (padding, strides, axis, epsilon, activation) are not the model's: "
        "convert the model again, or try the other --format.",
    )


def _size(comparison: Comparison) -> str:
    if comparison.nonfinite.changed:
        return f"{comparison.nonfinite.changed:,} NaN or infinite values"
    scale = comparison.reference_scale
    share = f", {number(100 * (comparison.max_abs_error or 0.0) / scale)} % of its scale" if scale else ""
    return f"up to {number(comparison.max_abs_error or 0.0)}{share}"


def _between(point: TracePoint, result: PointResult) -> str:
    """What is wrong instead of the operation, or may be; empty where nothing lies before it that is not its own."""
    gap = result.gap
    if gap and gap.is_established:
        return f" {gap.op} itself is right: it reads other values than in the model."
    between = [named for named in gap.between if named[0] not in (point.layer, *point.merged)] if gap else []
    if not between:
        return ""
    names = [f"{name} ({kind})" for name, kind in between[:_MOST_NAMED]]
    if len(between) > _MOST_NAMED:
        names.append(f"{len(between) - _MOST_NAMED} more")
    return (
        f" Between this point and those before it that agree, the model has {listed(names)}, which no point of the "
        "artifact is by its name: they may be missing, or computed here."
    )


def _note(result: PointResult) -> str:
    return f" Note: {result.note}." if result.note else ""  # it may begin with a name, which is never capitalized


def _example(point: TracePoint, result: PointResult) -> str:
    element = result.element
    if element is None:
        return ""
    given, expected = unlike(element.candidate, element.reference)
    return f", {given} instead of {expected} at {place(element, point.dtype)}"
