"""Makes the JSON Schema of pycheck.toml, which lets editors complete and check the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter

from ..diagnosis.codes import CODES
from ..options.table import OPTIONS, Option
from .keys import LEVELS, SECTIONS, TOP, Key


def configuration_schema() -> dict[str, Any]:
    """Make the schema, in the dialect of JSON Schema 2020-12."""
    properties = {**_settings(option for option in OPTIONS if option.in_file), **_keys(TOP)}
    for name, (keys, several) in SECTIONS.items():
        own = _settings(option for option in OPTIONS if option.in_model) if name == "models" else {}
        table = _table({**_keys(keys), **own}, [key for key, entry in keys.items() if entry.required])
        properties[name] = {"type": "array", "items": table} if several else table
    properties["severity"] = _table({code: {"enum": list(LEVELS)} for code in CODES}, [])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pycheck.toml",
        **_table(dict(sorted(properties.items())), []),
    }


def _table(properties: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    table: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**table, "required": required} if required else table


def _settings(options: Iterable[Option]) -> dict[str, Any]:
    return {option.setting: _setting(option) for option in options}


def _setting(option: Option) -> dict[str, Any]:
    schema = TypeAdapter(option.kind.file).json_schema()
    if option.kind.completes and not option.kind.repeatable:
        schema["enum"] = list(option.kind.known())
    shown = {} if option.default in (None, (), {}) else {"default": option.default}
    return {**schema, "description": option.doc or option.explained, **shown}


def _keys(keys: Mapping[str, Key]) -> dict[str, Any]:
    return {name: {**TypeAdapter(key.kind).json_schema(), "description": key.text} for name, key in keys.items()}
