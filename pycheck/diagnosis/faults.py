"""Finds operations of an artifact that TF.js does not support, ignores or computes differently."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from ..types import ArtifactFault, Finding, RuntimeId, RuntimeStatus, Severity
from .case import Case, Rule, listed
from .codes import finding

_MOST_NAMED = 5


def concerns(fault: ArtifactFault, runtime: RuntimeId) -> bool:
    """Tell whether a fault is about the backend of this runtime."""
    if runtime.engine in ("native", "artifact") or runtime.is_litert:
        return False
    return not fault.backends or runtime.kind.removesuffix("-f16") in fault.backends


def _concerned(case: Case, fault: ArtifactFault) -> list[RuntimeId]:
    """Return the runtimes whose backend has the fault, without those on which the CPU ran the kernel instead."""
    moved = {r.id: r.environment.cpu_kernels for r in case.runtimes if r.environment}
    return [r.id for r in case.runtimes if concerns(fault, r.id) and fault.op not in moved.get(r.id, ())]


def _failing(case: Case) -> set[RuntimeId]:
    failed = {record.id for record in case.runtimes if record.status is RuntimeStatus.FAILED}
    failed |= {comparison.candidate for comparison in case.candidates if comparison.passed is False}
    return {runtime for runtime in failed if runtime.engine not in ("native", "artifact")}


def _explains(case: Case, faults: Sequence[ArtifactFault], all_concerned: Collection[RuntimeId]) -> list[RuntimeId]:
    """Return the failing runtimes whose failure these faults of the same backends explain.

    All runtimes with the fault must fail, and each failing runtime must have a fault (`all_concerned`). A fault that
    stops every runtime that has it explains that by itself.
    """
    concerned, failing = _concerned(case, faults[0]), _failing(case)
    stopped = {record.id for record in case.runtimes if record.status is RuntimeStatus.FAILED}
    stops = stopped.issuperset(concerned) and not faults[0].broken
    is_all = set(concerned) == failing or (bool(faults[0].backends) and failing <= set(all_concerned))
    if not failing.issuperset(concerned) or not (
        is_all or (stops and (faults[0].backends or set(concerned) == stopped))
    ):
        return []
    return concerned


def known_fault(findings: Iterable[Finding], place: str, runtime: RuntimeId) -> Finding | None:
    """Return the finding of `artifact_faults` about this layer or node on this runtime."""
    return next((f for f in findings if _is_about(f, place, runtime)), None)


def without_traced(findings: Collection[Finding], traced: Collection[Finding]) -> tuple[Finding, ...]:
    """Remove known kernels that a trace reports itself; a kernel that it does not confirm is not a cause."""
    sources = {(f.tensor, r) for f in traced if f.tensor and f.severity is Severity.ERROR for r in f.runtimes}
    kept = [f for f in findings if not any(p and _is_about(f, p, r) for p, r in sources)]
    where = {runtime for _, runtime in sources}
    return tuple(_unconfirmed(f) if where.intersection(f.runtimes) else f for f in kept)


def _unconfirmed(finding: Finding) -> Finding:
    """Weaken the finding of a broken kernel that a trace found not to be the source."""
    effect = str(finding.evidence.get("effect", ""))
    if finding.code != "broken-kernel" or not effect:
        return finding
    evidence = {**finding.evidence, "effect": ""}
    return replace(finding, severity=Severity.INFO, summary=finding.summary.removesuffix(effect), evidence=evidence)


def _is_about(finding: Finding, place: str, runtime: RuntimeId) -> bool:
    places = finding.evidence.get("places", ())
    return finding.code == "broken-kernel" and place in places and runtime in finding.runtimes


def artifact_faults(case: Case) -> Iterator[Finding]:
    """Find artifact-unsupported and broken-kernel: faults of the backends that ran, with all their places.

    Faults with the same advice on the same runtimes are one finding; each broken kernel is one of its own.
    """
    groups = _alike(case)
    all_concerned = _that_all_fail(case, groups)
    explained = [_explains(case, faults, all_concerned) for faults in groups]
    causes = [faults for faults, wrong in zip(groups, explained, strict=True) if wrong]
    for faults, wrong in zip(groups, explained, strict=True):
        fault, concerned, clauses = faults[0], _concerned(case, faults[0]), _clauses(faults)
        effect = _effect(case, wrong, len(clauses), sum(len(_clauses(f)) for f in causes if _overlap(case, f, faults)))
        what = [_fault(clause) for clause in clauses]
        yield finding(
            "broken-kernel" if fault.broken else "artifact-unsupported",
            Severity.ERROR if wrong else Severity.INFO if fault.broken else Severity.WARNING,
            runtimes=concerned,
            tensor=fault.name if len(faults) == 1 else None,
            layer=None,
            summary=f"{'; '.join(f'{_places(c)}: {w}' for c, w in zip(clauses, what, strict=True))}.{effect}",
            advice=fault.cure,
            evidence={
                "fault": "; ".join(what),
                "op": ", ".join(_operations(faults)),
                "places": [f.name for f in faults],
                "given": [f.given for f in faults],
                "backends": list(fault.backends),
                "effect": effect,
            },
        )


def _alike(case: Case) -> list[list[ArtifactFault]]:
    """Group the faults of runtimes that ran by finding."""
    groups: dict[tuple[object, ...], list[ArtifactFault]] = {}
    for fault in case.evidence.faults:
        if concerned := _concerned(case, fault):
            own = (fault.op, fault.fault, fault.backends) if fault.broken else (fault.cure,)
            groups.setdefault((*concerned, *own), []).append(fault)
    return list(groups.values())


def _that_all_fail(case: Case, groups: Sequence[Sequence[ArtifactFault]]) -> set[RuntimeId]:
    """Return the runtimes with a fault all of whose runtimes fail."""
    failing = _failing(case)
    concerned = [set(_concerned(case, faults[0])) for faults in groups]
    return {runtime for runtimes in concerned if runtimes <= failing for runtime in runtimes}


def _overlap(case: Case, one: Sequence[ArtifactFault], other: Sequence[ArtifactFault]) -> bool:
    return not set(_concerned(case, one[0])).isdisjoint(_concerned(case, other[0]))


def _clauses(faults: Sequence[ArtifactFault]) -> list[list[ArtifactFault]]:
    """Group the faults by text; the operations without a kernel in one backend are one clause."""
    clauses: dict[tuple[str, str], list[ArtifactFault]] = {}
    for fault in faults:
        key = (fault.fault.removesuffix(fault.op), "") if fault.lacking else (fault.fault, fault.op)
        clauses.setdefault(key, []).append(fault)
    return list(clauses.values())


def _fault(clause: Sequence[ArtifactFault]) -> str:
    """Return the fault: ``TF.js's wasm backend has no kernel for RFFT and Real``."""
    fault = clause[0]
    return f"{fault.fault.removesuffix(fault.op)}{listed(_operations(clause))}" if fault.lacking else fault.fault


