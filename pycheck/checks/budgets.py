"""Finds the budgets that a report exceeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..diagnosis.case import CLOSER_LOOK, unlike
from ..diagnosis.codes import finding
from ..gate.budgets import Budget, Held, hold
from ..report.wording import short, size
from ..types import Finding, Report, Severity

_ERRORS = {
    "max_abs_error": "largest error",
    "rms_error": "RMS error",
    "max_ulp_error": "largest error in ULP",
    "error_of_scale": "largest error as a share of the output's scale",
}
_ADVICE = {
    "artifact_bytes": "Quantize the weights (quantizations in pycheck.toml), or use a smaller model.",
    "top1_agreement": "The report lists the samples whose top-1 class changed, with the margin of each.",
    "decisions_changed": "The report lists the files, with both decisions and the part that changes them.",
    "latency": "Run again on an idle machine: other processes slow a browser down.",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """The findings on one report, and the budgets that apply to it."""

    findings: tuple[Finding, ...]
    used: tuple[Budget, ...]


def judge(report: Report, budgets: Sequence[Budget]) -> Judged:
    """Compare a report, whose name is its variant's, with the budgets that apply to it."""
    held = hold(report, budgets)
    used = tuple(budget for budget in budgets if any(h.budget is budget for h in held))
    return Judged(tuple(_exceeded(h) for h in held if h.exceeds), used)


def _exceeded(held: Held) -> Finding:
    c = held.comparison
    return finding(
        "budget-exceeded",
        Severity.ERROR,
        runtimes=[held.runtime] if held.runtime else [],
        tensor=c.tensor if c else None,
        summary=_text(held),
        advice=f"{CLOSER_LOOK if c and held.name in _ERRORS else _ADVICE[held.name]} "
        f"The budget is in {held.budget.place}.",
        evidence={
            "budget": "artifact_size" if held.name == "artifact_bytes" else held.name,
            "value": held.value,
            "limit": held.limit,
            **({"artifact": held.artifact} if held.artifact else {}),
        },
    )


def _text(held: Held) -> str:
    value, limit = held.value, held.limit
    where = f"{held.comparison.tensor} on {held.runtime}: " if held.comparison else ""
    first, second = unlike(value, limit)
    if held.name == "artifact_bytes":
        return f"The {held.artifact} artifact has {size(int(value))}; the budget is {size(int(limit))}."
    if held.name == "top1_agreement":
        return f"{where}top-1 agreement is {100 * value:.4f} %; the budget is at least {100 * limit:.4f} %."
    if held.name == "decisions_changed":
        return (
            f"{100 * value:.4g} % of the files get another decision on {held.runtime}; the budget is at most "
            f"{100 * limit:.4g} %."
        )
    if held.name == "latency":
        seconds, base = held.seconds
        return (
            f"{held.runtime} takes {first} times as long per sample as {held.budget.against} in the same run "
            f"({short(seconds * 1e3)} ms, {short(base * 1e3)} ms); the budget is {second} times."
        )
    return f"{where}the {_ERRORS[held.name]} is {first}; the budget is {second}."
