"""Describes the results of a trace: sources, operations that propagate an error, points that were not traced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..types import Comparison, PointResult, Report, Trace, TracePoint, apart
from .wording import ABSENT, LIMITS, count, full, names, printable, short, unlike

_MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class Source:
    """One source on one runtime as text; `why` is the code of its finding."""

    runtime: str
    point: str
    op: str
    layer: str
    error: str
    limit: str
    why: str
    operands: str

    @property
    def facts(self) -> str:
        """Join error, limit, code and example: ``RMS error 0.5, limit 1e-6; own-drift; 1 instead of 2 at sample 0``."""
        limit = "" if self.limit == ABSENT else f", limit {self.limit}"
        why = "" if self.why == ABSENT else self.why
        return "; ".join(filter(None, (f"{self.error}{limit}", why, self.operands)))


def sources(report: Report) -> tuple[Source, ...]:
    """Return every source, those of the conversion first, then by runtime and by their effect on the outputs."""
    if report.trace is None:
        return ()
    own = [f for f in report.findings if "ran_alone" in f.evidence]
    codes = {(runtime, f.tensor): f.code for f in own for runtime in f.runtimes or (None,)}
    converted = report.trace.conversion_sources()
    return tuple(
        Source(
            str(result.runtime),
            printable(point.name),
            printable(point.operation),
            printable(", ".join(filter(None, (*point.merged, point.layer))) or ABSENT),
            *_error_and_limit(result.own if result.own and result.own.passed is False else result.inherited),
            codes.get((None if result is point.conversion else result.runtime, point.name), ABSENT),
            _operands(result),
        )
        for point, result in (*converted, *report.trace.sources())
    )


def _error_and_limit(c: Comparison | None) -> tuple[str, str]:
    if c is None or c.shape_mismatch:
        return "different shape", ABSENT
    if c.nonfinite.changed:
        return f"{count(c.nonfinite.changed)} NaN/Inf", "0"
    use = c.limit_use
    if use is None:
        return f"max error {short(c.max_abs_error)}", ABSENT
    return f"{LIMITS[use.of]} error {short(use.error)}", short(use.limit)


def _operands(result: PointResult) -> str:
    """Describe an element: ``for -Inf: NaN instead of 0 at sample 0 [3]``."""
    element = result.element
    if element is None:
        return ""
    values = [full(o.value) for o in result.operands if o.value is not None]
    of = f"for {' and '.join(values)}: " if values else ""
    given, expected = unlike(element.candidate, element.reference)
    return f"{of}{given} instead of {expected} at {element.place}"


def nowhere(report: Report) -> str:
    """Return the sentence for a trace without a source."""
    told = [finding for finding in report.findings if finding.code == "accumulated-drift"]
    parts = [part for finding in told for part in apart(finding)]
    suspects = dict.fromkeys(name for part in parts for name in part.evidence.get("suspects", ()))
    if any(finding.code == "output-pairing" for finding in report.findings) and not told:
        return "Outputs are paired with the wrong outputs, see output-pairing; no operation introduces an error"
    if suspects:
        return printable(f"In points that were not traced: {names(list(suspects), most=_MOST_NAMES)}")
    because = "; see accumulated-drift" if told else ""
    return f"No traced operation exceeds its tolerance in isolation{because}"


def scope(report: Report, trace: Trace) -> str:
    """Describe the traced points and samples."""
    traced = sum(not point.skipped for point in trace.points)
    points = f"{traced:,} point{'' if traced == 1 else 's'}"
    samples = f"{trace.sample_count:,} sample{'' if trace.sample_count == 1 else 's'}"
    groups = f", in {trace.group_count} groups" if trace.group_count > 1 else ""
    first = tuple(trace.samples) in ((), tuple(range(trace.sample_count)))
    if not report.model.signature.has_samples:
        return f"{points} of the artifact, in one run{groups}"
    which = (
        f"the first {'sample' if trace.sample_count == 1 else samples}"
        if first
        else f"{samples}, the failing ones first"
    )
    return f"{points} of the artifact, on {which}{groups}"


def remarks(report: Report) -> Iterator[tuple[str, str]]:
    """Return label and text: points that propagate an error, err only in isolation, or were not traced; the split."""
    trace = report.trace
    if trace is None:
        return
    if trace.bundle:
        yield "bundle", printable(trace.bundle.note)
    for runtime in dict.fromkeys(result.runtime for point in trace.points for result in point.results):
        for role, text in (
            ("passes-on", "propagated by"),
            ("latent", "only in isolation, on Python's values:"),
        ):
            points = [point.name for point, result in _with_role(trace, role) if result.runtime == runtime]
            if points:
                yield str(runtime), printable(f"{text} {names(points, most=_MOST_NAMES)}")
    yield from _not_traced(trace)
    for split in trace.splits:
        parts = [f"conversion {_cost(split.conversion)}"] if split.conversion else []
        parts += [f"{c.candidate} {_cost(c)}" for c in split.backends]
        yield printable(split.tensor), ", ".join(parts)


def _not_traced(trace: Trace) -> Iterator[tuple[str, str]]:
    reasons: dict[str, list[str]] = {}
    for point in trace.points:
        if point.skipped:
            reasons.setdefault(point.skipped, []).append(point.name)
    for reason, points in reasons.items():
        yield "not traced", printable(f"{names(points, most=_MOST_NAMES)}: {reason}")


def _cost(c: Comparison) -> str:
    if c.shape_mismatch:
        return "different shape"
    changed = f"{count(c.nonfinite.changed)} NaN/Inf" if c.nonfinite.changed else ""
    return changed or f"max error {short(c.max_abs_error)}"


def _with_role(trace: Trace, role: str) -> Iterator[tuple[TracePoint, PointResult]]:
    for point in trace.points:
        for result in point.results:
            if result.role == role:
                yield point, result
