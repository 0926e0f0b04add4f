"""Decides whether a model can move from TF.js to LiteRT.js: for each pair of runtimes, then for all of them.

A pair can move if its LiteRT.js runtime ran to its end, each output is within its tolerance of Python, and no finding
about it is an error. TF.js's own result is no condition: a model that only LiteRT.js runs right can move. Sizes and
times are no condition either; the report shows them. The decision is `unknown` if the LiteRT.js runtime could not
start here or did not answer in time, since that says nothing about the model.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..types import (
    Decision,
    Finding,
    Migration,
    QuantizedVariant,
    Report,
    RuntimeId,
    RuntimePair,
    RuntimeStatus,
    Severity,
)

#: States of a runtime that say nothing about the model.
_NOT_HERE = (RuntimeStatus.UNAVAILABLE, RuntimeStatus.TIMED_OUT)


def decide_pair(report: Report, tfjs: RuntimeId, litert: RuntimeId) -> RuntimePair:
    """Decide about one pair; `report` has no record of a LiteRT.js runtime for which the model cannot be converted."""
    status = {record.id: record.status for record in report.runtimes}.get(litert)
    codes = tuple(dict.fromkeys(finding.code for finding in _errors_about(report, litert)))
    if status in _NOT_HERE:
        return RuntimePair(tfjs, litert, Decision.UNKNOWN, codes)
    return RuntimePair(tfjs, litert, Decision.MOVE if _passes_on(report, litert) else Decision.STAY, codes)


def judge_variant(quantization: str, report: Report, runtimes: Sequence[RuntimeId]) -> QuantizedVariant:
    """Find the runtimes on which the model with quantized weights passes."""
    return QuantizedVariant(quantization, report, passed=tuple(r for r in runtimes if _passes_on(report, r)))


def _passes_on(report: Report, runtime: RuntimeId) -> bool:
    """Tell whether a runtime ran to its end, all of its outputs pass, and no finding about it is an error."""
    ran = any(record.id == runtime and record.status is RuntimeStatus.OK for record in report.runtimes)
    own = [c for c in report.comparisons if c.candidate == runtime]
    return ran and bool(own) and not any(c.failed for c in own) and not _errors_about(report, runtime)


def _errors_about(report: Report, runtime: RuntimeId) -> tuple[Finding, ...]:
    """Return the errors about a runtime, and those about the model as a whole."""
    return tuple(
        finding
        for finding in report.findings
        if finding.severity is Severity.ERROR and (not finding.runtimes or runtime in finding.runtimes)
    )


def decide_migration(pairs: Sequence[RuntimePair]) -> Decision:
    """Decide about all pairs: `move` only if every pair can; `unknown` only if nothing is known about any."""
    found = {pair.decision for pair in pairs}
    if len(found) == 1:
        return found.pop()
    return Decision.PARTLY if Decision.MOVE in found else Decision.STAY


def smallest_that_passes(
    report: Report, variants: Sequence[QuantizedVariant], movable: Collection[RuntimeId]
) -> str | None:
    """Return the quantization of the smallest file that passes on all runtimes that can move; None if none can."""
    if not movable or report.litert_artifact is None:
        return None
    sizes = {"none": report.litert_artifact.size_bytes}
    sizes |= {v.quantization: v.artifact.size_bytes for v in variants if v.artifact and set(movable) <= set(v.passed)}
    return min(sizes, key=lambda quantization: sizes[quantization])


def migration_exit_code(migration: Migration) -> int:
    """Return 0 if every runtime can move, 1 if one cannot, and 3 if one is not known and all others can."""
    if migration.can_move:
        return 0
    return 1 if any(pair.decision is Decision.STAY for pair in migration.pairs) else 3
