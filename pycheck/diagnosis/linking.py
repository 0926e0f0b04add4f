"""Links symptoms to the findings that explain them, and joins findings that differ only in the runtime.

A symptom keeps its line and loses its advice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from types import MappingProxyType

from ..types import Finding, Severity, apart, together
from .case import listed
from .codes import RUNTIMES

#: Symptoms of an output on one runtime.
_SYMPTOMS = frozenset(
    {"drift", "top1-flip", "argmax-tie", "nan-introduced", "nan-masked", "nonfinite-changed", "shape-mismatch"}
)
#: Symptoms of an output on every runtime, from a fault of the artifact.
_SHARED = frozenset({"conversion-drift", "quantization-drift", "accumulated-drift"})
_ANY = _SYMPTOMS | _SHARED
#: Symptoms of an output whose shape or classes (finite, NaN, infinity) differ.
_OF_CLASS = frozenset({"nan-introduced", "nan-masked", "nonfinite-changed", "shape-mismatch"})
#: Causes that are about one output, and the symptoms that they explain of it on the same runtimes.
_OF_OUTPUTS: Mapping[str, frozenset[str]] = {
    "accumulated-drift": frozenset({"drift", "top1-flip"}),
    "conversion-drift": frozenset({"drift", "top1-flip"}),
    "quantization-drift": frozenset({"drift", "top1-flip"}),
    "output-pairing": _ANY,
    "f16-overflow": frozenset({"nan-introduced", "drift", "top1-flip"}),
    "noise-floor-high": frozenset({"drift", "top1-flip"}),
    "artifact-differs": _ANY,
    "cast-out-of-range": _ANY | {"reference-differs", "noise-floor-high"},
    "epsilon-mismatch": _ANY,
    "ids-out-of-table": _SYMPTOMS | {"conversion-drift"},
    "input-nonfinite": frozenset({"nan-introduced", "nan-masked", "nonfinite-changed", "native-overflow"}),
    "nondeterministic": _SYMPTOMS,
    "stale-state": _SYMPTOMS,
    "native-overflow": frozenset({"nan-introduced", "nan-masked", "nonfinite-changed", "accumulated-drift"}),
    "drift": frozenset({"top1-flip"}),
}
#: Codes of an answer that changed; such a finding is a cause only if the change decides the verdict.
_OF_REPEATS = ("nondeterministic", "stale-state")
#: Symptoms of a point whose epsilon underflows in float16.
_OF_LOST_EPSILON = frozenset(
    {"division-by-zero", "f16-overflow", "f16-underflow", "nan-introduced", "nonfinite-changed"}
)
#: Symptoms of a cast out of range, at its own point.
_OF_CASTS = frozenset({"broken-kernel", "cast-out-of-range", "conversion-drift", "int32-precision", "own-drift"})
#: Symptoms of an output or a point from a value that is not finite in Python.
_OF_PYTHON = frozenset({"native-nan", "native-overflow", "nan-masked", "nonfinite-changed"})
#: A source that changes an output by less than this share of its limit explains nothing.
_LEAST_EFFECT = 0.1

#: The outputs that a point is an operand of, by the name of the point.
Reach = Mapping[str, frozenset[str]]


def linked(findings: Iterable[Finding], reach: Reach = MappingProxyType({})) -> tuple[Finding, ...]:
    """Give each finding the codes of those that explain it on all its runtimes; an explained one has no advice.

    `reach` has, for each point of a trace, the outputs that depend on it. A missing point reaches all of them.
    """
    found = tuple(findings)
    return _joined(_linked(finding, found, reach) for finding in found)


def _joined(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Join findings that differ in runtimes and evidence alone, and name the runtimes in their summaries."""
    groups: dict[object, list[Finding]] = {}
    for number, f in enumerate(findings):
        alike = (f.code, f.severity, f.summary, f.advice, f.tensor, f.layer, f.explained_by)
        groups.setdefault(alike if RUNTIMES in f.summary else number, []).append(f)
    joined = map(together, groups.values())
    return tuple(
        replace(f, summary=f.summary.replace(RUNTIMES, listed(f.runtimes))) if f.runtimes else f for f in joined
    )


