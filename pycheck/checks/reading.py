"""Reads the configuration of a check from its file; an error names the line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..diagnosis.codes import CODES
from ..diagnosis.codes import nearest as nearest_code
from ..errors import UsageError
from ..gate import OutputLimits
from ..gate.budgets import Budget
from ..gate.policy import Known, Selector
from ..options.file import NAME, Path_, SettingsFile, find, nearest, read
from ..options.kinds import parse_size
from ..options.reading import from_file
from ..options.table import FORMATS, MADE, QUANTIZATIONS
from ..setup.releases import LITERT, TFJS, Library, Release, release_of
from ..types import RuntimeId
from . import keys
from .configuration import BaselineSettings, Configuration, ModelEntry, ToleranceEntry
from .keys import LEVELS, SECTIONS, Key

DEFAULT_BASELINE = "pycheck-baseline.toml"
_VERSIONS = {f"{library.key}_versions": library for library in (TFJS, LITERT)}


def load(path: Path | None = None) -> Configuration:
    """Read the configuration in a file, by default that of the current folder.

    UsageError names the line of a wrong entry, and the nearest valid name.
    """
    file = read(path) if path else find(Path())
    if file is None:
        raise UsageError(
            f"There is no {NAME} in this folder or above it, and no [tool.pycheck] in a pyproject.toml.",
            "Write one from the models in this folder with pycheck init, or name one with --config PATH.",
        )
    return _Reader(file).configuration()


class _Reader:
    """Reads the sections of one file."""

    def __init__(self, file: SettingsFile) -> None:
        self._file = file
        self._folder = file.path.parent

    def configuration(self) -> Configuration:
        settings = from_file(self._file)
        models = tuple(self._models())
        self._check_names(models)
        return Configuration(
            file=self._file.path,
            models=models,
            settings=settings,
            baseline=self._baseline(),
            tolerances=tuple(self._tolerances()),
            budgets=tuple(self._budgets()),
            severity=self._severity(),
            known=tuple(self._known()),
            table=self._file.table,
        )

    # --- models

    def _models(self) -> Iterator[ModelEntry]:
        common = {name: self._choices((name,), self._file.table, name) for name in keys.TOP}
        entries = self._entries("models")
        if not entries:
            raise UsageError(
                f"{self._file.path}: there are no [[models]].", 'Add [[models]] and below it path = "model.keras".'
            )
        for index, _ in enumerate(entries):
            at: Path_ = ("models", index)
            table = entries[index]
            own = {key: SECTIONS["models"][0][key].kind for key in SECTIONS["models"][0]}
            self._known_keys(at, table, {**dict.fromkeys(keys.MODEL_SETTINGS), **own})
            self._required(at, table, keys.MODEL)
            settings = from_file(self._file, at, own)
            path = self._folder / Path(settings.pop("path")).expanduser()
            inputs = settings.pop("inputs", None)
            name = settings.pop("name", path.parent.name if path.name == "model.json" else path.stem)
            for made in MADE if inputs else ():
                if made in settings:
                    raise UsageError(
                        f"{self._file.place(*at, made)}: {made} is for generated inputs, but this model has inputs.",
                        f"Remove {made} or inputs.",
                    )
            if not name or "/" in name or not name.isprintable():
                raise UsageError(f"{self._file.place(*at, 'name')}: the name {name!r} must be printable and without /.")
            chosen = {key: self._choices((*at, key), table, key) or common[key] for key in keys.TOP}
            for key in keys.TOP:
                settings.pop(key, None)
            yield ModelEntry(
                name=name,
                path=path,
                inputs=self._folder / Path(inputs).expanduser() if inputs else None,
                formats=chosen["formats"],
                quantizations=chosen["quantizations"],
                releases=tuple(Release(library, text) for key, library in _VERSIONS.items() for text in chosen[key]),
                settings=settings,
                place=self._file.place(*at),
                places={key: self._file.place(*(at if key in table else ()), key) for key in keys.TOP},
            )

    def _choices(self, at: Path_, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
        values: tuple[str, ...] = self._file.typed(at, table.get(key, []), keys.TOP[key].kind)
        if key in _VERSIONS:
            return tuple(dict.fromkeys(self._release(at, value, _VERSIONS[key]) for value in values))
        known = FORMATS if key == "formats" else QUANTIZATIONS
        for value in values:
            if value not in known:
                raise UsageError(f"{self._file.place(*at)}: {value!r} is unknown.", nearest(value, known))
        return tuple(dict.fromkeys(values))

    def _release(self, at: Path_, text: str, library: Library) -> str:
        folder = self._folder / Path(text).expanduser()
        try:
            release_of(found := str(folder) if folder.is_dir() else text, library)
        except UsageError as error:
            raise UsageError(f"{self._file.place(*at)}: {error.message}", error.advice) from error
        return found

    def _check_names(self, models: tuple[ModelEntry, ...]) -> None:
        seen: dict[str, ModelEntry] = {}
        for model in models:
            if other := seen.get(model.name):
                raise UsageError(
                    f"{model.place}: two models are called {model.name!r}, the other is {other.path} ({other.place}).",
                    'Set a different name for one of them: name = "..."',
                )
            seen[model.name] = model

    # --- tolerances, budgets, severities, known divergences

    def _tolerances(self) -> Iterator[ToleranceEntry]:
        for at, values in self._typed_entries("tolerances"):
            limits = OutputLimits(values.get("rtol"), values.get("atol"), values.get("max_ulp"))
            for name in ("rtol", "atol", "max_ulp"):
                self._at_least_0(at, name, values)
            yield ToleranceEntry(_selector(values), limits, self._file.place(*at))

    def _budgets(self) -> Iterator[Budget]:
        for at, values in self._typed_entries("budgets"):
            where = _selector(values)
            limits = {key: value for key, value in values.items() if key not in ("model", "runtime", "output")}
            for name in limits:
                if name not in ("artifact_size", "against"):
                    self._at_least_0(at, name, limits)
            if (share := limits.get("decisions_changed", 0.0)) > 1:
                place = self._file.place(*at, "decisions_changed")
                raise UsageError(f"{place}: {share:g} must be a share of the files, at most 1.")
            if not limits.keys() - {"against"}:
                raise UsageError(
                    f"{self._file.place(*at)}: the budget has no limit.", "Set a limit, such as max_abs_error = 1e-4"
                )
            if "artifact_size" in limits:
                limits["artifact_bytes"] = self._size(at, limits.pop("artifact_size"))
            if "latency" in limits and "against" not in limits:
                raise UsageError(
                    f"{self._file.place(*at, 'latency')}: against is missing, the runtime that latency is relative to.",
                    'Set a runtime of the same run, such as against = "chromium:wasm"',
                )
            if "against" in limits:
                limits["against"] = self._runtime(at, limits["against"])
            yield Budget(where, self._file.place(*at), **limits)

    def _known(self) -> Iterator[Known]:
        for at, values in self._typed_entries("known"):
            self._code((*at, "code"), values["code"])
            yield Known(values["code"], values["reason"], values["expires"], _selector(values), self._file.place(*at))

    def _severity(self) -> dict[str, str]:
        table = self._file.typed(("severity",), self._file.table.get("severity", {}), dict[str, Any])
        for code, level in table.items():
            self._code(("severity", code), code)
            if level not in LEVELS:
                advice = nearest(str(level), LEVELS)
                raise UsageError(f"{self._file.place('severity', code)}: {level!r} is not a severity.", advice)
        return dict(table)

    def _baseline(self) -> BaselineSettings:
        table = self._file.typed(("baseline",), self._file.table.get("baseline", {}), dict[str, Any])
        values = self._typed(("baseline",), table, keys.BASELINE)
        named = "file" in values
        path = self._folder / Path(values.pop("file", DEFAULT_BASELINE)).expanduser()
        self._at_least_0(("baseline",), "top1_margin", values)
        if "margin" in values and not 1 <= values["margin"] < math.inf:
            where = self._file.place("baseline", "margin")
            raise UsageError(f"{where}: the margin {values['margin']:g} must be at least 1.")
        return BaselineSettings(path, named, **values)

    # --- values

    def _entries(self, section: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]]
        entries = self._file.typed((section,), self._file.table.get(section, []), list[dict[str, Any]])
        return entries

    def _typed_entries(self, section: str) -> Iterator[tuple[Path_, dict[str, Any]]]:
        known = SECTIONS[section][0]
        for index, table in enumerate(self._entries(section)):
            at: Path_ = (section, index)
            self._required(at, table, known)
            yield at, self._typed(at, table, known)

    def _typed(self, at: Path_, table: Mapping[str, Any], known: Mapping[str, Key]) -> dict[str, Any]:
        self._known_keys(at, table, known)
        return {key: self._file.typed((*at, key), value, known[key].kind) for key, value in table.items()}

    def _known_keys(self, at: Path_, table: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        for key in table:
            if key not in known:
                raise self._file.unknown((*at, key), known)

    def _required(self, at: Path_, table: Mapping[str, Any], known: Mapping[str, Key]) -> None:
        for key, what in known.items():
            if what.required and key not in table:
                raise UsageError(f"{self._file.place(*at)}: {key} is missing.", f"{key} ({what.shown}): {what.text}")

    def _at_least_0(self, at: Path_, name: str, values: Mapping[str, Any]) -> None:
        if name in values and not values[name] >= 0:
            raise UsageError(f"{self._file.place(*at, name)}: {values[name]:g} must be at least 0.")

    def _size(self, at: Path_, text: int | str) -> int:
        try:
            return parse_size(text)
        except ValueError as error:
            raise UsageError(f"{self._file.place(*at, 'artifact_size')}: {text!r}: {error}") from error

    def _runtime(self, at: Path_, text: str) -> RuntimeId:
        try:
            return RuntimeId.parse(text)
        except ValueError as error:
            raise UsageError(f"{self._file.place(*at, 'against')}: {error}") from error

    def _code(self, at: Path_, code: str) -> None:
        if code not in CODES:
            near = nearest_code(code)
            advice = f"The nearest: {', '.join(near)}." if near else "pycheck explain lists them all."
            raise UsageError(f"{self._file.place(*at)}: no finding has the code {code!r}.", advice)


def _selector(values: Mapping[str, Any]) -> Selector:
    return Selector(*(values.get(name, "*") for name in ("model", "runtime", "output")))
