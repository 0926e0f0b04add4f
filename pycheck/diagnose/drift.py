"""Findings about finite values that differ: how much, and what the pattern over runtimes says of the cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from ..types import Comparison, Finding, Severity, Tolerance
from .case import Case, Rule, elements, lighter, listed, number, place
from .codes import finding

#: Runtimes err alike when their RMS errors are this close and, where they share worst elements,
#: their values there differ from one another by less than this share of the error.
_ALIKE = 0.1
_HIGH_FLOOR = 0.01
#: Errors of half floats above this share of the largest value are no matter of three decimal digits any more.
_BEYOND_ROUNDING = 0.1


def shape_mismatch(case: Case) -> Iterator[Finding]:
    """shape-mismatch: the candidate's output has another shape, or float32's another than float64's."""
    for c in case.floors:
        if c.shape_mismatch:
            yield finding(
                "shape-mismatch",
                Severity.WARNING,
                runtime=c.candidate,
                tensor=c.tensor,
                summary=f"{c.tensor}: its shape depends on values, and in Python itself float32 and float64 choose "
                f"others: {c.shape_mismatch}. What follows is measured against float32 alone.",
                advice="A value lies at the threshold that decides: no runtime can be held to either answer.",
                evidence={"shapes": c.shape_mismatch},
            )
    for c in case.candidates:
        if c.shape_mismatch:
            yield finding(
                "shape-mismatch",
                Severity.ERROR,
                runtime=c.candidate,
                tensor=c.tensor,
                summary=f"{c.tensor}: the shape on {c.candidate} is not the model's: {c.shape_mismatch}.",
                advice="Pair the outputs rightly (--map-output TFJS=MODEL), and see that the artifact is this model's.",
                evidence={"shapes": c.shape_mismatch},
            )


def output_pairing(case: Case) -> Iterator[Finding]:
    """output-pairing: another output of equal shape fits better than the one it was paired with."""
    for hint in case.pairing_hints:
        yield finding(
            "output-pairing",
            Severity.ERROR,
            runtime=hint.candidate,
            tensor=hint.tensor,
            summary=f"What {hint.candidate} gives as {hint.fits} fits {hint.tensor} better than what it gives as "
            f"{hint.tensor}: RMS error {number(hint.fitting_rms_error)} instead of {number(hint.rms_error)}.",
            advice="Two outputs of equal shape seem swapped: pair them by hand with --map-output TFJS=MODEL.",
            evidence={"fits": hint.fits, "rms_error": hint.rms_error, "fitting_rms_error": hint.fitting_rms_error},
        )


def shared_drift(case: Case) -> Iterator[Finding]:
    """quantization-drift and conversion-drift: every runtime of full precision errs, and alike."""
    quantization = case.artifact.quantization if case.artifact else "none"
    paired_wrongly = {hint.tensor for hint in case.pairing_hints}
    for tensor in dict.fromkeys(c.tensor for c in case.candidates):
        rows = [c for c in case.candidates if c.tensor == tensor and c.precision_bits != 16 and c.rms_error is not None]
        enough = len(rows) >= (1 if quantization != "none" else 2)
        if tensor in paired_wrongly or not enough or not all(c.drifted for c in rows) or not _alike(rows):
            continue
        yield _quantized(tensor, rows, quantization) if quantization != "none" else _converted(tensor, rows)


def _alike(rows: Sequence[Comparison]) -> bool:
    """Whether runtimes give the same wrong values, as far as the kept statistics show."""
    errors = [c.rms_error or 0.0 for c in rows]
    if max(errors) - min(errors) > _ALIKE * max(errors):
        return False
    return all(_same_worst(a, b) for a, b in combinations(rows, 2))


def _same_worst(a: Comparison, b: Comparison) -> bool:
    known = {(w.sample, w.index): w for w in a.worst if w.kind == "error"}
    pairs = [(known[key], w) for w in b.worst if w.kind == "error" and (key := (w.sample, w.index)) in known]
    if not pairs:
        return False
    return all(abs(x.candidate - y.candidate) <= _ALIKE * abs(x.candidate - x.reference) for x, y in pairs)


def _quantized(tensor: str, rows: Sequence[Comparison], quantization: str) -> Finding:
    names = [c.candidate for c in rows]
    return finding(
        "quantization-drift",
        Severity.ERROR,
        tensor=tensor,
        summary=f"{tensor}: {listed(names)} {'errs' if len(rows) == 1 else 'err alike'} ({_errors(rows)}), "
        f"as weights quantized to {quantization} would make {'it' if len(rows) == 1 else 'them'}.",
        advice=f"If accuracy on your data is still good, accept it with --atol {tensor}:{_twice(_largest(rows))}; "
        f"else take --quantize {lighter(quantization)}.",
        evidence=_shared_evidence(rows) | {"quantization": quantization},
    )


def _converted(tensor: str, rows: Sequence[Comparison]) -> Finding:
    return finding(
        "conversion-drift",
        Severity.ERROR,
        tensor=tensor,
        summary=f"{tensor}: {listed([c.candidate for c in rows])} agree with one another and not with Python "
        f"({_errors(rows)}): the artifact computes something else than the model.",
        advice="The fault is in the conversion or the weights, not in a backend: "
        "convert anew, and try the other format with --format.",
        evidence=_shared_evidence(rows),
    )


