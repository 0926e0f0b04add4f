"""Combines options: those of the call, the environment, pycheck.toml or [tool.pycheck], and the defaults."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..errors import UsageError
from .file import Path_, SettingsFile, find, nearest
from .kinds import WrongValue
from .table import BY_NAME, BY_SETTING, OPTIONS, Option
from .values import Options, check, fitting

_PREFIX = "PYCHECK_"

#: Further keys of the file, which only pycheck check reads.
CHECK_KEYS = (
    "models", "formats", "quantizations", "tfjs_versions", "litert_versions", "tolerances", "budgets", "severity",
    "known", "baseline",
)  # fmt: skip


def build(
    given: Mapping[str, Any],
    *,
    beneath: Mapping[str, Any] | None = None,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
    has_inputs: bool = False,
    command: str = "",
) -> Options:
    """Build options from those of the call by name (None: not given), and from the levels below.

    `beneath` are options for several calls, such as those of a mark of pytest. `has_inputs` says that the call has
    inputs, so that none are generated. UsageError names the value, its place, and the nearest valid one.
    """
    file = find(folder or Path())
    settings = from_file(file) if file else {}
    return layered(settings, given, beneath=beneath, environ=environ, has_inputs=has_inputs, command=command)


def layered(
    settings: Mapping[str, Any],
    given: Mapping[str, Any],
    *,
    beneath: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    has_inputs: bool = False,
    command: str = "",
) -> Options:
    """Build options from the settings of `from_file`, the environment, and those of the call."""
    asked = {name for name, value in given.items() if value is not None}
    values = fitting(named(settings, given, beneath=beneath, environ=environ), asked)
    options = Options(**values, named=frozenset(values), command=command)
    check(options, asked, has_inputs=has_inputs)
    return options


def named(
    settings: Mapping[str, Any],
    given: Mapping[str, Any],
    *,
    beneath: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return every option that a level sets, by name, with the value of the highest level; the parameters are those of
    `layered`.
    """
    environment = dict(_from_environment(os.environ if environ is None else environ))
    return {**settings, **environment, **_all_read(beneath or {}), **_all_read(given)}


def from_file(file: SettingsFile, keys: Path_ = (), more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the settings in a table of a file by name, by default its top level.

    `more` are further keys that it may have. The top level has the settings of every command; the table of a model has
    those that a model may have. UsageError for an unknown or invalid one names its line.
    """
    table: Any = file.table
    for key in keys:
        table = table[key]
    known = {option.setting: option for option in OPTIONS if (option.in_model if keys else option.in_file)}
    kinds = {name: option.kind.file for name, option in known.items()} | dict(more or {})
    skipped = () if keys else CHECK_KEYS
    settings = {}
    for key, value in table.items():
        if key in skipped:
            continue
        if key not in kinds:
            raise file.unknown((*keys, key), [*kinds, *skipped])
        typed = file.typed((*keys, key), value, kinds[key])
        if key not in known:
            settings[key] = typed
            continue
        option = known[key]
        try:
            settings[option.name] = option.kind.beside(file.path.parent, option.kind.read(typed))
        except WrongValue as wrong:
            told = f"{wrong.shown}: {wrong.problem}" if wrong.shown else wrong.problem
            raise UsageError(f"{file.place(*keys, key)}: {told}.", wrong.advice) from wrong
    return settings


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for variable, text in environ.items():
        if not variable.startswith(_PREFIX) or not text:  # an empty variable counts as not set
            continue
        if not (option := BY_SETTING.get(variable.removeprefix(_PREFIX).lower())):
            names = [_PREFIX + setting.upper() for setting in BY_SETTING]
            raise UsageError(f"{variable}: unknown setting.", nearest(variable, names))
        try:
            typed = TypeAdapter(option.kind.file).validate_python(option.kind.split(text))
            yield option.name, option.kind.read(typed)
        except ValidationError as error:
            raise UsageError(f"{variable}: {error.errors()[0]['msg']}; the value is {text!r}.") from error
        except WrongValue as wrong:
            raise UsageError(f"{variable}={text}: {wrong.problem}.", wrong.advice) from wrong


def _all_read(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: read(BY_NAME[name], value) for name, value in given.items() if value is not None}


def read(option: Option, value: Any) -> Any:
    """Convert the value that a call gave for an option; UsageError names the option and the value."""
    try:
        return option.kind.read(value)
    except WrongValue as wrong:
        shown = f" {wrong.shown}" if wrong.shown else ""
        raise UsageError(f"{option.option}{shown}: {wrong.problem}.", wrong.advice) from wrong
    except (TypeError, AttributeError, IndexError) as error:
        raise UsageError(f"{option.option} {value!r}: the type must be {option.kind.keyword}.") from error
