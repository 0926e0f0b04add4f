"""Findings about what an artifact asks of TF.js that TF.js lacks, ignores or computes differently."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from ..types import ArtifactFault, Finding, RuntimeId, RuntimeStatus, Severity
from .case import Case, Rule, listed
from .codes import finding

_MOST_NAMED = 5


def concerns(fault: ArtifactFault, runtime: RuntimeId) -> bool:
    """Whether a fault is about the backend of this runtime."""
    if runtime.engine in ("native", "artifact") or "litert" in runtime.kind:
        return False
    return not fault.backends or runtime.kind.removesuffix("-f16") in fault.backends


def _concerned(case: Case, fault: ArtifactFault) -> list[RuntimeId]:
    """The runtimes whose backend has the fault, but for those where the CPU ran that kernel instead."""
    moved = {r.id: r.environment.cpu_kernels for r in case.runtimes if r.environment}
    return [r.id for r in case.runtimes if concerns(fault, r.id) and fault.op not in moved.get(r.id, ())]


def _failing(case: Case) -> set[RuntimeId]:
    failed = {record.id for record in case.runtimes if record.status is RuntimeStatus.FAILED}
    failed |= {comparison.candidate for comparison in case.candidates if comparison.passed is False}
    return {runtime for runtime in failed if runtime.engine not in ("native", "artifact")}


def _explains(case: Case, fault: ArtifactFault) -> list[RuntimeId]:
    """The failing runtimes whose failure a fault explains: all that it concerns fail, and no other one does.

    If all that it concerns did not run at all, others that ran and differ have a cause of their own.
    """
    concerned, failing = _concerned(case, fault), _failing(case)
    stopped = {record.id for record in case.runtimes if record.status is RuntimeStatus.FAILED}
    explains = set(concerned) == failing or (set(concerned) == stopped and not fault.broken)
    return concerned if concerned and explains else []


def known_fault(findings: Iterable[Finding], place: str, runtime: RuntimeId) -> Finding | None:
    """The finding of `artifact_faults` about this layer or node on this runtime."""
    return next((f for f in findings if _is_about(f, place, runtime)), None)


def without_traced(findings: Collection[Finding], traced: Collection[Finding]) -> tuple[Finding, ...]:
    """The findings without kernels that a trace tells of; one that it does not confirm is no cause."""
    sources = {(f.tensor, f.runtime) for f in traced if f.tensor and f.runtime and f.severity is Severity.ERROR}
    kept = [f for f in findings if not any(p and r and _is_about(f, p, r) for p, r in sources)]
    where = {str(runtime) for _, runtime in sources}
    return tuple(_unconfirmed(f) if where.intersection(f.evidence.get("runtimes", ())) else f for f in kept)


def _unconfirmed(finding: Finding) -> Finding:
    """A broken kernel that a trace found not to be the source."""
    effect = str(finding.evidence.get("effect", ""))
    if finding.code != "broken-kernel" or not effect:
        return finding
    evidence = {**finding.evidence, "effect": ""}
    return replace(finding, severity=Severity.INFO, summary=finding.summary.removesuffix(effect), evidence=evidence)


def _is_about(finding: Finding, place: str, runtime: RuntimeId) -> bool:
    places, runtimes = finding.evidence.get("places", ()), finding.evidence.get("runtimes", ())
    return finding.code == "broken-kernel" and place in places and str(runtime) in runtimes


def artifact_faults(case: Case) -> Iterator[Finding]:
    """artifact-unsupported, broken-kernel: one finding for each fault of the backends that ran, with all its places."""
    groups = _alike(case.evidence.faults)
    causes = sum(1 for faults in groups if _explains(case, faults[0]))
    for faults in groups:
        fault = faults[0]
        concerned = _concerned(case, fault)
        if not concerned:
            continue
        wrong = _explains(case, fault)
        effect = _effect(case, wrong, causes)
        yield finding(
            "broken-kernel" if fault.broken else "artifact-unsupported",
            Severity.ERROR if wrong else Severity.INFO if fault.broken else Severity.WARNING,
            runtime=concerned[0] if len(concerned) == 1 else None,
            tensor=fault.name if len(faults) == 1 else None,
            layer=None,
            summary=f"{_places(faults)}: {fault.fault}.{effect}",
            advice=fault.cure,
            evidence={
                "fault": fault.fault,
                "op": fault.op,
                "places": [f.name for f in faults],
                "given": [f.given for f in faults],
                "backends": list(fault.backends),
                "runtimes": [str(runtime) for runtime in concerned],
                "effect": effect,
            },
        )


def _alike(faults: Sequence[ArtifactFault]) -> list[list[ArtifactFault]]:
    groups: dict[tuple[str, str, tuple[str, ...]], list[ArtifactFault]] = {}
    for fault in faults:
        groups.setdefault((fault.op, fault.fault, fault.backends), []).append(fault)
    return list(groups.values())


def _places(faults: Sequence[ArtifactFault]) -> str:
    """``conv (Conv2D, groups=2)``, ``a, b and 3 more (Cast)``."""
    given = dict.fromkeys(fault.given for fault in faults if fault.given)
    of = ", ".join([faults[0].op, *([next(iter(given))] if len(given) == 1 else [])])
    names = [fault.name for fault in faults[:_MOST_NAMED]]
    if len(faults) > _MOST_NAMED:
        names.append(f"{len(faults) - _MOST_NAMED} more")
    return f"{listed(names)} ({of})"


def _effect(case: Case, wrong: Sequence[RuntimeId], causes: int) -> str:
    """Say of what a fault is the cause; `causes` faults explain the same runtimes."""
    if not wrong:
        return ""
    failed = {record.id for record in case.runtimes if record.status is RuntimeStatus.FAILED}
    all_failed = failed.issuperset(wrong)
    symptom = f"the {'failure' if all_failed else 'difference'} on {listed(wrong)}"
    if causes > 1:
        explain = "explain" if all_failed else "may explain"
        return f" It is one of {causes} faults that {explain} {symptom}: all of them have to go."
    return f" It is {'the cause' if all_failed else 'the likely cause'} of {symptom}."


RULES: tuple[Rule, ...] = (artifact_faults,)
