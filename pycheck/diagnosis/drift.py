"""Finds finite values that differ, and derives the cause from the pattern over the runtimes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from ..types import Comparison, FaultyPart, Finding, Severity, Tolerance
from .case import (
    CLOSER_LOOK,
    SEE_REFERENCE,
    Case,
    Rule,
    are,
    elements,
    lighter,
    listed,
    number,
    percent,
    place,
    times,
    unlike,
)
from .codes import RUNTIMES, finding

#: Runtimes show the same error if their RMS errors differ by less than this share and, at shared worst elements,
#: their values differ from one another by less than this share of the error.
_ALIKE = 0.1
_HIGH_FLOOR = 0.01
#: An error in float16 above this share of the largest value is more than a lack of digits.
_BEYOND_ROUNDING = 0.1


def shape_mismatch(case: Case) -> Iterator[Finding]:
    """Find shape-mismatch: the shape on a candidate differs from Python's, or float32's from float64's."""
    for c in case.floors:
        if c.shape_mismatch:
            yield finding(
                "shape-mismatch",
                Severity.WARNING,
                runtimes=(c.candidate,),
                tensor=c.tensor,
                summary=f"{c.tensor}: the shape depends on values, and differs between float32 and float64 in Python "
                f"itself: {c.shape_mismatch}. The browsers are compared with float32 only.",
                advice="A value is at the threshold that decides the shape, so either shape may be right: compare on "
                "different inputs.",
                evidence={"shapes": c.shape_mismatch},
            )
    for c in case.candidates:
        if c.shape_mismatch:
            free = _depends_on_values(case, c)
            yield finding(
                "shape-mismatch",
                Severity.ERROR,
                runtimes=(c.candidate,),
                tensor=c.tensor,
                summary=f"{c.tensor}: the shape on {RUNTIMES} differs from Python's: {c.shape_mismatch}."
                + (" The shape depends on values, such as a count of boxes." if free else ""),
                advice="A value is at the threshold that decides the shape, or an earlier operation errs: pycheck "
                "trace names it."
                if free
                else "The conversion to a .tflite file changes the shape: compare on a runtime of TF.js, such as "
                "chromium:wasm, too."
                if c.candidate.is_litert
                else "Check that the artifact was made from this model, and pair its outputs with "
                "--map-output TFJS=MODEL.",
                evidence={"shapes": c.shape_mismatch},
            )


def _depends_on_values(case: Case, c: Comparison) -> bool:
    """Tell whether the model leaves the size that differs open, in an output without a row for each sample."""
    specs = case.model.signature.outputs if case.model else ()
    return any(s.name == c.tensor and not s.has_sample_axis and None in s.shape for s in specs)


def empty_output(case: Case) -> Iterator[Finding]:
    """Find empty-output: an output that could not be compared because Python gives no values."""
    by_tensor: dict[str, list[Comparison]] = {}
    for c in case.candidates:
        by_tensor.setdefault(c.tensor, []).append(c)
    empty = [tensor for tensor, rows in by_tensor.items() if not any(c.element_count or c.shape_mismatch for c in rows)]
    for tensor in empty:
        yield finding(
            "empty-output",
            Severity.ERROR if len(empty) == len(by_tensor) else Severity.WARNING,
            tensor=tensor,
            summary=f"{tensor}: the output has no values for these inputs, in Python and in the browser. Nothing was "
            "compared.",
            advice="Give inputs that produce values, such as a photo of an object that the model detects.",
            evidence={"element_count": 0},
        )


