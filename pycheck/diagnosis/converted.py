"""Finds the points at which the artifact differs from its model in Python itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from ..types import Comparison, Finding, PointResult, Severity, Trace, TracePoint
from .accumulated import moves_an_output
from .case import effect_of, lighter, listed, named, number, percent, place, unlike
from .codes import finding

#: If there are more sources than this, only the largest are reported.
_MOST = 8
_MOST_NAMED = 3

_Source = tuple[TracePoint, PointResult, Comparison]


def converted(trace: Trace, failing: Collection[object], quantization: str) -> Iterator[Finding]:
    """Find conversion-drift, quantization-drift, shape-mismatch: points at which the artifact introduces an error.

    `failing` are the runtimes of which an output fails; `quantization` is the artifact's.
    """
    sources = list(_sources(trace))
    # Sources without a measured effect have smaller errors; if none is measured, the relative error decides.
    measured = any(result.effect for _, result, _ in sources)
    told = sources if measured or len(sources) <= _MOST else sorted(sources, key=_excess, reverse=True)
    for place_told, source in enumerate(told[:_MOST]):
        severity = Severity.ERROR if failing and moves_an_output(source[1]) else Severity.WARNING
        yield _finding(source, severity, quantization, 0 if place_told else max(len(told) - _MOST, 0))


def without_refuted(findings: Collection[Finding], trace: Trace) -> tuple[Finding, ...]:
    """Remove conversion-drift of the outputs that are right in the artifact in Python, while the runtimes err."""
    refuted = {f.tensor for f in findings if f.code == "conversion-drift" and _is_refuted(f, trace)}
    kept = [f for f in findings if f.code != "conversion-drift" or f.tensor not in refuted]
    return tuple(
        replace(f, explained_by=tuple(code for code in f.explained_by if code != "conversion-drift"))
        if f.tensor in refuted
        else f
        for f in kept
    )


def _is_refuted(finding: Finding, trace: Trace) -> bool:
    split = next((split for split in trace.splits if split.tensor == finding.tensor), None)
    if split is None or split.conversion is None or not split.conversion.passed:
        return False
    failing = {c.candidate for c in split.backends if c.passed is False}
    return bool(finding.runtimes) and failing.issuperset(finding.runtimes)


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
        what = f"from here on, the artifact differs from the model by {_size(comparison)}"
    more = f" {others} more points differ by less." if others else ""
    return finding(
        code,
        severity,
        tensor=point.name,
        layer=point.layer,
        summary=f"{where}: {what}{_example(point, result)}."
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
    """Return the code, the cause and the advice."""
    if comparison.shape_mismatch:
        return (
            "shape-mismatch",
            f"in Python itself, the artifact gives a different shape than the model, {comparison.shape_mismatch}",
            "An attribute (padding, strides, axis, size) differs from the model's: convert the model again.",
        )
    if point.quantized:
        return (
            "quantization-drift",
            f"quantized weights cause an error of {_size(comparison)}",
            "Keep these weights in float32 with --keep-float (--try-remedies finds the fewest), or use --quantize "
            f"{lighter(quantization)}.",
        )
    return (
        "conversion-drift",
        f"on the model's own values, the artifact's result differs by {_size(comparison)}",
        "A weight or an attribute (padding, strides, axis, epsilon, activation) differs from the model's: "
        "convert the model again, or try a different --format.",
    )


def _size(comparison: Comparison) -> str:
    if comparison.nonfinite.changed:
        return f"{comparison.nonfinite.changed:,} NaN or infinite values"
    scale = comparison.reference_scale
    share = f" ({percent((comparison.max_abs_error or 0.0) / scale)} of the largest value)" if scale else ""
    return f"up to {number(comparison.max_abs_error or 0.0)}{share}"


def _between(point: TracePoint, result: PointResult) -> str:
    """Return a sentence on operations of the model that may be missing before this point; empty if there are none."""
    gap = result.gap
    if gap and gap.is_established:
        return f" {gap.op} itself is correct, but its inputs differ from the model's."
    between = [named for named in gap.between if named[0] not in (point.layer, *point.merged)] if gap else []
    if not between:
        return ""
    names = [f"{name} ({kind})" for name, kind in between[:_MOST_NAMED]]
    if len(between) > _MOST_NAMED:
        names.append(f"{len(between) - _MOST_NAMED} more")
    return (
        f" Before this point, the model has {listed(names)}, and no node of the artifact has that name: it may be "
        "missing, or fused into this point."
        if len(names) == 1
        else f" Before this point, the model has {listed(names)}, and no nodes of the artifact have these names: they "
        "may be missing, or fused into this point."
    )


def _note(result: PointResult) -> str:
    return (
        f" Note: {result.note.rstrip('.')}." if result.note else ""
    )  # a note may begin with a name, which is never capitalized


def _example(point: TracePoint, result: PointResult) -> str:
    element = result.element
    if element is None:
        return ""
    given, expected = unlike(element.candidate, element.reference)
    return f", {given} instead of {expected} at {place(element, point.dtype)}"
