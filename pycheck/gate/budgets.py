"""Compares a report with budgets: limits that it may not exceed even if its tolerance allows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..types import Comparison, Report, RuntimeId
from .policy import Selector


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits in addition to the tolerance; None if there is none. `latency` is relative to the runtime `against`."""

    where: Selector
    place: str
    max_abs_error: float | None = None
    rms_error: float | None = None
    max_ulp_error: float | None = None
    error_of_scale: float | None = None
    top1_agreement: float | None = None
    artifact_bytes: int | None = None
    decisions_changed: float | None = None
    latency: float | None = None
    against: RuntimeId | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """One number of a report and its limit in a budget; `name` is the name of the limit in `Budget`.

    `artifact` is the format of the artifact that it is about. `seconds` are the times for one sample on `runtime` and
    on the runtime that its latency is relative to.
    """

    budget: Budget
    name: str
    value: float
    limit: float
    exceeds: bool
    comparison: Comparison | None = None
    runtime: RuntimeId | None = None
    artifact: str = ""
    seconds: tuple[float, float] = (0.0, 0.0)


def hold(report: Report, budgets: Sequence[Budget]) -> tuple[Held, ...]:
    """Compare all numbers of a report that the budgets limit; the report's name is that of its variant."""
    return tuple(
        held
        for budget in budgets
        if budget.where.takes_variant(report.name)
        for held in (
            *_artifact(report, budget),
            *_outputs(report, budget),
            *_decisions(report, budget),
            *_latency(report, budget),
        )
    )


def _artifact(report: Report, budget: Budget) -> Iterator[Held]:
    """Compare each artifact that a runtime of the budget loads."""
    if (limit := budget.artifact_bytes) is None:
        return
    for artifact, is_litert in ((report.artifact, False), (report.litert_artifact, True)):
        in_browsers = [r.id for r in report.runtimes if r.id.engine not in ("native", "artifact")]
        loading = [runtime for runtime in in_browsers if runtime.is_litert == is_litert]
        if artifact and any(map(budget.where.takes_runtime, loading)):
            found = artifact.size_bytes
            yield Held(budget, "artifact_bytes", found, limit, found > limit, artifact=artifact.format)


def _outputs(report: Report, budget: Budget) -> Iterator[Held]:
    for c in report.comparisons:
        if c.is_noise_floor or not (budget.where.takes_runtime(c.candidate) and budget.where.takes_output(c.tensor)):
            continue
        limits = (
            ("max_abs_error", c.max_abs_error, budget.max_abs_error),
            ("rms_error", c.rms_error, budget.rms_error),
            ("max_ulp_error", c.max_ulp_error, budget.max_ulp_error),
            ("error_of_scale", _of_scale(c), budget.error_of_scale),
        )
        for name, value, limit in limits:
            if value is not None and limit is not None:
                yield Held(budget, name, value, limit, value > limit, c, c.candidate)
        least, agreement = budget.top1_agreement, c.top1_agreement
        if least is not None and agreement is not None:
            yield Held(budget, "top1_agreement", agreement, least, agreement < least, c, c.candidate)


def _decisions(report: Report, budget: Budget) -> Iterator[Held]:
    """Compare the share of files that get another class or decision in the page of each runtime."""
    limit = budget.decisions_changed
    for row in report.pipeline.rows if report.pipeline and limit is not None else ():
        share = row.changed_share
        if share is not None and limit is not None and budget.where.takes_runtime(row.runtime):
            yield Held(budget, "decisions_changed", share, limit, share > limit, runtime=row.runtime)


def _of_scale(c: Comparison) -> float | None:
    if c.max_abs_error is None or not c.reference_scale:
        return None
    return c.max_abs_error / c.reference_scale


def _latency(report: Report, budget: Budget) -> Iterator[Held]:
    if budget.latency is None or budget.against is None:
        return
    latencies = {r.id: seconds for r in report.runtimes if (seconds := r.timings_s.get("per_sample"))}
    base = latencies.pop(budget.against, None)
    for runtime, seconds in latencies.items():
        if base and budget.where.takes_runtime(runtime):
            times, limit = seconds / base, budget.latency
            yield Held(budget, "latency", times, limit, times > limit, runtime=runtime, seconds=(seconds, base))
