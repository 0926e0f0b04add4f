"""Describes a check by what determines its results, so that every machine that runs a part of it can be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..options.table import BY_NAME, OPTIONS
from ..options.values import Options
from ..report.codec import encode
from ..system.cache import content_key
from ..types import NanPolicy, Report, VariantFailure
from .configuration import Configuration
from .variants import Variant

#: The result of a variant before it is judged: its report, or the reason why it has none.
Outcome = Report | VariantFailure

#: The sections of the configuration that judge results. They may change after a run.
_JUDGES = ("budgets", "severity", "known", "baseline")
#: The options of a machine: where and when something runs, and not what it answers.
_OF_A_MACHINE = (
    "timeout_s", "browser_path", "connect", "cache", "cache_dir", "fresh", "recheck", "save_run", "shard", "dask",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One variant: what the judge needs of it, and the options that determine its results, as text.

    `accepted_as` is its name in the baseline. `timed` says that it runs without others at the same time.
    """

    name: str
    accepted_as: str
    nan: NanPolicy
    timed: bool
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Scope:
    """A whole check: all of its variants in order, whichever machine runs them.

    `whole` is True if these are all variants of the configuration, each on all of its runtimes. `settings` are the
    digests of those keys of the configuration that determine results. `command` runs the check; it may differ between
    machines in options that do not.
    """

    command: str = field(compare=False)
    whole: bool
    settings: Mapping[str, str]
    rows: tuple[Row, ...]


def scope_of(config: Configuration, variants: Sequence[Variant], *, whole: bool, command: str) -> Scope:
    """Describe a check of these variants."""
    plain = Options()
    rows = tuple(_row(config, variant, plain) for variant in variants)
    return Scope(command, whole, settings_of(config), rows)


def settings_of(config: Configuration) -> dict[str, str]:
    """Return the digest of each key of the configuration that determines results."""
    skipped = {*_JUDGES, *(BY_NAME[name].setting for name in _OF_A_MACHINE)}
    return {key: content_key(value)[:16] for key, value in sorted(config.table.items()) if key not in skipped}


def is_timed(config: Configuration, variant: str) -> bool:
    """Tell whether a budget limits the latency of a variant, which then runs without others at the same time."""
    return any(b.latency is not None and b.where.takes_variant(variant) for b in config.budgets)


def _row(config: Configuration, variant: Variant, plain: Options) -> Row:
    options = variant.options
    values = {"model": variant.entry.path, "inputs": variant.entry.inputs}
    names = [option.name for option in OPTIONS if option.name not in _OF_A_MACHINE]
    values |= {name: value for name in names if (value := getattr(options, name)) != getattr(plain, name)}
    texts = {name: _text(value, config.folder) for name, value in values.items() if value is not None}
    return Row(variant.name, variant.accepted_as, options.nan, is_timed(config, variant.name), texts)


def _text(value: Any, folder: Path) -> str:
    """Format a value with its paths relative to the configuration: machines have it in different folders."""
    if isinstance(value, Path):
        return str(value.relative_to(folder)) if value.is_relative_to(folder) else str(value)
    text = value if isinstance(value, str) else json.dumps(encode(value))
    return text.removeprefix(f"{folder}/")
