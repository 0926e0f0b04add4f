"""Explains outputs that fail although no operation before them fails in isolation."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..types import (
    HANDING_ON,
    Comparison,
    Finding,
    Hidden,
    OutputSplit,
    PointResult,
    RuntimeId,
    Severity,
    Trace,
    TracePoint,
)
from .case import listed, named, percent, place, times, unlike
from .codes import RUNTIMES, finding

_MOST = 3
#: An operation whose own error is below this share of its limit is not named.
_LEAST_SHARE = 0.05
#: A source that changes an output by less than this share of its limit does not explain that the output fails.
_LEAST_EFFECT = 0.1


@dataclass(frozen=True, slots=True)
class _Step:
    """One point before an output: its error in the whole run and in isolation; either may be unknown."""

    point: TracePoint
    result: PointResult | None

    @property
    def fails(self) -> bool:
        inherited = self.result.inherited if self.result else None
        return inherited is not None and inherited.passed is False

    @property
    def is_compared(self) -> bool:
        """Tell whether its value in the whole run was compared."""
        return self.result is not None and self.result.inherited is not None

    @property
    def ran_alone(self) -> bool:
        """Tell whether its operation ran in isolation, or copies its input."""
        return self.point.op in HANDING_ON or (self.result is not None and self.result.own is not None)

    @property
    def unknown_because(self) -> str:
        """Return the reason why it was not compared."""
        return self.point.skipped or (self.result and self.result.note) or "its value was not compared"

    @property
    def inherited_share(self) -> float:
        """Return the share of its limit that it uses in the whole run."""
        return share(self.result.inherited) if self.result and self.result.inherited else 0.0

    @property
    def own_share(self) -> float:
        """Return the share of its limit that the operation uses in isolation."""
        return share(self.result.own) if self.result and self.result.own else 0.0


@dataclass(frozen=True, slots=True)
class _Told:
    """The reason why there is no source: a keyword, the cause, the advice."""

    because: str
    what: str
    advice: str


def accumulated(trace: Trace, comparisons: Collection[Comparison], outputs: Mapping[str, str]) -> Iterator[Finding]:
    """Find accumulated-drift: outputs that fail although no operation is a source.

    `outputs` has the point of every output all of whose operations were traced.
    """
    points = {point.name: point for point in trace.points}
    splits = {split.tensor: split for split in trace.splits}
    for c in comparisons:
        if c.passed is not False or c.shape_mismatch or c.tensor not in splits or c.tensor not in outputs:
            continue
        before = _upstream(points, outputs[c.tensor])
        came_to_its_end = bool(before) and _of(before[-1], c.candidate) is not None
        if came_to_its_end and not any(_is_source(point, c.candidate) for point in before):
            yield _finding(trace, c, splits[c.tensor], before)


def share(c: Comparison) -> float:
    """Return the share of its limit that an error uses; above 1 it fails."""
    return c.share_used or 0.0


def _upstream(points: Mapping[str, TracePoint], last: str) -> list[TracePoint]:
    """Return a point and all points that it is computed from, in topological order."""
    needed, found = {last}, []
    for point in reversed(list(points.values())):
        if point.name in needed:
            needed.update(point.inputs)
            found.append(point)
    return found[::-1]


def _is_source(point: TracePoint, runtime: RuntimeId) -> bool:
    results = [result for result in point.results if result.runtime == runtime]
    found = (*results, *([point.conversion] if point.conversion else []))
    return any(r.role == "source" and moves_an_output(r) for r in found)


def moves_an_output(result: PointResult) -> bool:
    """Tell whether its own error uses more than a little of an output's limit, as far as that is known."""
    return result.effect is None or result.effect.share >= _LEAST_EFFECT


