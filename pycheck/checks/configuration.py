"""What a check is told, checked: models, tolerances, budgets, severities, known divergences, the baseline."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..gate import OutputLimits
from ..types import Finding, RuntimeId


@dataclass(frozen=True, slots=True)
class Selector:
    """Which variants, runtimes and outputs an entry is about; * stands for anything."""

    model: str = "*"
    runtime: str = "*"
    output: str = "*"

    def takes_variant(self, variant: str) -> bool:
        """Whether it is about a variant: its pattern may be of that, or of the model, which is up to the first /."""
        return fnmatchcase(variant, self.model) or fnmatchcase(variant.partition("/")[0], self.model)

    def takes_runtime(self, runtime: RuntimeId) -> bool:
        """Whether it is about a runtime."""
        return fnmatchcase(str(runtime), self.runtime)

    def takes_output(self, output: str) -> bool:
        """Whether it is about an output."""
        return fnmatchcase(output, self.output)

    def takes(self, finding: Finding) -> bool:
        """Whether a finding is about nothing but what this selects."""
        fits = all(map(self.takes_runtime, finding.runtimes)) if finding.runtimes else self.runtime == "*"
        return fits and (self.output == "*" if finding.tensor is None else self.takes_output(finding.tensor))


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model. `settings` are its own, as the options read them; paths are as they are opened."""

    name: str
    path: Path
    inputs: Path | None
    formats: tuple[str, ...]
    quantizations: tuple[str, ...]
    releases: tuple[str, ...]  # of TF.js: versions and folders
    settings: Mapping[str, Any]
    place: str


@dataclass(frozen=True, slots=True)
class ToleranceEntry:
    """Limits of what it selects."""

    where: Selector
    limits: OutputLimits
    place: str


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits beyond the tolerance; None where there is none. `latency` is relative to the runtime `against`."""

    where: Selector
    place: str
    max_abs_error: float | None = None
    rms_error: float | None = None
    max_ulp_error: float | None = None
    error_of_scale: float | None = None
    top1_agreement: float | None = None
    artifact_bytes: int | None = None
    latency: float | None = None
    against: RuntimeId | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A divergence that is accepted up to and on the day `expires`."""

    code: str
    reason: str
    expires: datetime.date
    where: Selector
    place: str


@dataclass(frozen=True, slots=True)
class BaselineSettings:
    """Where the baseline lies; `named` is whether the configuration says so. The margins are those of keys.py."""

    file: Path
    named: bool = False
    margin: float = 2.0
    top1_margin: float = 0.0


@dataclass(frozen=True, slots=True)
class Configuration:
    """One file. `settings` are the common ones, for every model."""

    file: Path
    models: tuple[ModelEntry, ...]
    settings: Mapping[str, Any]
    baseline: BaselineSettings
    tolerances: tuple[ToleranceEntry, ...] = ()
    budgets: tuple[Budget, ...] = ()
    severity: Mapping[str, str] = field(default_factory=dict)  # code to one of LEVELS
    known: tuple[Known, ...] = ()

    @property
    def folder(self) -> Path:
        """What its paths are relative to."""
        return self.file.parent