def shared_drift(case: Case) -> Iterator[Finding]:
    """Find quantization-drift and conversion-drift: every float32 runtime shows the same error."""
    quantization = case.quantization
    paired_wrongly = {hint.tensor for hint in case.pairing_hints}
    for tensor in dict.fromkeys(c.tensor for c in case.candidates):
        rows = [c for c in case.candidates if c.tensor == tensor and c.precision_bits != 16 and c.rms_error is not None]
        if tensor in case.evidence.faulty_parts:
            rows = [c for c in rows if c.drifted and case.faulty_part(c) is FaultyPart.FILE]
            enough = shared = bool(rows)
        else:
            enough = len(rows) >= (1 if quantization != "none" else 2)
            shared = all(c.drifted for c in rows) and enough and _alike(rows)
        if tensor in paired_wrongly or not enough or not shared:
            continue
        is_explained = all(c.quantization_noise is None or c.quantization_noise.rms is None for c in rows)
        yield (_quantized if quantization != "none" and is_explained else _converted)(case, tensor, rows)


def quantization_cost(case: Case) -> Iterator[Finding]:
    """Find quantization-drift: an error above the limits of float32 that rounding by quantization explains."""
    if case.quantization == "none":
        return
    for tensor in dict.fromkeys(c.tensor for c in case.candidates):
        rows = [
            c
            for c in case.candidates
            if c.tensor == tensor and c.passed and c.quantization_noise and c.tolerance and c.tolerance.mode == "auto"
        ]
        if rows:
            yield _costs(case, tensor, rows)


def _costs(case: Case, tensor: str, rows: Sequence[Comparison]) -> Finding:
    is_measured = all(c.quantization_noise and c.quantization_noise.rms is not None for c in rows)
    return finding(
        "quantization-drift",
        Severity.WARNING,
        runtimes=[c.candidate for c in rows],
        tensor=tensor,
        summary=f"{tensor}: {_by(case)} changes the output ({_errors(rows)}). "
        + (
            "Rounding explains this error."
            if is_measured
            else "The error that rounding makes could not be measured, so the limit is 1 % of the largest value."
        ),
        advice="Measure the accuracy on your data. If it is too low, use --quantize "
        f"{lighter(case.quantization)}. To set a limit of your own, use --atol.",
        evidence=_shared_evidence(rows) | {"quantization": case.quantization},
    )


def _by(case: Case) -> str:
    return f"{case.quantization} quantization" if case.is_of_litert else f"weights quantized to {case.quantization}"


def _alike(rows: Sequence[Comparison]) -> bool:
    """Tell whether runtimes give the same wrong values, as far as the statistics show."""
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


def _quantized(case: Case, tensor: str, rows: Sequence[Comparison]) -> Finding:
    names, quantization = [c.candidate for c in rows], case.quantization
    return finding(
        "quantization-drift",
        Severity.ERROR,
        runtimes=names,
        tensor=tensor,
        summary=f"{tensor}: {listed(names)} {_together(rows)} "
        f"({_errors(rows)}), as expected of {_by(case)}."
        f"{_of_quantized(case, rows)}",
        advice=f"Measure the accuracy on your data. If it is too low, use --quantize {lighter(quantization)}; "
        "otherwise allow the error with --atol.",
        evidence=_shared_evidence(rows) | {"quantization": quantization},
    )


def _together(rows: Sequence[Comparison]) -> str:
    if len(rows) == 1:
        return "differs from Python"
    return "show the same error" if _alike(rows) else "differ from Python"


def _of_quantized(case: Case, rows: Sequence[Comparison]) -> str:
    if case.faulty_part(rows[0]) is not FaultyPart.FILE:
        return ""
    return " TensorFlow Lite in Python gives this error too, so it is in the file, not in the browser."


def _in_file(case: Case, tensor: str, rows: Sequence[Comparison]) -> Finding:
    """Make the finding for a .tflite file that differs from its model in Python itself."""
    names = [c.candidate for c in rows]
    return finding(
        "conversion-drift",
        Severity.ERROR,
        runtimes=names,
        tensor=tensor,
        summary=f"{tensor}: {listed(names)} {'differs' if len(rows) == 1 else 'differ'} from Python ({_errors(rows)})"
        f"{_more_than_rounding(case, rows)}. {case.beside_python(rows[0]).strip()}",
        advice=SEE_REFERENCE
        if case.reference_explains(tensor)
        else "The fault is in the weights, or in the ranges of the calibration: convert the model again with inputs "
        "like yours."
        if case.quantization == "int8"
        else "The fault is in the conversion or the weights: convert the model again"
        + (", with pycheck instead of --tflite-model." if case.is_foreign else "."),
        evidence=_shared_evidence(rows),
    )