def _finding(trace: Trace, c: Comparison, split: OutputSplit, before: Sequence[TracePoint]) -> Finding:
    backend = next((row for row in split.backends if row.candidate == c.candidate), None)
    by_conversion = split.conversion is not None and split.conversion.passed is False
    steps = [_Step(p, p.conversion if by_conversion else _of(p, c.candidate)) for p in before]
    first = _first(steps)
    most = _most(steps)
    # In a conversion, a point runs in isolation together with the operations before it that the model does not have.
    suspects = [] if first is None or (by_conversion and first.ran_alone) else _suspects(first, steps)
    undecided = [step.point for step in steps if step.result and step.result.undecided] if c.nonfinite.changed else []
    told = _by_kernels(undecided) if undecided else _why(trace, c, split.conversion, backend, first, suspects)
    what = told.what
    alone = "no traced operation exceeds its tolerance in isolation"
    if most and most[0].own_share > 1.0:
        alone = "operations that exceed their tolerance in isolation do not in the whole run"
    if most and not suspects:
        shares = listed([f"{named(step.point)} {percent(step.own_share)}" for step in most])
        what += f" Largest errors in isolation, as shares of their limits: {shares}."
    return finding(
        "accumulated-drift",
        Severity.ERROR,
        runtimes=(c.candidate,),
        tensor=c.tensor,
        layer=first.point.layer if first else None,
        summary=f"{c.tensor} on {RUNTIMES}: {alone}. {what}",
        advice=told.advice,
        evidence={
            "because": told.because,
            "first": first.point.name if first else None,
            "changed": split.conversion.nonfinite.changed if split.conversion else 0,
            "conversion_share": share(split.conversion) if split.conversion else None,
            "backend_share": share(backend) if backend else None,
            "suspects": [step.point.name for step in suspects],
            "skipped": sum(point.skipped is not None for point in before),
            "contributions": [{"point": s.point.name, "op": s.point.op, "share": s.own_share} for s in most],
            "not_run_alone": sum(s.result is None or s.result.own is None for s in steps),
        },
    )


def _of(point: TracePoint, runtime: RuntimeId) -> PointResult | None:
    return next((result for result in point.results if result.runtime == runtime), None)


def _first(steps: Sequence[_Step]) -> _Step | None:
    """Return the first point that fails although all its inputs pass."""
    failing = {step.point.name for step in steps if step.fails}
    return next((s for s in steps if s.fails and not failing.intersection(s.point.inputs)), None)


def _most(steps: Sequence[_Step]) -> list[_Step]:
    """Return the points with the largest errors in isolation, the largest first."""
    ranked = sorted((s for s in steps if s.own_share >= _LEAST_SHARE), key=lambda s: s.own_share, reverse=True)
    return ranked[:_MOST]


def _why(
    trace: Trace,
    c: Comparison,
    conversion: Comparison | None,
    backend: Comparison | None,
    first: _Step | None,
    suspects: Sequence[_Step],
) -> _Told:
    if hidden := next((h for h in trace.hidden if (h.tensor, h.runtime) == (c.tensor, c.candidate)), None):
        return _together(trace, hidden)
    if first is not None and suspects:
        return _untraced(first, suspects)
    if conversion is not None and conversion.nonfinite.changed and not conversion.drifted:
        changed = f"{conversion.nonfinite.changed:,} element{'' if conversion.nonfinite.changed == 1 else 's'}"
        return _Told(
            "conversion-class",
            f"In Python itself, the artifact differs from the model in NaN or infinity in {changed}"
            f"{_first_failing(first)}.",
            "Clip, or add an epsilon, before the first operation that makes NaN or infinity.",
        )
    if conversion is not None and conversion.passed is False:
        return _Told(
            "conversion",
            f"Small differences between artifact and model add up in Python itself{_first_failing(first)}.",
            "Convert the model again, with a lighter --quantize or a different --format.",
        )
    if backend is not None and backend.passed is False:
        if first is not None and _changes_class(first):
            return _Told("jump", _jump(first), "Clip the values, or add an epsilon, before this operation.")
        return _Told(
            "backend",
            f"Small errors add up on {RUNTIMES}{_first_failing(first)}.",
            "Use fewer, or better conditioned, operations. Or use another backend.",
        )
    own = f"{RUNTIMES} {percent(share(backend))}" if backend is not None else ""
    if c.tolerance is not None and c.tolerance.mode != "auto":
        given = c.tolerance.derivation.removeprefix("given: ")
        return _Told(
            "given-tolerance",
            f"The output fails the given tolerance ({given}), but passes the automatic one"
            f"{f' ({percent(share(backend))} of its limit)' if backend else ''}.",
            "Omit --rtol, --atol and --max-ulp, or set larger values.",
        )
    if conversion is not None and share(conversion) >= _LEAST_SHARE:
        return _Told(
            "conversion-and-backend",
            "Neither conversion nor backend exceeds its limit alone. Conversion uses "
            f"{percent(share(conversion))} of it{f', {own}' if own else ''}.",
            "Use a lighter --quantize, a different --format, or another backend.",
        )
    count = trace.sample_count
    return _Told(
        "not-reproduced",
        f"The output passes on the {count:,} traced sample{'' if count == 1 else 's'}"
        f"{f' ({own} of its limit)' if own else ''}. The failure depends on the batch size, on samples that were not "
        "traced, or on chance.",
        "Trace more samples: --trace-samples N.",
    )


