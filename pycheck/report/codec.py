"""Converts dataclasses to JSON-ready data and back, and makes the JSON Schema of both, from the types alone.

Non-finite numbers are the strings "NaN", "Infinity" and "-Infinity", because JSON has none. Three tables list the
differences between data and dataclass: renamed fields, fields that are replaced by their own fields, and derived
facts, which are only written.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..types import CLASSES, ArtifactInfo, Finding, ModelInfo, NonfiniteCounts, RuntimeId

_RENAMED: dict[tuple[type, str], str] = {(ArtifactInfo, "size_bytes"): "bytes"}
_INLINED: set[tuple[type, str]] = {(ModelInfo, "signature")}
_DERIVED: dict[type, dict[str, tuple[Any, Callable[[Any], Any]]]] = {
    NonfiniteCounts: {
        "classes": (tuple[str, ...], lambda counts: CLASSES),
        "introduced": (int, lambda counts: counts.introduced),
        "masked": (int, lambda counts: counts.masked),
        "changed": (int, lambda counts: counts.changed),
    },
    Finding: {"page": (str, lambda finding: finding.page)},
}

_NONFINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class DecodeError(ValueError):
    """The error for data that do not match their type; the message begins with the path to them."""


def encode(value: Any) -> Any:
    """Convert a value to JSON-ready data: dict, list, str, int, finite float, bool and None."""
    if value is None or (isinstance(value, bool | int) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.generic | np.ndarray):
        return encode(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else _word(value)
    if isinstance(value, str | Path | RuntimeId):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value):
        return _encode_dataclass(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [encode(item) for item in value]
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: {value!r}")


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _encode_dataclass(value: Any) -> dict[str, Any]:
    kind: Any = type(value)
    data: dict[str, Any] = {}
    for name in _hints(kind):
        encoded = encode(getattr(value, name))
        if (kind, name) in _INLINED:
            data |= encoded
        else:
            data[_RENAMED.get((kind, name), name)] = encoded
    for name, (_, derive) in _DERIVED.get(kind, {}).items():
        data[name] = encode(derive(value))
    return data


def decode(data: Any, kind: Any, path: str = "") -> Any:
    """Convert data, as `encode` returns them, to a value of type `kind`.

    A missing field has its default, and unknown fields are ignored, so that an older pycheck can read the data of a
    newer one. DecodeError names the first place that does not match.
    """
    if kind is Any:
        return _decode_any(data)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if data is None and type(None) in arguments:
            return None
        return decode(data, next(a for a in arguments if a is not type(None)), path)
    if origin is tuple:
        items = _expect(data, list, path)
        return tuple(decode(item, arguments[0], f"{path}[{i}]") for i, item in enumerate(items))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: decode(item, arguments[1], f"{path}.{key}") for key, item in _expect(data, dict, path).items()}
    return _decode_plain(data, kind, path)


def _decode_plain(data: Any, kind: Any, path: str) -> Any:
    if kind is float:
        if isinstance(data, str) and data in _NONFINITE:
            return _NONFINITE[data]
        return float(_expect(data, (int, float), path))
    if kind in (int, bool, str):
        return _expect(data, kind, path)
    if dataclasses.is_dataclass(kind) and kind is not RuntimeId:
        return _decode_dataclass(_expect(data, dict, path), kind, path)
    try:
        return RuntimeId.parse(_expect(data, str, path)) if kind is RuntimeId else kind(data)
    except (ValueError, TypeError) as error:
        raise error if isinstance(error, DecodeError) else DecodeError(f"{path}: {error}") from error


def _decode_dataclass(data: dict[str, Any], kind: Any, path: str) -> Any:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    for name, hint in _hints(kind).items():
        key = _RENAMED.get((kind, name), name)
        if (kind, name) in _INLINED:
            values[name] = decode(data, hint, path)
        elif key in data:
            values[name] = decode(data[key], hint, f"{path}.{key}" if path else key)
        elif fields[name].default is dataclasses.MISSING and fields[name].default_factory is dataclasses.MISSING:
            raise DecodeError(f"{path or 'report'}: {key} is missing")
    return kind(**values)


def _decode_any(data: Any) -> Any:
    """Decode evidence, which has no type: the three strings for non-finite numbers become numbers."""
    if isinstance(data, dict):
        return {key: _decode_any(item) for key, item in data.items()}
    if isinstance(data, list):
        return [_decode_any(item) for item in data]
    return _NONFINITE.get(data, data) if isinstance(data, str) else data


def _expect(data: Any, kind: type | tuple[type, ...], path: str) -> Any:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(data, kinds) or (isinstance(data, bool) and bool not in kinds):
        wanted = {list: "a list", dict: "an object", str: "a text", int: "a whole number", bool: "true or false"}
        raise DecodeError(
            f"{path}: expected {wanted.get(kinds[0]) if len(kinds) == 1 else 'a number'}, found {data!r:.60}"
        )
    return data


def schema(kind: Any) -> dict[str, Any]:
    """Make the JSON Schema (2020-12) of the data that `encode` returns for a dataclass; all keys are required."""
    definitions: dict[str, Any] = {}
    root = _schema(kind, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def _schema(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return {}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_schema(a, definitions) for a in arguments]}
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0], definitions)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1], definitions)}
    if kind is float:
        definitions["Number"] = {"anyOf": [{"type": "number"}, {"enum": list(_NONFINITE)}]}
        return {"$ref": "#/$defs/Number"}
    if dataclasses.is_dataclass(kind) and kind is not RuntimeId:
        name = kind.__name__  # type: ignore[union-attr]  # a dataclass type, as the check says
        if name not in definitions:
            definitions[name] = {}  # set first, for a type that contains itself
            definitions[name] = _dataclass_schema(kind, definitions)
        return {"$ref": f"#/$defs/{name}"}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    return {"type": {int: "integer", bool: "boolean", type(None): "null"}.get(kind, "string")}


def _dataclass_schema(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for name, hint in _hints(kind).items():
        if (kind, name) in _INLINED:
            properties |= _dataclass_schema(hint, definitions)["properties"]
        else:
            properties[_RENAMED.get((kind, name), name)] = _schema(hint, definitions)
    for name, (hint, _) in _DERIVED.get(kind, {}).items():
        properties[name] = _schema(hint, definitions)
    return {"type": "object", "required": list(properties), "properties": properties}


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """Return field names and resolved types, in order."""
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}
