"""Findings about outputs that fail although no operation before them errs by itself: what the error is made of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..types import HANDING_ON, Comparison, Finding, OutputSplit, PointResult, RuntimeId, Severity, Trace, TracePoint
from .case import listed, named, number, percent, place, unlike
from .codes import finding

_MOST = 3
#: A share of what it may err by beneath which an operation is not worth a name.
_LEAST_SHARE = 0.05
#: A share of an output's limit beneath which a source does not explain that the output fails.
_LEAST_EFFECT = 0.1


@dataclass(frozen=True, slots=True)
class _Step:
    """One point that an output is computed from: in the whole run, and its operation alone; either may be unknown."""

    point: TracePoint
    result: PointResult | None

    @property
    def fails(self) -> bool:
        inherited = self.result.inherited if self.result else None
        return inherited is not None and inherited.passed is False

    @property
    def is_compared(self) -> bool:
        """Whether its value in the whole run is known, or it only hands on what it reads."""
        return self.result is not None and self.result.inherited is not None

    @property
    def ran_alone(self) -> bool:
        """Whether its operation is known to be right by itself."""
        return self.point.op in HANDING_ON or (self.result is not None and self.result.own is not None)

    @property
    def unknown_because(self) -> str:
        """Why it was not compared."""
        return self.point.skipped or (self.result and self.result.note) or "its value was not compared"

    @property
    def inherited_share(self) -> float:
        """Of what it may err by in the whole run."""
        return share(self.result.inherited) if self.result and self.result.inherited else 0.0

    @property
    def own_share(self) -> float:
        """Of what the operation alone may err by."""
        return share(self.result.own) if self.result and self.result.own else 0.0


@dataclass(frozen=True, slots=True)
class _Told:
    """Why there is no source: a word for it, what happened, what to do."""

    because: str
    what: str
    advice: str


def accumulated(trace: Trace, comparisons: Collection[Comparison], outputs: Mapping[str, str]) -> Iterator[Finding]:
    """accumulated-drift: outputs that fail where no operation is a source.

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
    """What part of its limit an error takes; above 1 it fails."""
    return c.share_used or 0.0


def _upstream(points: Mapping[str, TracePoint], last: str) -> list[TracePoint]:
    """A point and all that it is computed from, in topological order."""
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
    """Whether its own error takes more than a little of the limit of an output, as far as that is known."""
    return result.effect is None or result.effect.share >= _LEAST_EFFECT


def _finding(trace: Trace, c: Comparison, split: OutputSplit, before: Sequence[TracePoint]) -> Finding:
    backend = next((row for row in split.backends if row.candidate == c.candidate), None)
    by_conversion = split.conversion is not None and split.conversion.passed is False
    steps = [_Step(p, p.conversion if by_conversion else _of(p, c.candidate)) for p in before]
    first = _first(steps)
    most = _most(steps)
    # A conversion's point runs alone together with what the model lacks before it.
    suspects = [] if first is None or (by_conversion and first.ran_alone) else _suspects(first, steps)
    told = _why(trace, c, split.conversion, backend, first, suspects)
    what = told.what
    alone = "no operation that was traced errs by itself beyond its tolerance"
    if most and most[0].own_share > 1.0:
        alone = "what errs by itself beyond its tolerance, on Python's values, does not in the whole run"
    if most and not suspects:
        shares = listed([f"{named(step.point)} {percent(step.own_share)}" for step in most])
        what += f" Largest own errors, as shares of their limits: {shares}."
    return finding(
        "accumulated-drift",
        Severity.ERROR,
        runtimes=(c.candidate,),
        tensor=c.tensor,
        layer=first.point.layer if first else None,
        summary=f"{c.tensor} on {c.candidate}: {alone}. {what}",
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
    """The first that fails while all that it reads passes."""
    failing = {step.point.name for step in steps if step.fails}
    return next((s for s in steps if s.fails and not failing.intersection(s.point.inputs)), None)


def _most(steps: Sequence[_Step]) -> list[_Step]:
    """Those with most own error, the worst first."""
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
    if first is not None and suspects:
        return _untraced(first, suspects)
    if conversion is not None and conversion.nonfinite.changed and not conversion.drifted:
        changed = f"{conversion.nonfinite.changed:,} element{'' if conversion.nonfinite.changed == 1 else 's'}"
        return _Told(
            "conversion-class",
            f"In Python itself the artifact and the model disagree on what is finite in {changed}"
            f"{_first_failing(first)}.",
            "Keep NaN and infinity out: clip, or add an epsilon, before the first operation that makes them.",
        )
    if conversion is not None and conversion.passed is False:
        return _Told(
            "conversion",
            f"Small differences of the artifact from the model add up in Python itself{_first_failing(first)}.",
            "Convert the model again, with lighter --quantize or in the other --format.",
        )
    if backend is not None and backend.passed is False:
        if first is not None and _changes_class(first):
            return _Told("jump", _jump(first), "Keep values off the jump: clip, or add an epsilon, before it.")
        return _Told(
            "backend",
            f"Small errors add up on {c.candidate}{_first_failing(first)}.",
            "Use fewer, or better conditioned, operations, or another backend.",
        )
    own = f"{c.candidate} {percent(share(backend))}" if backend is not None else ""
    if c.tolerance is not None and c.tolerance.mode != "auto":
        given = c.tolerance.derivation.removeprefix("given: ")
        return _Told(
            "given-tolerance",
            f"It fails by the tolerance that was given ({given}) alone; of the automatic one, which points inside are "
            f"held to, it takes {percent(share(backend)) if backend else 'a part'}.",
            "Take the automatic tolerance, or allow what this backend's float32 costs.",
        )
    if conversion is not None and share(conversion) >= _LEAST_SHARE:
        return _Told(
            "conversion-and-backend",
            f"Neither half fails alone: of what each may, conversion takes {percent(share(conversion))} and {own}.",
            "Look at both: convert with lighter --quantize or in the other --format, or take another backend.",
        )
    count = trace.sample_count
    return _Told(
        "not-reproduced",
        f"On the {count:,} sample{'' if count == 1 else 's'} that {'was' if count == 1 else 'were'} traced it passes, "
        f"{own} of its limit: what fails depends on the size of the batch, on other samples, or on chance.",
        "Trace more of the batch with --trace-samples.",
    )


def _untraced(first: _Step, suspects: Sequence[_Step]) -> _Told:
    names = [step.point.name for step in suspects]
    told = [f"{named(step.point)}: {step.unknown_because}" for step in suspects[:_MOST]]
    more = f"; and {len(names) - _MOST} more" if len(names) > _MOST else ""
    subject, pronoun = ("Suspects are", "them") if len(names) > 1 else ("The suspect is", "it")
    return _Told(
        "untraced",
        f"{named(first.point)} is the first point beyond its limit, {number(first.inherited_share)} times. "
        f"{subject} what was not compared before that point: {'; '.join(told)}{more}.",
        f"{subject} {listed(names[:_MOST])}: replace {pronoun} in the model, or run {pronoun} on the CPU, "
        "and see whether the error vanishes.",
    )


def _suspects(first: _Step, steps: Sequence[_Step]) -> list[_Step]:
    """What was not compared between the first point beyond its limit and the nearest points that were."""
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
    """Where the limit is exceeded first; empty where no point is known to."""
    if first is None or first.result is None or first.result.inherited is None:
        return ""
    times = number(first.inherited_share)
    return f": {named(first.point)} is the first beyond its limit, {times} times, of inputs that pass"


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
        f"NaN or infinity comes first at {named(first.point)}{example}: what it reads is right within its tolerance, "
        "and there so little decides between a number and none."
    )
