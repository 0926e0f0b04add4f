"""Writes a vocabulary as data: a list of words if the ids count up, and the id of each word otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

_WIDTH = 110


def words_as_list(numbers: Mapping[str, int], indent: int) -> list[str]:
    """Return the lines of a list of the words, in the order of their ids, indented by some spaces."""
    return ["[", *_filled(indent, (_text(word) for word, _ in _sorted(numbers))), "]"]


def words_as_pairs(numbers: Mapping[str, int]) -> list[str]:
    """Return the lines of a list of pairs in JavaScript, where an object has names of its own."""
    return ["[", *_filled(2, (f"[{_text(word)}, {number}]" for word, number in _sorted(numbers))), "]"]


def words_as_dictionary(numbers: Mapping[str, int]) -> list[str]:
    """Return the lines of a dictionary of Python."""
    return ["{", *_filled(4, (f"{_text(word)}: {number}" for word, number in _sorted(numbers))), "}"]


def _sorted(numbers: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(numbers.items(), key=lambda each: each[1])


def first_id(numbers: Mapping[str, int]) -> int | None:
    """Return the smallest id if the others count up from it; None otherwise."""
    ids = sorted(numbers.values())
    return ids[0] if ids and ids == list(range(ids[0], ids[0] + len(ids))) else None


def _text(word: str) -> str:
    return json.dumps(word, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _filled(indent: int, items: Iterable[str]) -> list[str]:
    lines = [""]
    for item in items:
        if lines[-1] and len(lines[-1]) + len(item) + 2 > _WIDTH:
            lines.append("")
        lines[-1] += f" {item}," if lines[-1] else f"{' ' * indent}{item},"
    return lines if lines[-1] else []
