"""One explained fact, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .names import RuntimeId


class NanPolicy(StrEnum):
    """What a non-finite divergence does."""

    FAIL = "fail"
    WARN = "warn"
    IGNORE = "ignore"


class Severity(StrEnum):
    """How much a finding matters; only an error fails the gate."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One explained fact.

    `runtimes` are those that it is about; empty when it is about none in particular. `explained_by` has the codes of
    findings that explain it: these have the advice, and this one has none.
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
        """Where its code is explained; ``pycheck explain CODE`` prints the same."""
        return f"docs/findings/{self.code}.md"


class Verdict(StrEnum):
    """The answer to: may this be released?"""

    PASS = "pass"
    DRIFT = "drift"
    NAN_DIVERGENCE = "nan_divergence"
    ERROR = "error"
