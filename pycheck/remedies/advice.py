"""Updates the advice of findings after fixes were tried: adds those that work, removes those without effect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..types import Finding, Remedy, Severity

#: The kinds of fixes that the advice of each finding names.
_ADVISED = {
    "conversion-drift": ("conversion",),
    "output-pairing": ("pairing",),
    "quantization-drift": ("tensors", "quantization", "conversion"),
    "resize-alignment": ("format", "conversion"),
    "artifact-unsupported": ("conversion",),
    "f16-underflow": ("epsilon",),
    "epsilon-mismatch": ("epsilon",),
    "f16-overflow": ("inputs",),
    "input-scale": ("inputs",),
}
#: Findings whose advice names more than these fixes. The advice stays if the fix has no effect.
_ADVISES_MORE = frozenset({"artifact-unsupported", "output-pairing"})


def advised(findings: Iterable[Finding], remedies: Sequence[Remedy]) -> tuple[Finding, ...]:
    """Return the findings with the result of their fix; errors of a fixed runtime name the fix."""
    return tuple(_advised(finding, remedies) for finding in findings)


def _advised(finding: Finding, remedies: Sequence[Remedy]) -> Finding:
    about = [r for r in remedies if (not finding.runtimes or r.runtime in finding.runtimes) and r.after is not None]
    kinds = _ADVISED.get(finding.code, ())
    same = [remedy for remedy in about if remedy.kind in kinds]
    proven = [remedy for remedy in same if remedy.worked]
    if proven and finding.code == "output-pairing":
        return finding  # its advice consists of these options
    if proven:
        return replace(finding, advice=f"This fix works: {_named(proven[0])}.")
    if same and finding.code not in _ADVISES_MORE:
        tried = f"This fix was tried and does not help: {same[0].change}."
        cures = [remedy for remedy in about if remedy.worked]
        instead = f" This fix works: {_named(cures[0])}." if cures else ""
        return replace(finding, advice=tried + instead)
    if finding.explained_by:
        return finding  # the finding that explains it has the advice
    cures = [remedy for remedy in about if remedy.worked and _mends(remedy, about, finding)]
    if finding.severity is Severity.ERROR and finding.runtimes and cures:
        return replace(finding, advice=f"This fix works: {_named(cures[0])}. {finding.advice}")
    return finding


def _mends(remedy: Remedy, others: Iterable[Remedy], finding: Finding) -> bool:
    """Tell whether the same change works on every runtime of a finding."""
    return {r.runtime for r in others if r.worked and r.change == remedy.change} >= set(finding.runtimes)


def _named(remedy: Remedy) -> str:
    if remedy.kind == "flags":
        return " ".join(remedy.options)
    if remedy.kind == "conversion":
        return f"{remedy.change}, {remedy.note}"
    return f"{remedy.change} ({' '.join(remedy.options)})" if remedy.options else remedy.change
