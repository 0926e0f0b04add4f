"""Holds the checked configuration: models, tolerances, budgets, severities, known divergences, the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..gate import OutputLimits
from ..gate.budgets import Budget
from ..gate.policy import Known, Selector


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