def _largest(rows: Sequence[Comparison]) -> float:
    return max(c.max_abs_error or 0.0 for c in rows)


def _twice(error: float) -> str:
    """As an option takes it: without commas."""
    return f"{2 * error:.3g}"


def _errors(rows: Sequence[Comparison]) -> str:
    scale = rows[0].reference_scale
    share = f", {100 * _largest(rows) / scale:.2g}% of the largest value" if scale else ""
    return f"largest error {number(_largest(rows))}{share}"


def _shared_evidence(rows: Sequence[Comparison]) -> dict[str, object]:
    return {
        "runtimes": [str(c.candidate) for c in rows],
        "rms_errors": [c.rms_error for c in rows],
        "max_abs_errors": [c.max_abs_error for c in rows],
    }


def drift(case: Case) -> Iterator[Finding]:
    """drift: finite values differ by more than the tolerance."""
    for c in case.candidates:
        if c.drifted and c.tolerance:
            yield finding(
                "drift",
                Severity.ERROR,
                runtime=c.candidate,
                tensor=c.tensor,
                summary=f"{c.tensor} on {c.candidate}: {_excess(c, c.tolerance)}.",
                advice=_drift_advice(case, c),
                evidence={
                    "max_abs_error": c.max_abs_error,
                    "rms_error": c.rms_error,
                    "max_ulp_error": c.max_ulp_error,
                    "outside_count": c.outside_count,
                    "noise_floor": c.noise_floor,
                    "max_abs_tolerance": c.tolerance.max_abs,
                    "rms_tolerance": c.tolerance.rms,
                },
            )


def _excess(c: Comparison, tolerance: Tolerance) -> str:
    """By what the comparison failed, the worst first."""
    worst = next((w for w in c.worst if w.kind == "error"), None)
    where = f" at {place(worst)}" if worst else ""
    if tolerance.mode == "explicit" and c.outside_count:
        return f"{elements(c.outside_count, c.finite_count)} are beyond what was {tolerance.derivation}{where}"
    if tolerance.mode == "exact":
        return f"integers differ by up to {number(c.max_abs_error or 0.0)}{where}; they must be equal"
    found = [
        (value / limit if limit else float("inf"), name, value, limit)
        for name, value, limit in (
            ("largest error", c.max_abs_error, tolerance.max_abs),
            ("RMS error", c.rms_error, tolerance.rms),
            ("largest ULP error", c.max_ulp_error, tolerance.max_ulp),
        )
        if value is not None and limit is not None and value > limit
    ]
    ratio, name, value, limit = max(found)
    times = f", {number(ratio)} times the {number(limit)} allowed"
    return f"{name} {number(value)}{times}{where if name != 'RMS error' else ''}"


def _drift_advice(case: Case, c: Comparison) -> str:
    others = [o for o in case.candidates if o.tensor == c.tensor and o.candidate != c.candidate]
    if c.precision_bits == 16 and (c.max_abs_error or 0.0) > _BEYOND_ROUNDING * (c.reference_scale or 0.0):
        return (
            "So much is either the rounding of many layers, added up, or a value inside the model that is beyond 65504 "
            "or below 6e-8 and was lost: pycheck trace tells which."
        )
    if c.precision_bits == 16:
        return "Half floats keep about three decimal digits; if that is enough, say so with --atol or --rtol."
    if others and not any(o.drifted for o in others):
        return (
            f"Only {c.candidate} errs, so a kernel of that backend is the suspect: pycheck trace names it; "
            "if it is harmless, set --atol."
        )
    if _is_high(c.noise_floor, c.reference_scale):
        return (
            f"float32 in Python errs by {number(c.noise_floor or 0.0)} here as well: change the model where it "
            "amplifies roundoff, see noise-floor-high."
        )
    return "pycheck trace names the operation where it starts; if it is harmless, set --atol or --rtol."


def _is_high(error: float | None, scale: float | None) -> bool:
    return error is not None and scale is not None and error > _HIGH_FLOOR * scale


def noise_floor_high(case: Case) -> Iterator[Finding]:
    """noise-floor-high: float32 itself costs this output more than a hundredth of its size."""
    for c in case.floors:
        error, scale = c.max_abs_error, c.reference_scale
        if error is not None and scale and _is_high(error, scale):
            yield finding(
                "noise-floor-high",
                Severity.WARNING,
                runtime=c.candidate,
                tensor=c.tensor,
                summary=f"{c.tensor}: in Python itself float32 differs from float64 by {number(error)}, "
                f"{error / scale:.0%} of the largest value {number(scale)}.",
                advice="No backend can do better than this: the model amplifies roundoff; "
                "normalise its inputs or look for a difference of large numbers.",
                evidence={"noise_floor": error, "reference_scale": scale},
            )


RULES: tuple[Rule, ...] = (shape_mismatch, output_pairing, shared_drift, drift, noise_floor_high)
