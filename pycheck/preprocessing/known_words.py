"""Finds the words that the code of a side has as data: of these, and of those of the files, a vocabulary is made."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from numbers import Number
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

#: Methods and attributes with which libraries give the words of a tokenizer.
_VOCABULARIES = ("get_vocabulary", "get_vocab", "word_index", "vocab", "vocabulary")
#: Longer texts are sentences or code.
_MOST_CHARACTERS = 60
#: How deep data is looked into.
_MOST_DEPTH = 3
_QUOTED = re.compile(r"""'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`([^`]*)`""")
_KEY = re.compile(r"([\w$]+)\s*:")
_IMPORTED = re.compile(r"""(?:from|import)\s*\(?\s*['"](\.{1,2}/[^'"]+)['"]""")


def words_of_function(function: Callable[..., Any]) -> list[Sequence[str]]:
    """Return the words in each global variable, closure and default of a function and of what it calls."""
    values = _reached(inspect.unwrap(function), set())
    return [words for value in values if (words := list(dict.fromkeys(_words(value, _MOST_DEPTH))))]


def words_of_module(module: Path) -> list[Sequence[str]]:
    """Return the texts and keys in an ES module and in each file beside it that it imports."""
    return [list(dict.fromkeys(_quoted(text))) for text in _sources(module.resolve(), set())]


def _quoted(text: str) -> Iterator[str]:
    for match in _QUOTED.finditer(text):
        inside = next(group for group in match.groups() if group is not None)
        plain = re.sub(r"\\(.)", r"\1", inside)
        yield from plain.split()
        if 0 < len(plain) <= _MOST_CHARACTERS:
            yield plain
    yield from _KEY.findall(text)


def _sources(file: Path, seen: set[Path]) -> Iterator[str]:
    if file in seen or not file.is_file():
        return
    seen.add(file)
    text = file.read_text(encoding="utf-8", errors="replace")
    yield text
    for name in _IMPORTED.findall(text):
        yield from _sources((file.parent / name).resolve(), seen)


def _reached(function: Any, seen: set[int]) -> Iterator[Any]:
    """Yield the data that a function may use: what it names, and what the functions that it names do."""
    if (owner := getattr(function, "__self__", None)) is not None:
        yield owner
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    if id(function) in seen or code is None:
        return
    seen.add(id(function))
    yield from getattr(function, "__defaults__", None) or ()
    yield from (constant for constant in code.co_consts if isinstance(constant, str | tuple | frozenset))
    names = set(_names(code))
    spaces = getattr(function, "__globals__", {})
    values = [spaces[name] for name in names if name in spaces]
    values += [cell.cell_contents for cell in getattr(function, "__closure__", None) or () if _is_set(cell)]
    for value in values:
        if isinstance(value, ModuleType):
            continue
        if inspect.isfunction(value) or inspect.ismethod(value):
            yield from _reached(value, seen)
        else:
            yield value


def _names(code: Any) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            yield from _names(constant)


def _is_set(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _words(value: Any, depth: int) -> Iterator[str]:
    """Yield the words in data, such as a list, the keys of a dictionary, or a tokenizer."""
    if isinstance(value, np.ndarray):
        value = value.tolist() if value.dtype.kind in "USO" else ()
    if isinstance(value, str | bytes):
        text = value if isinstance(value, str) else value.decode("utf-8", "replace")
        yield from text.split()
        if 0 < len(text) <= _MOST_CHARACTERS:
            yield text
    elif depth and isinstance(value, Mapping):
        yield from _each([*value.keys(), *value.values()], depth)
    elif depth and isinstance(value, list | tuple | set | frozenset):
        yield from _each(value, depth)
    elif depth and not isinstance(value, type | Number):
        yield from _of_tokenizer(value, depth)


def _each(values: Iterable[Any], depth: int) -> Iterator[str]:
    for value in values:
        yield from _words(value, depth - 1)


def _of_tokenizer(value: Any, depth: int) -> Iterator[str]:
    for name in _VOCABULARIES:
        try:
            inside = getattr(value, name, None)
            inside = inside() if callable(inside) else inside
        except Exception:  # another library's method, which may need arguments
            continue
        if isinstance(inside, Mapping | list | tuple):
            yield from _words(inside, depth)
    yield from _each(list(getattr(value, "__dict__", {}).values()), depth)
