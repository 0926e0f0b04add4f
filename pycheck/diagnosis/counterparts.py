"""Finds layers and operations that only the model or only the artifact has, or whose arguments differ."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from ..types import Finding, Gap, RuntimeId, RuntimeStatus, Severity, Trace, TracePoint
from .case import Case, listed
from .codes import finding

_MOST_NAMED = 5
_ADVICE = "Convert the model again: the artifact was made from a different version of it, or changed afterwards."

_Named = tuple[str, str]


def artifact_differs(case: Case) -> Iterator[Finding]:
    """Find artifact-differs: layers that are missing, additional, or have different arguments in the artifact."""
    found = case.evidence.differences
    if found is None:
        return
    texts = [
        *_counterparts("layer", found.missing, "the model", "the artifact"),
        *_counterparts("layer", found.extra, "the artifact", "the model"),
        *found.changed[:_MOST_NAMED],
    ]
    if len(found.changed) > _MOST_NAMED:
        texts.append(f"{len(found.changed) - _MOST_NAMED} more layers have different arguments")
    names = [name for name, _ in (*found.missing, *found.extra)]
    is_harmless = not found.outputs and all(record.status is not RuntimeStatus.FAILED for record in case.runtimes)
    yield finding(
        "artifact-differs",
        Severity.INFO if is_harmless else Severity.WARNING,
        runtimes=case.browsers,
        layer=names[0] if len(names) == 1 and not found.changed else None,
        summary="The layers of the artifact differ from the model's. " + "; ".join(texts) + ".",
        advice=_ADVICE,
        evidence={
            "missing": [name for name, _ in found.missing],
            "extra": [name for name, _ in found.extra],
            "changed": list(found.changed),
            "places": list(found.places),
            "outputs": list(found.outputs),
            **({"nonfinite": list(found.nonfinite)} if found.nonfinite is not None else {}),
        },
    )


def artifact_differs_in_trace(
    trace: Trace, runtimes: Collection[RuntimeId], outputs: Mapping[str, str], known: Collection[Finding]
) -> Iterator[Finding]:
    """Find artifact-differs in a trace: operations that are missing from the artifact, or additional there.

    `runtimes` are those of which an output was compared, `outputs` the point of each. There is no finding if the
    comparison has one already.
    """
    places = [(point, gap) for point in trace.points if (gap := _established(point))]
    if not places or any(finding.code == "artifact-differs" for finding in known):
        return
    missing = list(dict.fromkeys(named for _, gap in places for named in gap.missing))
    extra = list(dict.fromkeys(named for _, gap in places for named in gap.extra))
    changed = list(dict.fromkeys(text for _, gap in places for text in gap.changed))
    layers = {name for _, gap in places for name in gap.missing_layers}
    texts = [
        *_counterparts("layer", [named for named in missing if named[0] in layers], "the model", "the artifact"),
        *_counterparts("operation", [n for n in missing if n[0] not in layers], "the model", "the artifact"),
        *_counterparts("operation", extra, "the artifact", "the model"),
        *(f"In the artifact {text}" for text in changed[:_MOST_NAMED]),
    ]
    summary = ". ".join(texts) + "."
    if tried := [(point, gap) for point, gap in places if gap.op]:
        without = extra and not missing and not changed
        before = ("Without it" if len(extra) == 1 else "Without them") if without else "With the model's values there"
        names = listed([f"{point.name} ({gap.op})" for point, gap in tried[:_MOST_NAMED]])
        summary += f" {before}, {names} {'gives' if len(tried) == 1 else 'give'} the model's result."
    reached = _behind(trace, [point.name for point, _ in places], outputs)
    yield finding(
        "artifact-differs",
        Severity.WARNING,
        runtimes=sorted(runtimes, key=str),
        layer=missing[0][0] if len(missing) == 1 and not extra and layers else None,
        summary=summary,
        advice=_ADVICE,
        evidence={
            "missing": [name for name, _ in missing],
            "extra": [name for name, _ in extra],
            "changed": changed,
            "places": [point.name for point, _ in places],
            "outputs": reached,
        },
    )


def _established(point: TracePoint) -> Gap | None:
    gap = point.conversion.gap if point.conversion else None
    return gap if gap and gap.is_established else None


def _behind(trace: Trace, places: Collection[str], outputs: Mapping[str, str]) -> list[str]:
    """Return the outputs that depend on any of these points."""
    found = set(places)
    for point in trace.points:
        if found.intersection(point.inputs):
            found.add(point.name)
    return [output for output, last in outputs.items() if last in found]


def _counterparts(noun: str, named: Sequence[_Named], of: str, side: str) -> Iterator[str]:
    if not named:
        return
    names = [f"{name} ({kind})" for name, kind in named[:_MOST_NAMED]]
    if len(named) > _MOST_NAMED:
        names.append(f"{len(named) - _MOST_NAMED} more")
    verb = "The {} {} of {} has" if len(named) == 1 else "The {}s {} of {} have"
    yield f"{verb.format(noun, listed(names), of)} no counterpart in {side}"
