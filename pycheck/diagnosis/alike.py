"""Merges findings about an output that differ only in the runtime."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..types import Finding
from .case import listed

#: The summaries of these codes name the runtime so that a list of runtimes can replace it.
_OF_OUTPUTS = frozenset(
    {"accumulated-drift", "argmax-tie", "drift", "f16-overflow", "nan-introduced", "nan-masked", "nonfinite-changed",
     "shape-mismatch", "top1-flip"}
)  # fmt: skip


def told_once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Merge findings about an output that differ only in the runtime; the evidence is the first one's."""
    found: dict[object, Finding] = {}
    for number, finding in enumerate(findings):
        of_output = finding.code in _OF_OUTPUTS and finding.runtimes and "op" not in finding.evidence
        key = _without_runtimes(finding) if of_output else number
        found[key] = _both(found[key], finding) if key in found else finding
    return tuple(found.values())


def _without_runtimes(finding: Finding) -> object:
    words = finding.summary.replace(listed(finding.runtimes), "")
    return finding.code, finding.severity, finding.tensor, finding.layer, words, finding.advice, finding.explained_by


def _both(one: Finding, other: Finding) -> Finding:
    runtimes = (*one.runtimes, *other.runtimes)
    summary = one.summary.replace(listed(one.runtimes), listed(runtimes))
    return replace(one, runtimes=runtimes, summary=summary)
