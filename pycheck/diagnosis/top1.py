"""Findings about samples whose largest class changed."""

from __future__ import annotations

from collections.abc import Iterator

from ..types import Comparison, Finding, Severity, Top1Flip
from .case import Case, Rule, lighter, number
from .codes import finding


def top1_changes(case: Case) -> Iterator[Finding]:
    """top1-flip, and argmax-tie where the classes were too close for either precision to tell.

    Rows that only became NaN are told by nan-introduced. Rows that may be a regression have entries, not classes, and
    a near tie between them means nothing.
    """
    for c in case.candidates:
        if not c.top1_flips:
            continue
        noise, widest = _noise(c), c.top1_flips[0]
        if widest.margin <= noise and not c.top1_certain:
            continue
        yield _tie(c, widest, noise) if widest.margin <= noise else _flip(case, c, widest, noise)


def _noise(c: Comparison) -> float:
    """Two classes closer than this may change places without an error beyond the tolerance."""
    limit = c.tolerance.max_abs if c.tolerance and c.tolerance.max_abs is not None else c.noise_floor
    return 2.0 * (limit or 0.0)


def _tie(c: Comparison, flip: Top1Flip, noise: float) -> Finding:
    return finding(
        "argmax-tie",
        Severity.INFO,
        runtimes=(c.candidate,),
        tensor=c.tensor,
        summary=f"{c.tensor} on {c.candidate}: the largest class changed in {_rows(c)}, "
        f"near ties, at most {number(flip.margin)} apart.",
        advice="Roundoff decides such ties: let nothing hang on them, or break them in the application.",
        evidence={"changed": c.top1_flip_count, "rows": c.top1_count, "largest_margin": flip.margin, "noise": noise},
    )


def _flip(case: Case, c: Comparison, flip: Top1Flip, noise: float) -> Finding:
    what = "class" if c.top1_certain else "entry"
    users = (
        "Users see another answer" if c.top1_certain else "If the entries are class scores, users see another answer"
    )
    return finding(
        "top1-flip",
        Severity.WARNING if c.top1_certain else Severity.INFO,
        runtimes=(c.candidate,),
        tensor=c.tensor,
        summary=f"{c.tensor} on {c.candidate}: the largest {what} changed in {_rows(c)}, in sample {flip.sample} from "
        f"{flip.reference_class} to {flip.candidate_class}, which are {number(flip.margin)} apart in Python.",
        advice=f"{users}, however small the error: {_cure(case, c)}.",
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


def _cure(case: Case, c: Comparison) -> str:
    if case.quantization != "none":
        return f"take --quantize {lighter(case.quantization)}, or measure what accuracy it costs"
    if c.precision_bits == 16:
        return "half floats cause it, so measure what accuracy they cost, or let such devices use wasm"
    return "let pycheck trace name where it starts"


def _rows(c: Comparison) -> str:
    nan = " (rows that became NaN among them)" if c.nonfinite.introduced else ""
    return f"{c.top1_flip_count:,} of {c.top1_count:,} row{'' if c.top1_count == 1 else 's'}{nan}"


RULES: tuple[Rule, ...] = (top1_changes,)
