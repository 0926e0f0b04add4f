"""Budgets: what a report may not exceed although its tolerance would let it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..diagnosis.codes import finding
from ..report.wording import short, size
from ..types import Comparison, Finding, Report, RuntimeId, Severity
from .configuration import Budget

_CODE = "budget-exceeded"


@dataclass(frozen=True, slots=True)
class Judged:
    """The findings about one report, and the budgets that had something to measure in it."""

    findings: tuple[Finding, ...]
    used: tuple[Budget, ...]


def judge(report: Report, budgets: Sequence[Budget]) -> Judged:
    """Hold a report, whose name is its variant's, against the budgets that are about it."""
    findings: list[Finding] = []
    used = []
    for budget in budgets:
        if budget.where.takes_variant(report.name):
            measured = [*_of_artifact(report, budget), *_of_outputs(report, budget), *_of_latency(report, budget)]
            used += [budget] if measured else []
            findings += [found for found in measured if found]
    return Judged(tuple(findings), tuple(used))


def _of_artifact(report: Report, budget: Budget) -> Iterator[Finding | None]:
    """None for what keeps to the budget."""
    if budget.artifact_bytes is not None and report.artifact:
        found = report.artifact.size_bytes
        within = found <= budget.artifact_bytes
        text = f"The artifact has {size(found)}; the budget is {size(budget.artifact_bytes)}."
        advice = "Quantized weights (quantizations) or a smaller model would fit."
        yield None if within else _exceeded(budget, text, advice, "artifact_size", found, budget.artifact_bytes)


def _of_outputs(report: Report, budget: Budget) -> Iterator[Finding | None]:
    for c in report.comparisons:
        if c.is_noise_floor or not (budget.where.takes_runtime(c.candidate) and budget.where.takes_output(c.tensor)):
            continue
        limits = (
            ("max_abs_error", "largest error", c.max_abs_error, budget.max_abs_error),
            ("rms_error", "RMS error", c.rms_error, budget.rms_error),
            ("max_ulp_error", "largest error in ULP", c.max_ulp_error, budget.max_ulp_error),
            ("error_of_scale", "largest error as a share of the output's scale", _of_scale(c), budget.error_of_scale),
        )
        for name, words, value, limit in limits:
            if value is not None and limit is not None:
                text = f"{c.tensor} on {c.candidate}: the {words} is {short(value)}; the budget is {short(limit)}."
                yield None if value <= limit else _exceeded(budget, text, _ERROR_ADVICE, name, value, limit, c)
        least, share = budget.top1_agreement, c.top1_agreement
        if least is not None and share is not None:
            text = f"{c.tensor} on {c.candidate}: top-1 agreement is {share:.4%}; the budget is at least {least:.4%}."
            yield None if share >= least else _exceeded(budget, text, _TOP1_ADVICE, "top1_agreement", share, least, c)


_ERROR_ADVICE = "See which operation it comes from with pycheck trace."
_TOP1_ADVICE = "The report lists the samples whose largest class changed, with the margin of each."


def _of_scale(c: Comparison) -> float | None:
    if c.max_abs_error is None or not c.reference_scale:
        return None
    return c.max_abs_error / c.reference_scale


def _of_latency(report: Report, budget: Budget) -> Iterator[Finding | None]:
    if budget.latency is None:
        return
    latencies = {r.id: seconds for r in report.runtimes if (seconds := r.timings_s.get("per_sample"))}
    base = latencies.get(budget.against) if budget.against else None
    for runtime, seconds in latencies.items():
        if base and runtime != budget.against and budget.where.takes_runtime(runtime):
            times = seconds / base
            text = (
                f"{runtime} takes {short(times)} times as long a sample as {budget.against} in the same run "
                f"({short(seconds * 1e3)} ms to {short(base * 1e3)} ms); the budget is {short(budget.latency)} times."
            )
            within = times <= budget.latency
            yield (
                None
                if within
                else _exceeded(budget, text, _LATENCY_ADVICE, "latency", times, budget.latency, runtime=runtime)
            )


_LATENCY_ADVICE = "Other work on this machine counts too: run it again alone before you believe it."


def _exceeded(
    budget: Budget,
    text: str,
    advice: str,
    name: str,
    value: float,
    limit: float,
    c: Comparison | None = None,
    *,
    runtime: RuntimeId | None = None,
) -> Finding:
    return finding(
        _CODE,
        Severity.ERROR,
        runtimes=[c.candidate] if c else [runtime] if runtime else [],
        tensor=c.tensor if c else None,
        summary=text,
        advice=f"{advice} The budget stands in {budget.place}.",
        evidence={"budget": name, "value": value, "limit": limit},
    )
