"""The checked configuration: models, tolerances, budgets, severities, known divergences, the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..gate import OutputLimits
from ..gate.budgets import Budget
from ..gate.policy import Known, Selector
from ..setup.releases import Release


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model. `settings` are its own, as the options read them; paths can be opened from the current folder.

    `places` are those of formats and quantizations, of the model or of all models.
    """

    name: str
    path: Path
    inputs: Path | None
    formats: tuple[str, ...]
    quantizations: tuple[str, ...]
    releases: tuple[Release, ...]
    settings: Mapping[str, Any]
    place: str
    places: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ToleranceEntry:
    """The limits for the outputs and runtimes that it selects."""

    where: Selector
    limits: OutputLimits
    place: str


@dataclass(frozen=True, slots=True)
class BaselineSettings:
    """The path of the baseline; `named` says whether the configuration gives it. keys.py explains the margins."""

    file: Path
    named: bool = False
    margin: float = 2.0
    top1_margin: float = 0.0


@dataclass(frozen=True, slots=True)
class Configuration:
    """One configuration file. `settings` apply to every model; `table` is the content of the file."""

    file: Path
    models: tuple[ModelEntry, ...]
    settings: Mapping[str, Any]
    baseline: BaselineSettings
    tolerances: tuple[ToleranceEntry, ...] = ()
    budgets: tuple[Budget, ...] = ()
    severity: Mapping[str, str] = field(default_factory=dict)  # code to one of LEVELS
    known: tuple[Known, ...] = ()
    table: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Return the folder that its paths are relative to."""
        return self.file.parent