def _converted(case: Case, tensor: str, rows: Sequence[Comparison]) -> Finding:
    if tensor in case.evidence.faulty_parts:
        return _in_file(case, tensor, rows)
    effect = (
        "TF.js and Python compute this artifact differently"
        if case.is_artifact_alone
        else "the artifact differs from the model"
    )
    return finding(
        "conversion-drift",
        Severity.ERROR,
        runtimes=[c.candidate for c in rows],
        tensor=tensor,
        summary=f"{tensor}: {listed([c.candidate for c in rows])} agree with each other, but not with Python "
        f"({_errors(rows)}){_more_than_rounding(case, rows)}: {effect}.",
        advice=SEE_REFERENCE
        if case.reference_explains(tensor)
        else "pycheck trace names the operation. To see whether Python or TF.js is right, give the source model as "
        "MODEL and the artifact with --tfjs-model."
        if case.is_artifact_alone
        else "The fault is in the conversion or the weights, not in a backend: "
        + (
            "compare on a runtime of TF.js, such as chromium:wasm, too."
            if case.is_of_litert
            else "convert the model again, or try a different --format."
        ),
        evidence=_shared_evidence(rows),
    )


def _more_than_rounding(case: Case, rows: Sequence[Comparison]) -> str:
    """Return a clause on an error that rounding does not explain; empty if nothing is quantized."""
    shares = [c.share_used for c in rows if c.share_used is not None and c.quantization_noise]
    if case.quantization == "none" or not shares:
        return ""
    return f", {times(max(shares))} times the limit for {_by(case)}"


def _largest(rows: Sequence[Comparison]) -> float:
    return max(c.max_abs_error or 0.0 for c in rows)


def _errors(rows: Sequence[Comparison]) -> str:
    scale = rows[0].reference_scale
    share = f", {percent(_largest(rows) / scale)} of the largest value" if scale else ""
    return f"largest error {number(_largest(rows))}{share}"


def _shared_evidence(rows: Sequence[Comparison]) -> dict[str, object]:
    return {
        "rms_errors": [c.rms_error for c in rows],
        "max_abs_errors": [c.max_abs_error for c in rows],
    }


