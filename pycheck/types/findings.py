"""Findings, severities and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from .names import RuntimeId


class NanPolicy(StrEnum):
    """The effect of a non-finite divergence."""

    FAIL = "fail"
    WARN = "warn"
    IGNORE = "ignore"


class Severity(StrEnum):
    """The importance of a finding; only an error fails the gate."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One explained fact.

    `runtimes` are those that it is about; empty when it is about none in particular. `explained_by` has the codes of
    findings that explain it: these have the advice, and this one has none. Evidence that is not the same on all
    runtimes is in `evidence["by_runtime"]`.
    """

    code: str
    severity: Severity
    summary: str
    advice: str
    runtimes: tuple[RuntimeId, ...] = ()
    tensor: str | None = None
    layer: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    explained_by: tuple[str, ...] = ()

    @property
    def page(self) -> str:
        """Return the address of the page about its code; ``pycheck explain CODE`` prints the same."""
        return f"docs/findings/{self.code}.md"


_BY_RUNTIME = "by_runtime"


def apart(found: Finding) -> list[Finding]:
    """Return one finding for each runtime, with the evidence of that runtime; itself if it is about none."""
    shared = {key: value for key, value in found.evidence.items() if key != _BY_RUNTIME}
    own = found.evidence.get(_BY_RUNTIME, {})
    parts = [replace(found, runtimes=(r,), evidence={**shared, **own.get(str(r), {})}) for r in found.runtimes]
    return parts or [found]


def together(findings: Sequence[Finding]) -> Finding:
    """Return findings that differ in runtimes and evidence alone as one; the reverse of `apart`."""
    if len(findings) == 1:
        return findings[0]
    first, *others = (found.evidence for found in findings)
    shared = {k: v for k, v in first.items() if all(k in other and other[k] == v for other in others)}
    own = {
        str(runtime): {key: value for key, value in found.evidence.items() if key not in shared}
        for found in findings
        for runtime in found.runtimes
    }
    evidence = {**shared, _BY_RUNTIME: own} if any(own.values()) else shared
    return replace(findings[0], runtimes=tuple(r for found in findings for r in found.runtimes), evidence=evidence)


class Verdict(StrEnum):
    """The answer to the question: may this be released?"""

    PASS = "pass"
    DRIFT = "drift"
    NAN_DIVERGENCE = "nan_divergence"
    ERROR = "error"
