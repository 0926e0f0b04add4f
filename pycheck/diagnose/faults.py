"""Findings about what an artifact asks of TF.js that TF.js lacks, ignores or computes differently."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from ..types import ArtifactFault, Finding, RuntimeId, RuntimeStatus, Severity
from .case import Case, Rule, listed
from .codes import finding

_MOST_NAMED = 5


def concerns(fault: ArtifactFault, runtime: RuntimeId) -> bool:
    """Whether a fault is about the backend of this runtime."""
    if runtime.engine in ("native", "artifact") or "litert" in runtime.kind:
        return False
    return not fault.backends or runtime.kind.removesuffix("-f16") in fault.backends


def explained(case: Case, runtime: RuntimeId) -> bool:
    """Whether something in the artifact that this runtime's backend lacks or misreads explains that it did not run."""
    return any(concerns(fault, runtime) and not fault.broken for fault in case.evidence.faults)


def known_fault(findings: Iterable[Finding], place: str, runtime: RuntimeId) -> Finding | None:
    """The finding of `artifact_faults` about this layer or node on this runtime."""
    return next((f for f in findings if _is_about(f, place, runtime)), None)


def without_traced(findings: Collection[Finding], traced: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings, but for those about a kernel that a trace tells of, with its values."""
    seen = [(f.tensor, f.runtime) for f in traced if f.code == "broken-kernel" and f.tensor and f.runtime]
    return tuple(
        f for f in findings if not any(_is_about(f, str(tensor), runtime) for tensor, runtime in seen if runtime)
    )


def _is_about(finding: Finding, place: str, runtime: RuntimeId) -> bool:
    places, runtimes = finding.evidence.get("places", ()), finding.evidence.get("runtimes", ())
    return finding.code == "broken-kernel" and place in places and str(runtime) in runtimes


def artifact_faults(case: Case) -> Iterator[Finding]:
    """artifact-unsupported, broken-kernel: one finding for each fault of the backends that ran, with all its places."""
    moved = {r.id: r.environment.cpu_kernels for r in case.runtimes if r.environment}
    broken_off = {r.id for r in case.runtimes if r.status is RuntimeStatus.FAILED}
    failing = broken_off | {c.candidate for c in case.candidates if c.passed is False}
    for faults in _alike(case.evidence.faults):
        concerned = [
            record.id
            for record in case.runtimes
            if concerns(faults[0], record.id) and faults[0].op not in moved.get(record.id, ())
        ]
        if not concerned:
            continue
        wrong = [runtime for runtime in concerned if runtime in failing]
        fault = faults[0]
        yield finding(
            "broken-kernel" if fault.broken else "artifact-unsupported",
            Severity.ERROR if wrong else Severity.INFO if fault.broken else Severity.WARNING,
            runtime=concerned[0] if len(concerned) == 1 else None,
            tensor=fault.name if len(faults) == 1 else None,
            layer=None,
            summary=f"{_places(faults)}: {fault.fault}.{_effect(wrong, broken_off)}",
            advice=fault.cure,
            evidence={
                "fault": fault.fault,
                "op": fault.op,
                "places": [f.name for f in faults],
                "given": [f.given for f in faults],
                "backends": list(fault.backends),
                "runtimes": [str(runtime) for runtime in concerned],
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


def _effect(wrong: Sequence[RuntimeId], broken_off: set[RuntimeId]) -> str:
    if not wrong:
        return ""
    cause = "the cause of the failure" if broken_off.issuperset(wrong) else "the likely cause of the difference"
    return f" It is {cause} on {listed(wrong)}."


RULES: tuple[Rule, ...] = (artifact_faults,)
