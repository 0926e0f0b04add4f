"""Converts dataclasses to JSON-ready data and back, and makes the JSON Schema of both, from the types alone.

Non-finite numbers are the strings "NaN", "Infinity" and "-Infinity", because JSON has none. Three tables list the
differences between data and dataclass: renamed fields, fields that are replaced by their own fields, and derived
facts, which are only written.
"""

from __future__ import annotations

import dataclasses
import math
import sys
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

_Decoder = Callable[[Any], Any]

_NONFINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class DecodeError(ValueError):
    """The error for data that do not match their type; the message begins with the path to them."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem, path)
        self.problem = problem
        self.path = path

    def __str__(self) -> str:
        return f"{self.path.removeprefix('.') or 'report'}: {self.problem}"

    def within(self, step: str) -> DecodeError:
        """Return the same error with a step before its path."""
        return DecodeError(self.problem, step + self.path)


def encode(value: Any) -> Any:
    """Convert a value to JSON-ready data: dict, list, str, int, finite float, bool and None."""
    kind: Any = type(value)
    return _encoder(kind)(value)


@cache
def _encoder(kind: Any) -> Callable[[Any], Any]:
    """Return the function that encodes values of a type. A check has thousands of reports: types are looked at once."""
    if issubclass(kind, Enum):
        return lambda value: value.value
    if issubclass(kind, bool | int | types.NoneType):
        return lambda value: value
    if issubclass(kind, np.generic | np.ndarray):
        return lambda value: encode(value.tolist())
    if issubclass(kind, float):
        return lambda value: value if math.isfinite(value) else _word(value)
    if issubclass(kind, str | Path | RuntimeId):
        return str
    if issubclass(kind, Mapping):
        return lambda value: {str(key): encode(item) for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return _dataclass_encoder(kind)
    if issubclass(kind, list | tuple | set | frozenset):
        return lambda value: [encode(item) for item in value]
    raise TypeError(f"{kind.__name__} cannot be written as JSON")


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _dataclass_encoder(kind: Any) -> Callable[[Any], Any]:
    known = [(name, _RENAMED.get((kind, name), name), (kind, name) in _INLINED) for name in _hints(kind)]
    derived = [(name, derive) for name, (_, derive) in _DERIVED.get(kind, {}).items()]

    def encode_dataclass(value: Any) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name, key, is_inlined in known:
            encoded = encode(getattr(value, name))
            if is_inlined:
                data |= encoded
            else:
                data[key] = encoded
        for name, derive in derived:
            data[name] = encode(derive(value))
        return data

    return encode_dataclass


def decode(data: Any, kind: Any) -> Any:
    """Convert data, as `encode` returns them, to a value of type `kind`.

    A missing field has its default, and unknown fields are ignored, so that an older pycheck can read the data of a
    newer one. DecodeError names the first place that does not match.
    """
    return _decoder(kind)(data)


@cache
def _decoder(kind: Any) -> _Decoder:
    """Return the function that converts data to a type. A check has thousands of reports: types are looked at once."""
    if kind is Any:
        return _decode_any
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        inner = _decoder(next(a for a in arguments if a is not type(None)))
        return (lambda data: None if data is None else inner(data)) if type(None) in arguments else inner
    if origin is tuple:
        return _tuple_decoder(arguments[0])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping_decoder(arguments[1])
    if kind is float:
        return _decode_float
    if kind is str:
        return lambda data: sys.intern(_expect(data, str))  # thousands of reports have the same few texts
    if kind in (int, bool):
        return lambda data: data if type(data) is kind else _expect(data, kind)
    if dataclasses.is_dataclass(kind) and kind is not RuntimeId:
        return _dataclass_decoder(kind)
    return _text_decoder(cache(RuntimeId.parse) if kind is RuntimeId else kind, parsed=kind is RuntimeId)


def _tuple_decoder(kind: Any) -> _Decoder:
    inner = _decoder(kind)

    def decode_tuple(data: Any) -> Any:
        values = []
        for item in _expect(data, list):
            try:
                values.append(inner(item))
            except DecodeError as error:
                raise error.within(f"[{len(values)}]") from error
        return tuple(values)

    return decode_tuple


def _mapping_decoder(kind: Any) -> _Decoder:
    inner = _decoder(kind)

    def decode_mapping(data: Any) -> Any:
        values = {}
        for key, item in _expect(data, dict).items():
            try:
                values[key] = inner(item)
            except DecodeError as error:
                raise error.within(f".{key}") from error
        return values

    return decode_mapping


def _decode_float(data: Any) -> float:
    if isinstance(data, str) and data in _NONFINITE:
        return _NONFINITE[data]
    return float(_expect(data, (int, float)))


def _text_decoder(make: Callable[[Any], Any], *, parsed: bool) -> _Decoder:
    """Return a decoder for a value that a text names: an enum, a path, or with `parsed` a runtime."""

    def decode_text(data: Any) -> Any:
        try:
            return make(_expect(data, str) if parsed else data)
        except (ValueError, TypeError) as error:
            raise error if isinstance(error, DecodeError) else DecodeError(str(error)) from error

    return decode_text


def _dataclass_decoder(kind: Any) -> _Decoder:
    defaults = {
        field.name
        for field in dataclasses.fields(kind)
        if field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
    }
    known = [
        (name, _RENAMED.get((kind, name), name), (kind, name) in _INLINED, hint, name in defaults)
        for name, hint in _hints(kind).items()
    ]

    def decode_dataclass(data: Any) -> Any:
        _expect(data, dict)
        values: dict[str, Any] = {}
        for name, key, is_inlined, hint, has_default in known:
            if is_inlined:
                values[name] = _decoder(hint)(data)
            elif key in data:
                try:  # the decoder of a field is looked up here, since a type may contain itself
                    values[name] = _decoder(hint)(data[key])
                except DecodeError as error:
                    raise error.within(f".{key}") from error
            elif not has_default:
                raise DecodeError(f"{key} is missing")
        return kind(**values)

    return decode_dataclass


def _decode_any(data: Any) -> Any:
    """Decode evidence, which has no type: the three strings for non-finite numbers become numbers."""
    if isinstance(data, dict):
        return {key: _decode_any(item) for key, item in data.items()}
    if isinstance(data, list):
        return [_decode_any(item) for item in data]
    return _NONFINITE.get(data, data) if isinstance(data, str) else data


def _expect(data: Any, kind: type | tuple[type, ...]) -> Any:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(data, kinds) or (isinstance(data, bool) and bool not in kinds):
        wanted = {list: "a list", dict: "an object", str: "a text", int: "a whole number", bool: "true or false"}
        raise DecodeError(f"expected {wanted.get(kinds[0]) if len(kinds) == 1 else 'a number'}, found {data!r:.60}")
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
