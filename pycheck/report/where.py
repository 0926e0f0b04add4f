"""What a trace found, in words: the sources, what only passes an error on, what was not looked at, who causes what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..types import Comparison, PointResult, Report, Trace, TracePoint
from .wording import ABSENT, count, full, names, printable, short, unlike

_MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class Source:
    """One source on one runtime, as text; `why` is the code of its finding."""

    runtime: str
    point: str
    op: str
    layer: str
    error: str
    limit: str
    why: str
    operands: str


def sources(report: Report) -> tuple[Source, ...]:
    """Every source: first where the artifact leaves the model, then by runtime; what moves outputs most first."""
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
        return "shape", ABSENT
    if c.nonfinite.changed:
        return f"{count(c.nonfinite.changed)} NaN/Inf", "0"
    use = c.limit_use
    if use is None:
        return short(c.max_abs_error), ABSENT
    return f"{'RMS ' if use.of == 'rms' else ''}{short(use.error)}", short(use.limit)


def _operands(result: PointResult) -> str:
    """``of -Inf: NaN, not 0, at sample 0 [3]``."""
    element = result.element
    if element is None:
        return ""
    values = [full(o.value) for o in result.operands if o.value is not None]
    of = f"of {' and '.join(values)}: " if values else ""
    given, expected = unlike(element.candidate, element.reference)
    return f"{of}{given}, not {expected}, at {element.place}"


def nowhere(report: Report) -> str:
    """What there is to say where no operation is a source."""
    told = [finding for finding in report.findings if finding.code == "accumulated-drift"]
    suspects = dict.fromkeys(name for finding in told for name in finding.evidence.get("suspects", ()))
    if any(finding.code == "output-pairing" for finding in report.findings) and not told:
        return "Outputs are paired wrongly, see output-pairing; paired rightly, none fails by an operation"
    if suspects:
        return printable(f"In what was not traced: {names(list(suspects), most=_MOST_NAMES)}")
    because = "; accumulated-drift tells why the output fails" if told else ""
    return f"No operation that was traced errs by itself beyond its tolerance{because}"


def scope(report: Report, trace: Trace) -> str:
    """What was looked at."""
    traced = sum(not point.skipped for point in trace.points)
    points = f"{traced:,} point{'' if traced == 1 else 's'}"
    samples = f"{trace.sample_count:,} sample{'' if trace.sample_count == 1 else 's'}"
    groups = f", in {trace.group_count} groups" if trace.group_count > 1 else ""
    first = tuple(trace.samples) in ((), tuple(range(trace.sample_count)))
    if not report.model.signature.has_samples:
        return f"{points} inside of the artifact, in one run{groups}"
    which = (
        f"the first {'sample' if trace.sample_count == 1 else samples}"
        if first
        else f"{samples}, those that differ before others"
    )
    return f"{points} inside of the artifact, on {which}{groups}"


def remarks(report: Report) -> Iterator[tuple[str, str]]:
    """Label and text: what passes an error on, what errs alone only, what was not traced, and the split."""
    trace = report.trace
    if trace is None:
        return
    if trace.bundle:
        yield "bundle", printable(trace.bundle.note)
    for runtime in dict.fromkeys(result.runtime for point in trace.points for result in point.results):
        for role, text in (
            ("passes-on", "passed on by"),
            ("latent", "only when run alone, on Python's values:"),
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
        return "another shape"
    changed = f"{count(c.nonfinite.changed)} NaN/Inf" if c.nonfinite.changed else ""
    return changed or f"costs {short(c.max_abs_error)}"


def _with_role(trace: Trace, role: str) -> Iterator[tuple[TracePoint, PointResult]]:
    for point in trace.points:
        for result in point.results:
            if result.role == role:
                yield point, result