def _linked(finding: Finding, findings: Sequence[Finding], reach: Reach) -> Finding:
    parts = apart(finding) if finding.code in _SYMPTOMS else [finding]
    causes = [[f.code for f in findings if f is not finding and _explains(f, part, reach)] for part in parts]
    if not all(causes):
        return finding
    return replace(finding, advice="", explained_by=tuple(dict.fromkeys([*finding.explained_by, *chain(*causes)])))


def _explains(cause: Finding, symptom: Finding, reach: Reach) -> bool:
    return any(rule(cause, symptom, reach) for rule in _RULES)


def explains_output(cause: Finding, symptom: Finding) -> bool:
    """Tell whether a finding about an output explains another one about the same output."""
    if is_of_point(cause) or is_of_point(symptom) or symptom.code not in _OF_OUTPUTS.get(cause.code, ()):
        return False
    same = symptom.tensor == cause.tensor or symptom.tensor in cause.evidence.get("outputs", ())
    if symptom.code == "reference-differs":
        return same and symptom.evidence.get("outcome") == "undefined"
    if cause.code == "artifact-differs" and symptom.code in _OF_CLASS:
        same = symptom.tensor in cause.evidence.get("nonfinite", cause.evidence.get("outputs", ()))
    if symptom.code == "noise-floor-high":
        return same and bool(cause.evidence["undefined"])
    if cause.code in _OF_REPEATS and not (_is_of_repeat(cause) and cause.severity is Severity.ERROR):
        return False
    if symptom.tensor in cause.evidence.get("agreed", ()):
        return False
    if cause.code == "native-overflow":
        return same and _changes_as_python_does(cause, symptom)
    return same and (cause.code == "noise-floor-high" or _covers(cause, symptom))


def _changes_as_python_does(cause: Finding, symptom: Finding) -> bool:
    """Tell whether a runtime differs in class in no more elements than float64 does in Python, from the same one on."""
    if symptom.code == "accumulated-drift":
        return _changed(symptom) > 0
    places = [(f.evidence.get("sample"), f.evidence.get("index")) for f in (cause, symptom)]
    return places[0] == places[1] and _changed(symptom) <= _changed(cause)


def _changed(finding: Finding) -> int:
    """Return how many elements differ in class."""
    return int(finding.evidence.get("changed", 0))


def is_of_point(finding: Finding) -> bool:
    """Tell whether a finding is about a point inside the artifact, not about an output."""
    return "op" in finding.evidence


def _is_of_repeat(finding: Finding) -> bool:
    """Tell whether a finding is about a comparison whose first batch gave a different answer again."""
    return finding.code in _OF_REPEATS and "iteration" in finding.evidence


def _covers(cause: Finding, symptom: Finding) -> bool:
    """Tell whether a cause is about all runtimes that show a symptom, or about every runtime."""
    return not cause.runtimes or (bool(symptom.runtimes) and set(symptom.runtimes) <= set(cause.runtimes))


def _source(cause: Finding, symptom: Finding, reach: Reach) -> bool:
    """Let a point that introduces an error explain the outputs after it on its runtime, or on all of them."""
    if "ran_alone" not in cause.evidence or is_of_point(symptom) or symptom.code not in _ANY:
        return False
    moves = cause.evidence.get("moves_by")
    if cause.severity is Severity.INFO or (moves is not None and moves < _LEAST_EFFECT):
        return False
    behind = cause.tensor is None or cause.tensor not in reach or symptom.tensor in reach[cause.tensor]
    if not cause.runtimes:  # the artifact is wrong in Python itself
        return behind
    return behind and symptom.code not in _SHARED and _covers(cause, symptom)


def _origin(cause: Finding, symptom: Finding, reach: Reach) -> bool:
    """Let a point at which Python introduces NaN explain outputs that have it in Python."""
    if "float32" not in cause.evidence or symptom.code not in ("native-nan", "native-overflow") or is_of_point(symptom):
        return False
    return cause.tensor is None or cause.tensor not in reach or symptom.tensor in reach[cause.tensor]


def _known_fault(cause: Finding, symptom: Finding, reach: Reach) -> bool:
    """Let a known fault of TF.js explain its point in a trace, and symptoms of the backends that have it."""
    if "fault" not in cause.evidence or cause.severity is not Severity.ERROR or "fault" in symptom.evidence:
        return False
    if is_of_point(symptom):
        return symptom.tensor in cause.evidence.get("places", ()) and _covers(cause, symptom)
    shows = symptom.code in _ANY or (symptom.code == "runtime-failed" and cause.code == "artifact-unsupported")
    return shows and bool(symptom.runtimes) and _covers(cause, symptom)


