"""Reading of settings files, pycheck.toml or pyproject.toml, with the line of each setting."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..errors import UsageError

NAME = "pycheck.toml"
_PYPROJECT, _TABLE = "pyproject.toml", ("tool", "pycheck")

#: The place of a value: names of tables and keys, and indices of arrays of tables.
Path_ = tuple[str | int, ...]

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=")
_TRIPLE = re.compile(r"\"\"\"|'''")


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """One file. `table` is pycheck's part of it; `lines` has the line of each key, counted from 1."""

    path: Path
    table: Mapping[str, Any]
    lines: Mapping[Path_, int] = field(default_factory=dict)

    def place(self, *keys: str | int) -> str:
        """Name the place of a key: ``pycheck.toml:12: samples``; a key without a line has that of its table."""
        known = next((line for n in range(len(keys), 0, -1) if (line := self.lines.get(keys[:n]))), None)
        names = [str(key) for key in keys if isinstance(key, str)]
        where = f"{self.path}:{known}" if known else str(self.path)
        return f"{where}: {'.'.join(names)}" if names else where

    def typed(self, keys: Path_, value: Any, kind: Any) -> Any:
        """Convert the value to a `kind`; UsageError names the place."""
        try:
            return _adapter(kind).validate_python(value)
        except ValidationError as error:
            raise UsageError(f"{self.place(*keys)}: {_wrong(error)}; the value is {value!r}.") from error

    def unknown(self, keys: Path_, known: Iterable[str]) -> UsageError:
        """Return the error for an unknown key."""
        return UsageError(f"{self.place(*keys)}: unknown setting {keys[-1]!r}.", nearest(str(keys[-1]), known))


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Return pydantic's check of a type; to make one takes longer than to use it."""
    return TypeAdapter(kind)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the advice for an unknown word: the nearest known one, or all of them."""
    names = list(known)
    near = difflib.get_close_matches(word, names, n=1)
    return f"Did you mean {near[0]}?" if near else f"Use one of {', '.join(names)}."


def find(folder: Path) -> SettingsFile | None:
    """Find pycheck.toml in a folder, or [tool.pycheck] in its pyproject.toml, or those of the nearest folder above.

    None if there is none up to the root. The path is relative if the folder is relative and has the file. A file names
    programs to start and code to import, so a file above that belongs to a different user, or cannot be read, is
    ignored.
    """
    for place in (folder, *folder.absolute().parents):
        for name in (NAME, _PYPROJECT):
            path = place / name
            with suppress(OSError):  # a folder without permission
                if not path.is_file() or (name == _PYPROJECT and not _mentions_us(path)):
                    continue
                if (place is folder or _is_trusted(path, folder)) and (file := read(path)).table:
                    return file
    return None


def _is_trusted(path: Path, folder: Path) -> bool:
    """Tell whether a file is readable and belongs to the user, to root, or to the owner of the working folder.

    A link to the file must belong to one of these too.
    """
    if not os.access(path, os.R_OK):
        return False
    if not hasattr(os, "getuid"):  # Windows, where no parent folder is writable by all users
        return True
    trusted = (os.getuid(), 0, folder.stat().st_uid)
    return path.stat().st_uid in trusted and path.lstat().st_uid in trusted


def _mentions_us(path: Path) -> bool:
    """Tell whether a project's file has a table of pycheck's; other files are ignored."""
    try:
        return b"pycheck" in path.read_bytes()
    except OSError:
        return False


def read(path: Path) -> SettingsFile:
    """Read one settings file; UsageError if it cannot be read or is not TOML."""
    try:
        text = path.read_text(encoding="utf-8")
        table: Any = tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise UsageError(f"Cannot read {path}: {getattr(error, 'strerror', None) or error}.") from error
    prefix = _TABLE if path.name == _PYPROJECT else ()
    for key in prefix:
        table = table.get(key, {})
        if not isinstance(table, dict):
            raise UsageError(f"{path}: {key} must be a table, and is {table!r}.", "Write [tool.pycheck].")
    lines = {keys[len(prefix) :]: line for keys, line in _lines(text).items() if keys[: len(prefix)] == prefix}
    return SettingsFile(path, table, lines)


def _wrong(error: ValidationError) -> str:
    """Return the error of a value, and its place within the value."""
    first = error.errors()[0]
    inside = [str(part) for part in first["loc"] if not isinstance(part, str) or "[" not in part]
    return f"{'.'.join(inside)}: {first['msg']}" if len(inside) > 1 else str(first["msg"])


def _lines(text: str) -> dict[Path_, int]:
    """Return the line of every key and table header, because the TOML parser does not keep them.

    A key within an inline table has the line of the key of that table.
    """
    lines: dict[Path_, int] = {}
    counts: dict[Path_, int] = {}
    table: Path_ = ()
    inside = ""  # the quotes of a multi-line text
    for number, line in enumerate(text.splitlines(), 1):
        if inside:
            inside = "" if line.count(inside) % 2 else inside
            continue
        if header := _HEADER.match(line):
            table = _resolved(_split(header[2]), counts, is_array=header[1] == "[[")
            lines.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            names = _split(assignment[1])
            for count in range(1, len(names) + 1):
                lines.setdefault((*table, *names[:count]), number)
        quotes = _TRIPLE.search(line)
        if quotes and line.count(quotes[0]) % 2:
            inside = quotes[0]
    return lines


def _resolved(names: tuple[str, ...], counts: dict[Path_, int], *, is_array: bool) -> Path_:
    """Return a header's names with the index of the current table in each array of tables."""
    path: Path_ = ()
    for position, name in enumerate(names, 1):
        path = (*path, name)
        if is_array and position == len(names):
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(key[1:-1] if key[0] in "\"'" else key for key in re.findall(_KEY, dotted))
