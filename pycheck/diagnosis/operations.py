"""Finds the operations that introduce a divergence, in a trace, and what else the values of a trace show."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from ..types import (
    Comparison,
    Finding,
    PointResult,
    RuntimeRecord,
    RuntimeStatus,
    Severity,
    Trace,
    TracePoint,
)
from ..types.operations import tensorflow_name
from .accumulated import accumulated, moves_an_output
from .broken import right_elsewhere, without_cpu
from .case import Case, are, effect_of, elements, listed, named, number, place, unlike
from .codes import finding
from .converted import converted
from .counterparts import artifact_differs_in_trace
from .explanations import Place, explanation, of_operands
from .faults import known_fault
from .runtimes import not_run

#: An activation with at least this share of its elements at its bounds is saturated.
_SATURATED = 0.999
#: Codes that say only that a kernel is wrong, not why.
_OF_KERNELS = ("broken-kernel", "own-drift")


def diagnose_trace(
    trace: Trace,
    runtimes: Collection[RuntimeRecord],
    comparisons: Collection[Comparison],
    outputs: Mapping[str, str] = MappingProxyType({}),
    known: Collection[Finding] = (),
    quantization: str = "none",
) -> tuple[Finding, ...]:
    """Return the findings of a trace: sources, NaN that Python introduces, saturated or random points, lost runtimes.

    A source is an error if an output of that runtime failed, otherwise a warning. The remaining findings are warnings
    if an output fails or is not finite, otherwise information. `comparisons` are of the outputs. `outputs` names the
    point of each output all of whose operations were traced; only these can be reported to have no source. `known`
    are the findings of the comparison: a known broken kernel is the cause of a source of that kernel.
    `quantization` is the artifact's.
    """
    failing = {c.candidate for c in comparisons if c.passed is False}
    wrong = bool(failing) or any(sum(map(sum, c.nonfinite.counts[1:])) for c in comparisons)
    aside = Severity.WARNING if wrong else Severity.INFO
    ended = [r for r in runtimes if r.status is not RuntimeStatus.OK and (r.error or "").startswith("while tracing")]
    return (
        *not_run(Case(comparisons=(), runtimes=tuple(ended))),
        *converted(trace, failing, quantization),
        *artifact_differs_in_trace(trace, {c.candidate for c in comparisons}, outputs, known),
        *_sources(trace, failing, known),
        *accumulated(trace, comparisons, outputs),
        *(_origin(point, aside, known) for point in trace.points if point.origin),
        *_saturated(trace, aside),
        *_nondeterministic(trace, known),
    )


def _sources(trace: Trace, failing: Collection[object], known: Collection[Finding]) -> Iterator[Finding]:
    for point, result in trace.sources():
        comparison = _blamed(result)
        if comparison is not None:
            matters = result.runtime in failing and moves_an_output(result)
            yield _source(point, result, comparison, Severity.ERROR if matters else Severity.WARNING, known)


def _blamed(result: PointResult) -> Comparison | None:
    """Return the comparison that makes it a source: in isolation if that fails, otherwise in the whole run."""
    return result.own if result.own is not None and result.own.passed is False else result.inherited


def explain(point: TracePoint, result: PointResult) -> tuple[str, str]:
    """Return the code of a source, and its cause in a few words."""
    comparison = _blamed(result)
    if result.element is None or comparison is None:
        return "own-drift", comparison.shape_mismatch or "" if comparison else ""
    code, _, what, _ = explanation(_place(point, result, comparison))
    return code, what


def _place(point: TracePoint, result: PointResult, comparison: Comparison) -> Place:
    expected, given = (result.element.reference, result.element.candidate) if result.element else (math.nan, math.nan)
    return Place(
        tensorflow_name(point.op), result.operands, expected, given, comparison, ran_alone=comparison is result.own
    )


def _source(
    point: TracePoint, result: PointResult, comparison: Comparison, severity: Severity, known: Collection[Finding]
) -> Finding:
    element, where = result.element, f"{named(point)} on {result.runtime}"
    if comparison.shape_mismatch or element is None:
        return finding(
            "shape-mismatch",
            severity,
            runtimes=(result.runtime,),
            tensor=point.name,
            layer=point.layer,
            summary=f"{where} gives a different shape than Python: {comparison.shape_mismatch}.",
            advice=f"{result.runtime.library} computes this operation differently: replace it in the model.",
            evidence={"op": point.op, "shapes": comparison.shape_mismatch},
        )
    code, _, what, advice = explanation(_place(point, result, comparison))
    if code in _OF_KERNELS and (fault := known_fault(known, point.name, result.runtime)):
        code, what, advice = fault.code, str(fault.evidence["fault"]), fault.advice
    given, expected = unlike(element.candidate, element.reference)
    return finding(
        code,
        severity,
        runtimes=(result.runtime,),
        tensor=point.name,
        layer=point.layer,
        summary=f"{where} introduces the error: {what}. {of_operands(result.operands)}"
        f"{given} instead of {expected} at {place(element, point.dtype)}.{effect_of(result)}",
        advice=without_cpu(advice, point, result) + (right_elsewhere(point, result) if code == "broken-kernel" else ""),
        evidence={
            "op": point.op,
            "sample": element.sample,
            "index": list(element.index),
            "given": element.candidate,
            "expected": element.reference,
            "operands": {o.name: o.value for o in result.operands},
            "max_abs_error": comparison.max_abs_error,
            "max_abs_tolerance": comparison.tolerance.max_abs if comparison.tolerance else None,
            "ran_alone": result.own is not None,
            "moves": result.effect.tensor if result.effect else None,
            "moves_by": result.effect.share if result.effect else None,
        },
    )


def _origin(point: TracePoint, severity: Severity, known: Collection[Finding]) -> Finding:
    """Return the finding of a point at which Python itself introduces NaN or infinity."""
    assert point.origin is not None
    element, operands = point.origin.element, point.origin.operands
    infinite = any(o.infinity_count if o.value is None else math.isinf(o.value) for o in operands)
    code, _, what, advice = explanation(
        Place(tensorflow_name(point.op), operands, element.reference, element.candidate)
    )
    weight = next((f.tensor for f in known if f.code == "weight-nonfinite" and f.layer == point.layer), None)
    read = f"its weight {weight}" if weight else "infinity" if infinite else "finite numbers"
    if weight:
        what = "the weight is not finite"
    return finding(
        code,
        severity,
        tensor=point.name,
        layer=point.layer,
        summary=f"In Python itself, {named(point)} turns {read} into "
        f"{'NaN' if math.isnan(element.candidate) else 'infinity'} in {elements(point.origin.count)}: {what}. "
        f"{of_operands(operands)}{number(element.candidate)} at {place(element, point.dtype)}.",
        advice=advice,
        evidence={
            "op": point.op,
            "count": point.origin.count,
            "sample": element.sample,
            "index": list(element.index),
            "float32": element.candidate,
            "float64": element.reference,
            "operands": {o.name: o.value for o in operands},
        },
    )


def _saturated(trace: Trace, severity: Severity) -> Iterator[Finding]:
    """Find activation-saturated: an activation whose result hardly depends on its input."""
    for point in trace.points:
        found = point.saturation
        if found is None or sum(found.shares) < _SATURATED:
            continue
        shares = [f"{share:.4g}" for share in (100 * share for share in found.shares)]
        bounds = [f"{share} % of its elements are {number(b)}" for share, b in zip(shares, found.bounds, strict=True)]
        yield finding(
            "activation-saturated",
            severity,
            tensor=point.name,
            layer=point.layer,
            summary=f"{named(point)}: the {found.activation} is saturated. {listed(bounds)}.",
            advice="A saturated activation hides earlier errors and blocks training: scale its inputs, or check "
            "whether earlier weights have grown too large.",
            evidence={"activation": found.activation, "bounds": list(found.bounds), "shares": list(found.shares)},
        )


def _nondeterministic(trace: Trace, known: Collection[Finding]) -> Iterator[Finding]:
    """Find nondeterministic: two runs on the same inputs differ, which the comparison did not report already."""
    by_model = {repeat.tensor for repeat in trace.repeats if repeat.runtime.engine == "artifact"}
    reported = {(f.tensor, r) for f in known if f.code in ("nondeterministic", "stale-state") for r in f.runtimes}
    for repeat in trace.repeats:
        if (repeat.tensor, repeat.runtime) in reported:
            continue
        first, second = repeat.element.reference, repeat.element.candidate
        yield finding(
            "nondeterministic",
            Severity.WARNING,
            runtimes=(repeat.runtime,),
            tensor=repeat.tensor,
            summary=f"{repeat.tensor} on {repeat.runtime}: {elements(repeat.changed_count, repeat.element_count)} "
            f"{are(repeat.changed_count)} different in two runs on the same inputs, most at {place(repeat.element)}: "
            f"{' and '.join(unlike(first, second))}.",
            advice="The model draws random numbers, so no comparison of it is valid. Remove the random layers, such as "
            "dropout or noise with training=True."
            if repeat.tensor in by_model
            else "Differences of this size are chance on this runtime: run again before you look for a cause.",
            evidence={
                "changed_count": repeat.changed_count,
                "element_count": repeat.element_count,
                "sample": repeat.element.sample,
                "index": list(repeat.element.index),
                "first": first,
                "second": second,
            },
        )