def drift(case: Case) -> Iterator[Finding]:
    """Find drift: finite values differ by more than the tolerance."""
    for c in case.candidates:
        if c.drifted and c.tolerance:
            yield finding(
                "drift",
                Severity.ERROR,
                runtimes=(c.candidate,),
                tensor=c.tensor,
                summary=f"{c.tensor} on {RUNTIMES}: {_excess(c, c.tolerance)}.{_two_answers(case, c)}"
                f"{case.beside_python(c)}",
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


def _two_answers(case: Case, c: Comparison) -> str:
    """Return a sentence on Python's own executions if they differ by more than roundoff."""
    undefined = any(cast.undefined and c.tensor in cast.outputs for cast in case.evidence.casts)
    if not (undefined or case.possible_cast(c.tensor)):
        return ""
    floors = [floor for floor in case.floors if floor.tensor == c.tensor]
    found = [
        (floor.max_abs_error, "float32 and float64")
        for floor in floors
        if _is_high(floor.max_abs_error, floor.reference_scale)
    ]
    check = case.evidence.reference
    if check and check.tensor == c.tensor and check.outcome in ("undefined", "differs"):
        found.append((check.max_abs_error, f"the function and {check.against}"))
    error, executions = max(((e, name) for e, name in found if e), default=(0.0, ""))
    if not error:
        return ""
    return f" In Python itself, {executions} differ by {number(error)}, so the limit proves little."


_ERRORS = {"max_abs": "largest error", "rms": "RMS error", "max_ulp": "largest ULP error"}


def _excess(c: Comparison, tolerance: Tolerance) -> str:
    """Return the error and the limit by which the comparison failed."""
    worst = next((w for w in c.worst if w.kind == "error"), None)
    where = f" at {place(worst)}" if worst else ""
    if tolerance.mode == "explicit" and c.outside_count:
        given = tolerance.derivation.removeprefix("given: ")
        worst_at = f", the worst{where}" if where else ""
        count = f"{elements(c.outside_count, c.finite_count)} {are(c.outside_count)}"
        return f"{count} outside the given tolerance ({given}){worst_at}"
    if tolerance.mode == "exact":
        return f"integers differ by up to {number(c.max_abs_error or 0.0)}{where}; they must be equal"
    use = c.limit_use
    assert use is not None  # a drifted output exceeds a limit
    error, limit = unlike(use.error, use.limit)
    at = where if use.of != "rms" else ""
    return f"{_ERRORS[use.of]} {error}{at}, {times(use.share)} times the limit of {limit}"


def _drift_advice(case: Case, c: Comparison) -> str:
    others = [o for o in case.candidates if o.tensor == c.tensor and o.candidate != c.candidate]
    # No runtime agrees with a wrong reference.
    if case.reference_explains(c.tensor) and not any(o.passed for o in others):
        return SEE_REFERENCE
    if c.precision_bits == 16 and (c.max_abs_error or 0.0) > _BEYOND_ROUNDING * (c.reference_scale or 0.0):
        return (
            "Either the roundoff of many layers adds up, or a value inside the model overflows or underflows in "
            "float16: pycheck trace tells which."
        )
    if c.precision_bits == 16:
        return "A float16 has about three decimal digits. If these are enough, allow the error with --atol or --rtol."
    if (part := case.faulty_part(c)) and part is not FaultyPart.FILE:
        whose = "XNNPACK" if part is FaultyPart.XNNPACK else "LiteRT.js"
        return f"A kernel of {whose} is suspect: try a different accelerator, or a different version of LiteRT.js."
    if others and not any(o.drifted for o in others):
        return f"Only {c.candidate} differs, so a kernel of that backend is suspect: pycheck trace names it."
    return f"No cause is known. {CLOSER_LOOK}"


def _is_high(error: float | None, scale: float | None) -> bool:
    return error is not None and scale is not None and error > _HIGH_FLOOR * scale


def _floor_advice(case: Case, c: Comparison) -> str:
    if half := case.evidence.precision:
        return (
            f"The model computes in {half} in Python and in float32 in the browser. To get the same values in both, "
            "save the model with the dtype policy float32."
        )
    if possible := case.possible_cast(c.tensor):
        return possible
    return (
        "The model amplifies roundoff, so no backend can be more exact. Normalize its inputs, or rewrite differences "
        "of large numbers."
    )


def noise_floor_high(case: Case) -> Iterator[Finding]:
    """Find noise-floor-high: float32 roundoff exceeds 1 % of an output in Python itself."""
    for c in case.floors:
        error, scale = c.max_abs_error, c.reference_scale
        if error is not None and scale and _is_high(error, scale):
            yield finding(
                "noise-floor-high",
                Severity.WARNING,
                runtimes=(c.candidate,),
                tensor=c.tensor,
                summary=f"{c.tensor}: in Python itself, {case.evidence.precision or 'float32'} differs from float64 by "
                f"{number(error)}, {percent(error / scale)} of the largest value {number(scale)}.",
                advice=_floor_advice(case, c),
                evidence={"noise_floor": error, "reference_scale": scale},
            )


RULES: tuple[Rule, ...] = (shape_mismatch, empty_output, shared_drift, quantization_cost, drift, noise_floor_high)
