"""Says which budgets a report exceeds, and by what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    "artifact_bytes": "Quantized weights (quantizations) or a smaller model would fit.",
    "top1_agreement": "The report lists the samples whose largest class changed, with the margin of each.",
    "latency": "Other work on this machine counts too: run it again alone before you believe it.",
    **dict.fromkeys(_ERRORS, "See which operation it comes from with pycheck trace."),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """The findings about one report, and the budgets that had something to measure in it."""

    findings: tuple[Finding, ...]
    used: tuple[Budget, ...]


def judge(report: Report, budgets: Sequence[Budget]) -> Judged:
    """Hold a report, whose name is its variant's, against the budgets that are about it."""
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
        advice=f"{_ADVICE[held.name]} The budget stands in {held.budget.place}.",
        evidence={
            "budget": "artifact_size" if held.name == "artifact_bytes" else held.name,
            "value": held.value,
            "limit": held.limit,
        },
    )


def _text(held: Held) -> str:
    value, limit = held.value, held.limit
    where = f"{held.comparison.tensor} on {held.runtime}: " if held.comparison else ""
    if held.name == "artifact_bytes":
        return f"The artifact has {size(int(value))}; the budget is {size(int(limit))}."
    if held.name == "top1_agreement":
        return f"{where}top-1 agreement is {value:.4%}; the budget is at least {limit:.4%}."
    if held.name == "latency":
        seconds, base = held.seconds
        return (
            f"{held.runtime} takes {short(value)} times as long a sample as {held.budget.against} in the same run "
            f"({short(seconds * 1e3)} ms to {short(base * 1e3)} ms); the budget is {short(limit)} times."
        )
    return f"{where}the {_ERRORS[held.name]} is {short(value)}; the budget is {short(limit)}."