def _cast(cause: Finding, symptom: Finding, reach: Reach) -> bool:
    """Let a cast out of range explain its own point in a trace."""
    is_cast = is_of_point(symptom) and symptom.evidence["op"] == "Cast" and symptom.code in _OF_CASTS
    return cause.code == "cast-out-of-range" and not is_of_point(cause) and is_cast


def _layers(cause: Finding, symptom: Finding, reach: Reach) -> bool:
    """Let different layers explain the points that they change, and that TF.js rejects the file.

    The weights of a layer that is missing from the artifact belong to no layer.
    """
    if cause.code != "artifact-differs":
        return False
    if symptom.code == "artifact-unsupported" and symptom.evidence.get("op") == "weight":
        missing = set(cause.evidence["missing"])
        return all(missing.intersection(place.split("/")[:-1]) for place in symptom.evidence["places"])
    if symptom.code == "runtime-failed":
        names = [*cause.evidence["missing"], *cause.evidence["extra"], *cause.evidence["places"]]
        return _covers(cause, symptom) and (len(symptom.runtimes) > 1 or any(name in symptom.summary for name in names))
    at = is_of_point(symptom) and not symptom.runtimes and symptom.code in (*_SHARED, "shape-mismatch")
    return at and any(name in cause.evidence["places"] for name in (symptom.layer, symptom.tensor))


def _ids(cause: Finding, symptom: Finding, reach: Reach) -> bool:
    """Let an index outside a table explain that TF.js rejects it."""
    is_refused = symptom.code == "runtime-failed" and "is not in [" in symptom.summary
    return cause.code == "ids-out-of-table" and is_refused and _covers(cause, symptom)


def _weight(cause: Finding, symptom: Finding, reach: Reach) -> bool:
    """Let a weight that is not finite explain its effects in Python, or in the artifact if the model's are finite."""
    if cause.code != "weight-nonfinite" or not (cause.layer or cause.evidence.get("nan_count")):
        return False
    if is_of_point(symptom):
        codes = _OF_PYTHON if cause.evidence.get("of_python") else _SHARED
        return cause.layer is not None and symptom.layer == cause.layer and symptom.code in codes
    return symptom.code in (_OF_PYTHON if cause.evidence.get("of_python") else ("nan-introduced", "nonfinite-changed"))


def _random(cause: Finding, symptom: Finding, reach: Reach) -> bool:
    """Let a random model explain every symptom of its output."""
    is_model = any(r.engine == "artifact" for r in cause.runtimes) and "changed_count" in cause.evidence
    shows = (symptom.code in _ANY and not is_of_point(symptom)) or _is_of_repeat(symptom)
    return is_model and cause.code == "nondeterministic" and shows and symptom.tensor == cause.tensor


def _epsilon(cause: Finding, symptom: Finding, reach: Reach) -> bool:
    """Let an epsilon explain its layer, on the runtimes that have it; outputs only if the model's was tried."""
    if cause.code != "epsilon-mismatch" or not is_of_point(symptom) or symptom.layer != cause.layer:
        return False
    if not symptom.runtimes:
        return symptom.code in _SHARED and "outputs" in cause.evidence
    return symptom.code in _OF_LOST_EPSILON and "outputs" not in cause.evidence and _covers(cause, symptom)


def _resize(cause: Finding, symptom: Finding, reach: Reach) -> bool:
    """Let a resize that samples different pixels explain its layer and the outputs, on every runtime."""
    if cause.code != "resize-alignment" or is_of_point(cause):
        return False
    if is_of_point(symptom):
        return symptom.code == "conversion-drift" and symptom.layer == cause.layer
    return symptom.code in ("drift", "top1-flip", "conversion-drift")


_RULES: tuple[Callable[[Finding, Finding, Reach], bool], ...] = (
    lambda cause, symptom, reach: explains_output(cause, symptom),
    _source,
    _origin,
    _known_fault,
    _cast,
    _layers,
    _ids,
    _weight,
    _random,
    _epsilon,
    _resize,
)
