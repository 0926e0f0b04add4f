"""Finds finite values that differ, and derives the cause from the pattern over the runtimes."""

from __future__ import annotations

from collections.abc import Iterator

from ..types import Comparison, FaultyPart, Finding, Severity, Tolerance
from .case import (
    CLOSER_LOOK,
    SEE_REFERENCE,
    Case,
    Rule,
    are,
    elements,
    number,
    percent,
    place,
    times,
    unlike,
)
from .codes import RUNTIMES, finding

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


#: Why correct kernels for quantized weights differ from each other; the automatic limits allow for it.
_OF_ROUNDED = {
    "int8": "Correct kernels for int8 differ by a quantization step. If the error is one,",
    "dynamic": "Correct kernels for dynamic weights differ: those of the CPU round their inputs to int8, and those of "
    "WebGPU compute in float32. If your application accepts the error,",
}
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
        rounding = _OF_ROUNDED.get(case.artifact.quantization) if case.artifact else None
        if rounding and c.quantization_noise is None and part is not FaultyPart.MOSTLY_BROWSER:
            return f"{rounding} allow it with --atol."
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


RULES: tuple[Rule, ...] = (shape_mismatch, empty_output, drift, noise_floor_high)
