"""Converts a decision to plain JSON values, and to text that keeps NaN and infinity.

Texts are JSON with the words NaN, Infinity and -Infinity, as Python's own module json writes and reads them. A page
writes the same: js_harness/src/decision.js.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

#: A text, a number, a boolean, None, or lists and objects of them.
Json = Any

#: The most levels of lists and objects, and the most characters of a decision.
_DEEPEST = 100
MOST_CHARACTERS = 1_000_000


def as_json(value: object) -> Json:
    """Convert what a function of Python returns; arrays and tensors become lists, bytes become text.

    TypeError names what is no JSON, with its place; ValueError if the value is too deep or too large.
    """
    plain = _plain(value, "", 0)
    if len(text := as_text(plain)) > MOST_CHARACTERS:
        raise ValueError(f"the function returned {len(text)} characters of JSON, more than {MOST_CHARACTERS}")
    return plain


def as_text(value: Json) -> str:
    """Format a decision as JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def from_text(text: str) -> Json:
    """Read the JSON of a page; ValueError if it is not JSON."""
    return json.loads(text)


def _plain(value: Any, place: str, depth: int) -> Json:
    if depth > _DEEPEST:
        raise ValueError(f"the function returned more than {_DEEPEST} levels of lists, or a list within itself")
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None or isinstance(value, str | bool):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int | float):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {_key(key): _plain(item, f"{place}.{_key(key)}", depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{place}[{number}]", depth + 1) for number, item in enumerate(value)]
    return _converted(value, place, depth)


def _converted(value: Any, place: str, depth: int) -> Json:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _plain(fields, place, depth)
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist(), place, depth)
    if callable(numpy := getattr(value, "numpy", None)):  # a tensor
        return _plain(np.asarray(numpy()), place, depth)
    where = f"'{place.removeprefix('.')}' is" if place else "the function returned"
    raise TypeError(f"{where} {type(value).__name__}: return text, numbers, booleans, None, or lists and dicts of them")


def _key(key: object) -> str:
    return key if isinstance(key, str) else str(key.item() if isinstance(key, np.generic) else key)
