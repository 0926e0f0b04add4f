"""Findings about single operations: which one is the source of a divergence, and what of its operands explains it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from ..types import (
    Comparison,
    Finding,
    Operand,
    PointResult,
    RuntimeRecord,
    RuntimeStatus,
    Severity,
    Trace,
    TracePoint,
)
from .case import Case, number, place
from .codes import finding
from .runtimes import not_run

_LARGEST_HALF = 65504.0
_SMALLEST_NORMAL_HALF = 2.0**-14
_SMALLEST_HALF = 2.0**-24
_SMALLEST_NORMAL = 2.0**-126
_LARGEST_EXACT_INTEGER = 2**24
_OVERFLOWING_EXPONENT = math.log(3.4028235e38)

_DIVISIONS = frozenset({"Div", "RealDiv", "DivNoNan", "FloorDiv", "TruncateDiv", "Reciprocal", "FloorMod", "Mod"})
_LOGARITHMS = frozenset({"Log", "Log1p"})
_ROOTS = frozenset({"Sqrt", "Rsqrt"})
_EXPONENTIALS = frozenset({"Exp", "Expm1", "Sinh", "Cosh", "Softplus"})
_SUMS = frozenset({"Add", "AddN", "AddV2", "Sub", "Subtract"})


@dataclass(frozen=True, slots=True)
class _Source:
    """A point on a runtime that errs by itself: the first wrong element, and what was read for it."""

    point: TracePoint
    result: PointResult
    comparison: Comparison
    expected: float
    given: float

    @property
    def values(self) -> list[float]:
        """The elements that the wrong one was computed from, where the operation pairs them."""
        return [o.value for o in self.result.operands if o.value is not None]

    @property
    def operands(self) -> tuple[Operand, ...]:
        return self.result.operands

    @property
    def is_half(self) -> bool:
        return self.comparison.precision_bits == 16

    @property
    def changes_class(self) -> bool:
        return _class(self.expected) != _class(self.given)

    @property
    def divisor(self) -> float | None:
        """What is divided by; None where it is a weight, or no division."""
        if self.point.op not in _DIVISIONS or not self.operands:
            return None
        return self.operands[-1].value


def _class(value: float) -> str:
    return "finite" if math.isfinite(value) else "NaN" if math.isnan(value) else str(value)


def _exceeds_half(s: _Source) -> bool:
    reach = [o.largest for o in s.operands] + [o.smallest for o in s.operands] + [s.expected]
    beyond = any(v is not None and math.isfinite(v) and abs(v) > _LARGEST_HALF for v in reach)
    return s.is_half and beyond and (s.changes_class or abs(s.given) > _LARGEST_HALF)


def _vanishes_in_half(s: _Source) -> bool:
    tiny = any(0.0 < abs(v) < _SMALLEST_NORMAL_HALF for v in s.values)
    return s.is_half and (tiny or (0.0 < abs(s.expected) < _SMALLEST_NORMAL_HALF and abs(s.given) < _SMALLEST_HALF))


def _log_of_zero(s: _Source) -> bool:
    return s.point.op in _LOGARITHMS and any(v == (0.0 if s.point.op == "Log" else -1.0) for v in s.values)


def _subtracts_infinities(s: _Source) -> bool:
    return s.point.op in _SUMS and sum(math.isinf(v) for v in s.values) > 1


def _exp_overflows(s: _Source) -> bool:
    overflow = any(v > _OVERFLOWING_EXPONENT for v in s.values)
    return s.point.op in _EXPONENTIALS and overflow and not (math.isfinite(s.expected) and math.isfinite(s.given))


def _reads_infinity(s: _Source) -> bool:
    return s.changes_class and any(math.isinf(v) for v in s.values)


def _hides_nan(s: _Source) -> bool:
    return not math.isfinite(s.expected) and math.isfinite(s.given)


def _spreads_nan(s: _Source) -> bool:
    here = any(math.isnan(v) for v in s.values)
    return math.isnan(s.given) and not math.isnan(s.expected) and not here and any(o.nan_count for o in s.operands)


def _flushes(s: _Source) -> bool:
    return any(0.0 < abs(v) < _SMALLEST_NORMAL for v in (*s.values, s.expected))


def _is_large_integer(s: _Source) -> bool:
    return s.comparison.dtype.lstrip("u").startswith("int") and abs(s.expected) > _LARGEST_EXACT_INTEGER


#: Code, whether it is that, what happened, what to do; the first that applies.
_RULES: Sequence[tuple[str, Callable[[_Source], bool], str, str]] = (
    (
        "f16-overflow",
        _exceeds_half,
        "half floats end at 65504, and it is beyond",
        "Scale the values down before this operation, and its result up again after the model.",
    ),
    (
        "f16-underflow",
        _vanishes_in_half,
        "so small a value is lost in half floats",
        "Use a larger epsilon, at least 1e-3, or scale the values up.",
    ),
    (
        "log-of-zero",
        _log_of_zero,
        "it is the logarithm of 0",
        "Add an epsilon inside of the logarithm, or clip its argument above 0.",
    ),
    (
        "division-by-zero",
        lambda s: s.divisor == 0.0,
        "it divides by 0",
        "Add an epsilon to the divisor, or use divide_no_nan.",
    ),
    (
        "sqrt-of-negative",
        lambda s: s.point.op in _ROOTS and any(v < 0.0 for v in s.values),
        "it is the root of a negative number",
        "Clip the argument at 0: roundoff alone can make a small difference negative.",
    ),
    (
        "inf-minus-inf",
        _subtracts_infinities,
        "it adds or subtracts infinities",
        "Keep infinities out: clip before the operation that makes them, and mask with a large finite number.",
    ),
    (
        "exp-overflow",
        _exp_overflows,
        "the exponential is beyond the largest float32",
        "Clip the argument below 88, or subtract its maximum first.",
    ),
    (
        "infinity-mishandled",
        _reads_infinity,
        "this backend computes something else of an infinity",
        "Keep infinities out of this operation: clip what it reads to large finite numbers.",
    ),
    (
        "int32-precision",
        _is_large_integer,
        "this backend keeps integers in floats, exact to 16777216 only",
        "Keep integers below 2^24, or split them in two.",
    ),
    (
        "nan-spread",
        _spreads_nan,
        "a NaN in another element spoilt this one",
        "Remove the NaN before this operation: on this backend it does not stay in its place.",
    ),
    (
        "nan-masked",
        _hides_nan,
        "Python gives NaN or infinity and this backend hides it",
        "Remove the NaN or infinity in the model, where Python shows it.",
    ),
    (
        "nan-introduced",
        lambda s: math.isfinite(s.expected) and not math.isfinite(s.given),
        "Python gives a finite number here",
        "Look at the operands: clip what reaches this operation to the range in which it agrees.",
    ),
    (
        "nonfinite-changed",
        lambda s: s.changes_class,
        "neither side is finite, and they are not the same",
        "Clip before the value is lost: code that tests for NaN or infinity takes another branch.",
    ),
    (
        "denormal-flush",
        _flushes,
        "numbers below 1.2e-38 are 0 on this backend",
        "Scale the values up, or use an epsilon above 1e-37.",
    ),
    (
        "own-drift",
        lambda s: True,
        "the operation itself is less exact here than float32 in Python",
        "If it matters, keep this operation's inputs in a smaller range, or run the model on another backend.",
    ),
)


def diagnose_trace(
    trace: Trace,
    runtimes: Collection[RuntimeRecord],
    comparisons: Collection[Comparison],
) -> tuple[Finding, ...]:
    """One finding for each source on each runtime, and for each runtime that ended while it was traced.

    A source is an error where an output of that runtime failed, else a warning. `comparisons` are of the outputs.
    """
    failing = {c.candidate for c in comparisons if c.passed is False}
    ended = [r for r in runtimes if r.status is not RuntimeStatus.OK and (r.error or "").startswith("while tracing")]
    findings = list(not_run(Case(comparisons=(), runtimes=tuple(ended))))
    for source in _sources(trace):
        severity = Severity.ERROR if source.result.runtime in failing else Severity.WARNING
        findings.append(_finding(source, severity))
    return tuple(findings)


def _sources(trace: Trace) -> Iterator[_Source]:
    for point in trace.points:
        for result in point.results:
            if result.role != "source":
                continue
            alone = result.own is not None and result.own.passed is False
            comparison = result.own if alone else result.inherited
            if comparison is None:
                continue
            expected, given = math.nan, math.nan
            if result.element:
                expected, given = result.element.reference, result.element.candidate
            yield _Source(point, result, comparison, expected, given)


def explain(point: TracePoint, result: PointResult) -> tuple[str, str]:
    """The code of a source, and what happened in a few words."""
    comparison = result.own if result.own is not None and result.own.passed is False else result.inherited
    if result.element is None or comparison is None:
        return "own-drift", comparison.shape_mismatch or "" if comparison else ""
    source = _Source(point, result, comparison, result.element.reference, result.element.candidate)
    code, _, what, _ = _rule(source)
    return code, what


def _rule(source: _Source) -> tuple[str, Callable[[_Source], bool], str, str]:
    return next(rule for rule in _RULES if rule[1](source))


def _finding(source: _Source, severity: Severity) -> Finding:
    point, result, element = source.point, source.result, source.result.element
    where = f"{point.name} ({point.op}{f', layer {point.layer}' if point.layer else ''}) on {result.runtime}"
    if source.comparison.shape_mismatch or element is None:
        return finding(
            "shape-mismatch",
            severity,
            runtime=result.runtime,
            tensor=point.name,
            layer=point.layer,
            summary=f"{where} gives another shape than Python: {source.comparison.shape_mismatch}.",
            advice="The operation means something else in TF.js: replace it in the model.",
            evidence={"op": point.op, "shapes": source.comparison.shape_mismatch},
        )
    code, _, what, advice = _rule(source)
    return finding(
        code,
        severity,
        runtime=result.runtime,
        tensor=point.name,
        layer=point.layer,
        summary=f"It starts at {where}: {what}; {of_operands(source.operands)}"
        f"{number(source.given)} instead of {number(source.expected)} at {place(element)}.",
        advice=advice,
        evidence={
            "op": point.op,
            "sample": element.sample,
            "index": list(element.index),
            "given": source.given,
            "expected": source.expected,
            "operands": {o.name: o.value for o in source.operands},
            "max_abs_error": source.comparison.max_abs_error,
            "max_abs_tolerance": source.comparison.tolerance.max_abs if source.comparison.tolerance else None,
            "ran_alone": result.own is not None,
        },
    )


def of_operands(operands: Sequence[Operand]) -> str:
    """``of 3 and -Inf it makes ``, shorter where the operation does not pair elements."""
    values = [number(o.value) for o in operands if o.value is not None]
    return f"of {' and '.join(values)} it makes " if values else "it gives "