def _operations(faults: Sequence[ArtifactFault]) -> list[str]:
    return list(dict.fromkeys(fault.op for fault in faults))


def _places(clause: Sequence[ArtifactFault]) -> str:
    """Name the places: ``conv (Conv2D, groups=2)``, ``a, b and 3 more (Cast)``, ``a (RFFT) and b (Real)``."""
    operations = _operations(clause)
    parts = [_of_operation([fault for fault in clause if fault.op == op]) for op in operations[:_MOST_NAMED]]
    if len(operations) > _MOST_NAMED:
        parts.append(f"{sum(fault.op in operations[_MOST_NAMED:] for fault in clause)} more")
    return listed(parts)


def _of_operation(faults: Sequence[ArtifactFault]) -> str:
    given = dict.fromkeys(fault.given for fault in faults if fault.given)
    of = ", ".join([faults[0].op, *([next(iter(given))] if len(given) == 1 else [])])
    names = [fault.name for fault in faults[:_MOST_NAMED]]
    if len(faults) > _MOST_NAMED:
        names.append(f"{len(faults) - _MOST_NAMED} more")
    return f"{listed(names)} ({of})"


def _effect(case: Case, wrong: Sequence[RuntimeId], own: int, causes: int) -> str:
    """Return a sentence on the effect of `own` faults; `causes` faults, including these, explain the same runtimes."""
    if not wrong:
        return ""
    failed = {record.id for record in case.runtimes if record.status is RuntimeStatus.FAILED}
    all_failed = failed.issuperset(wrong)
    symptom = f"the {'failure' if all_failed else 'difference'} on {listed(wrong)}"
    subject = "This is" if own == 1 else "These are"
    if causes > own:
        explain = "explain" if all_failed else "may explain"
        which = "one" if own == 1 else str(own)
        return f" {subject} {which} of {causes} faults that {explain} {symptom}: fix all of them."
    return f" {subject} {'the cause' if all_failed else 'the likely cause'} of {symptom}."


RULES: tuple[Rule, ...] = (artifact_faults,)
