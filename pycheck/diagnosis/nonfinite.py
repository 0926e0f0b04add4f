"""Finds NaN and infinity that a runtime introduces or masks, or that Python itself gives."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ..types import CLASSES, Comparison, Finding, NanPolicy, Severity, WorstElement
from .case import Case, Rule, are, elements, listed, number, place
from .codes import RUNTIMES, finding

LARGEST_HALF = 65504.0
_NAMES = dict(zip(CLASSES, ("finite", "NaN", "+Inf", "-Inf"), strict=True))


def input_nonfinite(case: Case) -> Iterator[Finding]:
    """Find input-nonfinite: the inputs hold NaN or infinity."""
    for found in case.nonfinite_inputs:
        count = found.nan_count + found.infinity_count
        value = {"nan": math.nan, "+inf": math.inf, "-inf": -math.inf}[found.kind]
        at = place(WorstElement(found.sample, found.index, value, value, "class", found.has_sample_axis))
        first = f"{number(value)} at {at}"
        kinds = listed(
            [f"{n:,} {kind}" for n, kind in ((found.nan_count, "NaN"), (found.infinity_count, "infinite")) if n]
        )
        samples = f" in {found.sample_count:,} sample{'' if found.sample_count == 1 else 's'}"
        yield finding(
            "input-nonfinite",
            Severity.WARNING,
            tensor=found.name,
            summary=f"The input {found.name} holds "
            + (
                f"{first}."
                if count == 1
                else f"{kinds} values{samples if found.has_sample_axis else ''}, the first {first}."
            ),
            advice="Backends treat NaN and infinity differently: remove them if your users never send them.",
            evidence={
                "outputs": case.outputs_of(found.name),
                "count": count,
                "nan_count": found.nan_count,
                "infinity_count": found.infinity_count,
                "sample_count": found.sample_count,
                "sample": found.sample,
                "index": list(found.index),
                "value": value,
            },
        )


def native_overflow(case: Case) -> Iterator[Finding]:
    """Find native-overflow: float32 and float64 differ in class (finite, NaN, infinity) in Python itself."""
    for c in case.floors:
        changed = c.nonfinite.changed
        if changed:
            first = _first(c, "introduced", "masked", "class")
            yield finding(
                "native-overflow",
                Severity.WARNING,
                runtimes=(c.candidate,),
                tensor=c.tensor,
                summary=f"{c.tensor}: in Python itself, float32 differs from float64 in NaN or infinity in "
                f"{elements(changed, c.element_count)}{_at(first)}.",
                advice="The model overflows float32, with or without a browser: "
                "rescale its inputs, or clip before exp, log, square and division.",
                evidence=_evidence(c, first),
            )


def native_nan(case: Case) -> Iterator[Finding]:
    """Find native-nan: Python gives NaN or infinity, in float32 and in float64."""
    if case.nonfinite_inputs:
        return  # NaN in the inputs explains NaN in the outputs
    for c in case.floors:
        counts = [sum(row[column] for row in c.nonfinite.counts[1:]) for column in (1, 2, 3)]
        if total := sum(counts):
            kinds = listed([f"{n:,} {_NAMES[name]}" for name, n in zip(CLASSES[1:], counts, strict=True) if n])
            yield finding(
                "native-nan",
                Severity.WARNING,
                runtimes=(c.candidate,),
                tensor=c.tensor,
                summary=f"{c.tensor}: {elements(total, c.element_count)} {are(total)} not finite in Python itself "
                f"({kinds}).",
                advice="The fault is in the model, not in a browser: pycheck trace names the operation that "
                "introduces it.",
                evidence={"count": total, "element_count": c.element_count},
            )


def f16_overflow(case: Case) -> Iterator[Finding]:
    """Find f16-overflow: values beyond 65504 overflow float16, but not float32.

    A GPU may give infinity, NaN, or 65504 for them; 65504 is drift, because it is finite.
    """
    lost = [c for c in _divergent(case) if c.nonfinite.introduced]
    for c in case.candidates:
        scale = c.reference_scale or 0.0
        capped = c.drifted and any(abs(w.candidate) == LARGEST_HALF < abs(w.reference) for w in c.worst)
        if c.precision_bits == 16 and scale > LARGEST_HALF and (c in lost or capped):
            became = f"{elements(c.nonfinite.introduced)} became NaN or infinite" if c in lost else "they became 65504"

            yield finding(
                "f16-overflow",
                case.nan_severity if c in lost else Severity.ERROR,
                runtimes=(c.candidate,),
                tensor=c.tensor,
                summary=f"{c.tensor}: values up to {number(scale)} overflow float16 (beyond 65504); {became} on "
                f"{RUNTIMES}.",
                advice="Users of devices without float32 textures see this: "
                "scale the output down in the model, and up in JavaScript.",
                evidence={"reference_scale": scale, "largest_half": LARGEST_HALF, "introduced": c.nonfinite.introduced},
            )


def nan_masked(case: Case) -> Iterator[Finding]:
    """Find nan-masked: Python gives NaN or infinity, and the candidate a finite number."""
    for c in _divergent(case):
        if c.nonfinite.masked:
            first = _first(c, "masked")
            yield finding(
                "nan-masked",
                case.nan_severity,
                runtimes=(c.candidate,),
                tensor=c.tensor,
                summary=f"{c.tensor}: {elements(c.nonfinite.masked, c.element_count)} {are(c.nonfinite.masked)} NaN or "
                f"infinite on {c.nonfinite.reference} but finite on {RUNTIMES}{_at(first)}."
                f"{case.beside_python(c)}",
                advice="Remove the NaN or infinity in the model: the browser hides the fault.",
                evidence=_evidence(c, first),
            )


def nan_introduced(case: Case) -> Iterator[Finding]:
    """Find nan-introduced: Python gives a finite number, and the candidate NaN or infinity."""
    for c in _divergent(case):
        if not c.nonfinite.introduced:
            continue
        first = _first(c, "introduced")
        row = c.nonfinite.counts[0]
        kinds = listed([f"{n:,} {_NAMES[name]}" for name, n in zip(CLASSES[1:], row[1:], strict=True) if n])
        yield finding(
            "nan-introduced",
            case.nan_severity,
            runtimes=(c.candidate,),
            tensor=c.tensor,
            summary=f"{c.tensor}: {elements(c.nonfinite.introduced, c.element_count)} {are(c.nonfinite.introduced)} "
            f"finite in Python but not on {RUNTIMES} ({kinds}){_at(first)}.{case.beside_python(c)}",
            advice=_introduced_advice(case, c, first),
            evidence=_evidence(c, first),
        )


def _introduced_advice(case: Case, c: Comparison, first: WorstElement | None) -> str:
    others = [o for o in case.candidates if o.tensor == c.tensor and o.precision_bits != 16]
    if c.precision_bits == 16 and others and not any(o.nonfinite.introduced for o in others):
        return (
            "Only float16 shows this: a value inside the model overflows (beyond 65504) or underflows (below 6e-8). "
            "Rescale it."
        )
    where = f" in sample {first.sample}" if first else ""
    return f"Look for infinity, a division by 0 or a logarithm of 0{where}: pycheck trace names the operation."


def nonfinite_changed(case: Case) -> Iterator[Finding]:
    """Find nonfinite-changed: Python and the candidate give different kinds of NaN or infinity."""
    for c in _divergent(case):
        changed = c.nonfinite.changed - c.nonfinite.introduced - c.nonfinite.masked
        if changed > 0:
            first = _first(c, "class")
            yield finding(
                "nonfinite-changed",
                case.nan_severity,
                runtimes=(c.candidate,),
                tensor=c.tensor,
                summary=f"{c.tensor}: {elements(changed, c.element_count)} {are(changed)} not finite in Python, and of "
                f"a different kind (NaN, +Inf, -Inf) on {RUNTIMES}{_at(first)}.{case.beside_python(c)}",
                advice="Clip the values before they overflow: JavaScript that tests for NaN or infinity takes a "
                "different branch.",
                evidence=_evidence(c, first),
            )


def _divergent(case: Case) -> Iterator[Comparison]:
    if case.nan is not NanPolicy.IGNORE:
        yield from (c for c in case.candidates if c.nonfinite.changed)


def _first(c: Comparison, *kinds: str) -> WorstElement | None:
    return next((w for w in c.worst if w.kind in kinds), None)


def _at(element: WorstElement | None) -> str:
    if element is None:
        return ""
    return f", first at {place(element)}: {number(element.candidate)} instead of {number(element.reference)}"


def _evidence(c: Comparison, first: WorstElement | None) -> dict[str, Any]:
    evidence: dict[str, Any] = {
        "introduced": c.nonfinite.introduced,
        "masked": c.nonfinite.masked,
        "changed": c.nonfinite.changed,
        "element_count": c.element_count,
    }
    if first:
        evidence |= {
            "sample": first.sample,
            "index": list(first.index),
            "reference": first.reference,
            "candidate": first.candidate,
        }
    return evidence


RULES: tuple[Rule, ...] = (
    nan_masked,
    f16_overflow,
    nan_introduced,
    nonfinite_changed,
    native_overflow,
    native_nan,
    input_nonfinite,
)
