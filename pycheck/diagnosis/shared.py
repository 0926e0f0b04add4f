"""Finds errors that every runtime shows: from the conversion of the artifact, or from its quantization."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from ..types import Comparison, FaultyPart, Finding, Severity
from .case import SEE_REFERENCE, Case, Rule, lighter, listed, number, percent, times
from .codes import finding

#: Runtimes show the same error if their RMS errors differ by less than this share and, at shared worst elements,
#: their values differ from one another by less than this share of the error. The noise floor is below this share.
_ALIKE = 0.1
#: An error of quantization up to this share of the largest value is usual.
_SMALL = 0.01


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
        is_explained = quantization != "none" and all(map(_is_of_rounding, rows))
        yield (_quantized if is_explained else _converted)(case, tensor, rows)


def _is_of_rounding(c: Comparison) -> bool:
    """Tell whether quantization may explain an error: it is small enough, or what is enough was not measured."""
    noise = c.quantization_noise
    if noise is None or not noise.rms or not noise.largest or not c.tolerance:
        return True
    largest = c.tolerance.quantization
    return (c.max_abs_error or 0.0) <= largest and (c.rms_error or 0.0) <= largest / noise.largest * noise.rms


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
    is_small = all((c.max_abs_error or 0.0) <= _SMALL * (c.reference_scale or 0.0) for c in rows)
    return finding(
        "quantization-drift",
        Severity.INFO if is_small else Severity.WARNING,
        runtimes=[c.candidate for c in rows],
        tensor=tensor,
        summary=f"{tensor}: {case.quantization} quantization changes the output ({_errors(rows)}). "
        + (
            "Rounding explains this error."
            if is_measured
            else "The error that rounding makes could not be measured, so the limit is 1 % of the largest value."
        ),
        advice="Measure the accuracy on your data. If it is too low, use --quantize "
        f"{lighter(case.quantization)}. To set a limit of your own, use --atol.",
        evidence=_shared_evidence(rows) | {"quantization": case.quantization},
    )


def _by(case: Case, rows: Sequence[Comparison]) -> str:
    is_litert = rows[0].candidate.is_litert
    return f"{case.quantization} quantization" if is_litert else f"weights quantized to {case.quantization}"


def _alike(rows: Sequence[Comparison]) -> bool:
    """Tell whether runtimes give the same wrong values, as far as the statistics show.

    If Python's own roundoff is not much smaller than the error, two runtimes may differ from each other as much as from
    Python.
    """
    errors = [c.rms_error or 0.0 for c in rows]
    if len(rows) > 1 and max(c.noise_floor_rms or 0.0 for c in rows) > _ALIKE * max(errors):
        return False
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
        f"({_errors(rows)}), as expected of {_by(case, rows)}."
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
    is_one = len(rows) == 1
    seen = "differs from Python" if is_one else "agree with each other, but not with Python"
    effect = (
        "TF.js and Python compute this artifact differently"
        if case.is_artifact_alone
        else "the artifact differs from the model, or "
        f"{'this runtime computes' if is_one else 'all of these runtimes compute'} an operation differently than Python"
    )
    return finding(
        "conversion-drift",
        Severity.ERROR,
        runtimes=[c.candidate for c in rows],
        tensor=tensor,
        summary=f"{tensor}: {listed([c.candidate for c in rows])} {seen} ({_errors(rows)})"
        f"{_more_than_rounding(case, rows)}: {effect}.",
        advice=SEE_REFERENCE
        if case.reference_explains(tensor)
        else "pycheck trace names the operation. To see whether Python or TF.js is right, give the source model as "
        "MODEL and the artifact with --tfjs-model."
        if case.is_artifact_alone
        else "Compare on a runtime of TF.js, such as chromium:wasm, too. If it passes, convert the model again."
        if case.is_of_litert
        else "pycheck trace tells which. If it is the artifact, convert the model again, or try a different --format.",
        evidence=_shared_evidence(rows),
    )


def _more_than_rounding(case: Case, rows: Sequence[Comparison]) -> str:
    """Return a clause on an error that rounding does not explain; empty if nothing is quantized."""
    shares = [c.share_used for c in rows if c.share_used is not None and c.quantization_noise]
    if case.quantization == "none" or not shares:
        return ""
    return f", {times(max(shares))} times the limit for {_by(case, rows)}"


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


RULES: tuple[Rule, ...] = (shared_drift, quantization_cost)