def _by_kernels(points: Sequence[TracePoint]) -> _Told:
    many = len(points) > 1
    return _Told(
        "kernels",
        f"In Python, TensorFlow Lite's kernels differ in NaN or infinity at {listed([named(p) for p in points])}: "
        "those of XNNPACK, its default, and the built-in ones. The browser agrees with one of the two.",
        f"Clip, or add an epsilon, before {'these operations' if many else 'this operation'}.",
    )


def _together(trace: Trace, hidden: Hidden) -> _Told:
    points = {point.name: point for point in trace.points}
    what = (
        f"The output is right on {RUNTIMES} if the file returns the results of its operations too, so LiteRT.js errs "
        "only if it may fuse operations or reuse their memory."
    )
    if hidden.first and hidden.last:
        ends = [named(points[name]) for name in dict.fromkeys((hidden.first, hidden.last))]
        what += f" The smallest part of the file that is wrong goes from {' to '.join(ends)}."
    return _Told(
        "hidden",
        what,
        "Use a different accelerator, or a different version of LiteRT.js. Until then, return the results within this "
        "part as further outputs of the file.",
    )


def _untraced(first: _Step, suspects: Sequence[_Step]) -> _Told:
    names = [step.point.name for step in suspects]
    told = [f"{named(step.point)}: {step.unknown_because.rstrip('.')}" for step in suspects[:_MOST]]
    more = f"; and {len(names) - _MOST} more" if len(names) > _MOST else ""
    many = len(names) > 1
    subject = (
        "The suspects are the points before it that were" if many else "The suspect is the point before it that was"
    )
    return _Told(
        "untraced",
        f"{named(first.point)} is the first point beyond its limit ({times(first.inherited_share)} times). "
        f"{subject} not compared: {'; '.join(told)}{more}.",
        f"Replace {listed(names[:_MOST])} in the model, or run {'them' if many else 'it'} on the CPU, then compare "
        "again.",
    )


def _suspects(first: _Step, steps: Sequence[_Step]) -> list[_Step]:
    """Return the points that were not compared, between the first beyond its limit and the nearest compared ones."""
    known = {step.point.name: step for step in steps}
    found: dict[str, _Step] = {}
    pending = list(reversed(first.point.inputs))
    while pending:
        step = known.get(pending.pop())
        if step is None or step.is_compared or step.point.name in found:
            continue
        found[step.point.name] = step
        pending += reversed(step.point.inputs)
    return [*found.values(), *([first] if found and not first.ran_alone else [])]


def _first_failing(first: _Step | None) -> str:
    """Return a sentence that names the first point beyond its limit; empty if none is known."""
    if first is None or first.result is None or first.result.inherited is None:
        return ""
    over = times(first.inherited_share)
    return f". {named(first.point)} is the first point beyond its limit ({over} times); its inputs pass"


def _changes_class(first: _Step) -> bool:
    inherited = first.result.inherited if first.result else None
    return inherited is not None and inherited.nonfinite.changed > 0


def _jump(first: _Step) -> str:
    inherited = first.result.inherited if first.result else None
    assert inherited is not None  # or it would not fail
    worst = inherited.worst[0] if inherited.worst else None
    given, expected = unlike(worst.candidate, worst.reference) if worst else ("", "")
    example = f", {given} instead of {expected} at {place(worst, first.point.dtype)}" if worst else ""
    return (
        f"NaN or infinity appears first at {named(first.point)}{example}. Its inputs are within their tolerance, but "
        "so small a difference decides whether the result is finite."
    )
