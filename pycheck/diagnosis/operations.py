"""Findings of a trace: which operations are the source of a divergence, and what else their values tell."""

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
from .accumulated import accumulated, moves_an_output
from .broken import right_elsewhere, without_cpu
from .case import Case, effect_of, elements, listed, named, number, place, unlike
from .codes import finding
from .converted import converted
from .counterparts import artifact_differs_in_trace
from .explanations import Place, explanation, of_operands
from .faults import known_fault
from .runtimes import not_run

#: Share of an activation's elements at its bounds from which on it says next to nothing.
_SATURATED = 0.999
#: What says no more than that a kernel is wrong.
_OF_KERNELS = ("broken-kernel", "own-drift")


def diagnose_trace(
    trace: Trace,
    runtimes: Collection[RuntimeRecord],
    comparisons: Collection[Comparison],
    outputs: Mapping[str, str] = MappingProxyType({}),
    known: Collection[Finding] = (),
    quantization: str = "none",
) -> tuple[Finding, ...]:
    """What every source is, where Python itself makes NaN, what is saturated or random, and which runtime ended.

    A source is an error where an output of that runtime failed, else a warning; the other findings are warnings
    where an output fails or is not finite, else information. `comparisons` are of the outputs; `outputs` names the
    point of each output all of whose operations were traced, so that it is told what has no source. `known` are the
    findings of the comparison: a source among the kernels that are known to be wrong has that for its cause.
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
        *_nondeterministic(trace),
    )


def _sources(trace: Trace, failing: Collection[object], known: Collection[Finding]) -> Iterator[Finding]:
    for point, result in trace.sources():
        comparison = _blamed(result)
        if comparison is not None:
            matters = result.runtime in failing and moves_an_output(result)
            yield _source(point, result, comparison, Severity.ERROR if matters else Severity.WARNING, known)


def _blamed(result: PointResult) -> Comparison | None:
    """What makes it a source: the operation alone where that fails, else the whole run."""
    return result.own if result.own is not None and result.own.passed is False else result.inherited


def explain(point: TracePoint, result: PointResult) -> tuple[str, str]:
    """The code of a source, and what happened in a few words."""
    comparison = _blamed(result)
    if result.element is None or comparison is None:
        return "own-drift", comparison.shape_mismatch or "" if comparison else ""
    code, _, what, _ = explanation(_place(point, result, comparison))
    return code, what


def _place(point: TracePoint, result: PointResult, comparison: Comparison) -> Place:
    expected, given = (result.element.reference, result.element.candidate) if result.element else (math.nan, math.nan)
    return Place(point.op, result.operands, expected, given, comparison, ran_alone=comparison is result.own)


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
            summary=f"{where} gives another shape than Python: {comparison.shape_mismatch}.",
            advice="The operation means something else in TF.js: replace it in the model.",
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
        summary=f"It starts at {where}: {what}; {of_operands(result.operands)}"
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
    """Where Python itself makes infinity of finite numbers, or NaN of what was none."""
    assert point.origin is not None
    element, operands = point.origin.element, point.origin.operands
    infinite = any(o.infinity_count if o.value is None else math.isinf(o.value) for o in operands)
    code, _, what, advice = explanation(Place(point.op, operands, element.reference, element.candidate))
    weight = next((f.tensor for f in known if f.code == "weight-nonfinite" and f.layer == point.layer), None)
    read = f"its weight {weight}" if weight else "infinity" if infinite else "finite numbers"
    if weight:
        what = "the weight is not finite"
    return finding(
        code,
        severity,
        tensor=point.name,
        layer=point.layer,
        summary=f"In Python itself {named(point)} makes {'NaN' if math.isnan(element.candidate) else 'infinity'} of "
        f"{read} in {elements(point.origin.count)}: {what}; "
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
    """activation-saturated: an activation whose result hardly depends on its input."""
    for point in trace.points:
        found = point.saturation
        if found is None or sum(found.shares) < _SATURATED:
            continue
        shares = [f"{share:.4g}" for share in (100 * share for share in found.shares)]
        bounds = [f"{share} % at {number(bound)}" for share, bound in zip(shares, found.bounds, strict=True)]
        yield finding(
            "activation-saturated",
            severity,
            tensor=point.name,
            layer=point.layer,
            summary=f"{named(point)}: its {found.activation} is all but constant, {listed(bounds)}.",
            advice="Errors before it hardly show behind it, and it learns nothing: scale its inputs, or look whether "
            "the weights before it have grown too large.",
            evidence={"activation": found.activation, "bounds": list(found.bounds), "shares": list(found.shares)},
        )


def _nondeterministic(trace: Trace) -> Iterator[Finding]:
    """nondeterministic: two runs of the same differ."""
    by_model = {repeat.tensor for repeat in trace.repeats if repeat.runtime.engine == "artifact"}
    for repeat in trace.repeats:
        first, second = repeat.element.reference, repeat.element.candidate
        yield finding(
            "nondeterministic",
            Severity.WARNING,
            runtimes=(repeat.runtime,),
            tensor=repeat.tensor,
            summary=f"{repeat.tensor} on {repeat.runtime}: run twice on the same inputs, "
            f"{elements(repeat.changed_count, repeat.element_count)} differ, most at {place(repeat.element)}: "
            f"{number(first)}, then {number(second)}.",
            advice="The model draws random numbers: no comparison of it means anything. Leave out what is random, such "
            "as dropout or noise with training=True."
            if repeat.tensor in by_model
            else "Differences up to this size on this runtime are chance: run it again before you look for a cause.",
            evidence={
                "changed_count": repeat.changed_count,
                "element_count": repeat.element_count,
                "sample": repeat.element.sample,
                "index": list(repeat.element.index),
                "first": first,
                "second": second,
            },
        )
