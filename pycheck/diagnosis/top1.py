"""Finds samples whose top-1 class changed."""

from __future__ import annotations

from collections.abc import Iterator

from ..types import Comparison, Finding, Severity, Top1Flip
from .case import CLOSER_LOOK, Case, Rule, lighter, number
from .codes import RUNTIMES, finding


def top1_changes(case: Case) -> Iterator[Finding]:
    """Find top1-flip, and argmax-tie if the classes are closer than the limit.

    Rows that only became NaN are reported by nan-introduced. Rows that may be the values of a regression have entries,
    not classes, and a near tie between them means nothing.
    """
    for c in case.candidates:
        if not c.top1_flips:
            continue
        noise, widest = _noise(case, c), c.top1_flips[0]
        if widest.margin <= noise and not c.top1_certain:
            continue
        yield _tie(c, widest, noise) if widest.margin <= noise else _flip(case, c, widest, noise)


def _noise(case: Case, c: Comparison) -> float:
    """Return the distance below which two classes may change places within the tolerance.

    Users see the changes that quantization makes, so its part of the tolerance does not count.
    """
    limit = c.tolerance.max_abs if c.tolerance and c.tolerance.max_abs is not None else c.noise_floor
    quantization = c.tolerance.quantization if c.tolerance and case.quantization != "none" else 0.0
    return 2.0 * max((limit or 0.0) - quantization, 0.0)


def _tie(c: Comparison, flip: Top1Flip, noise: float) -> Finding:
    return finding(
        "argmax-tie",
        Severity.INFO,
        runtimes=(c.candidate,),
        tensor=c.tensor,
        summary=f"{c.tensor} on {RUNTIMES}: the top-1 class changed in {_rows(c)}. "
        f"The two classes are near ties, at most {number(flip.margin)} apart in Python.",
        advice="Roundoff decides such ties: ignore them, or break them in the application.",
        evidence={"changed": c.top1_flip_count, "rows": c.top1_count, "largest_margin": flip.margin, "noise": noise},
    )


def _flip(case: Case, c: Comparison, flip: Top1Flip, noise: float) -> Finding:
    what = "top-1 class" if c.top1_certain else "largest entry"
    users = "Users" if c.top1_certain else "If the entries are class scores, users"
    return finding(
        "top1-flip",
        Severity.WARNING if c.top1_certain else Severity.INFO,
        runtimes=(c.candidate,),
        tensor=c.tensor,
        summary=f"{c.tensor} on {RUNTIMES}: the {what} changed in {_rows(c)}, in sample {flip.sample} from "
        f"{flip.reference_class} to {flip.candidate_class} ({number(flip.margin)} apart in Python).",
        advice=f"{users} see a different answer, even if the error is small: {_fix(case, c)}.",
        evidence={
            "changed": c.top1_flip_count,
            "rows": c.top1_count,
            "noise": noise,
            "sample": flip.sample,
            "reference_class": flip.reference_class,
            "candidate_class": flip.candidate_class,
            "margin": flip.margin,
        },
    )


def _fix(case: Case, c: Comparison) -> str:
    if case.quantization != "none":
        return f"use --quantize {lighter(case.quantization)}, or measure the accuracy on your data"
    if c.precision_bits == 16:
        return "measure the accuracy in float16 on your data, or use wasm on such devices"
    return CLOSER_LOOK.removesuffix(".")


def _rows(c: Comparison) -> str:
    nan = " (including rows that became NaN)" if c.nonfinite.introduced else ""
    return f"{c.top1_flip_count:,} of {c.top1_count:,} row{'' if c.top1_count == 1 else 's'}{nan}"


RULES: tuple[Rule, ...] = (top1_changes,)
