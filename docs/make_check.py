"""Writes what can be generated of docs/check.md, and the JSON Schemas of a check, a migration and pycheck.toml.

``python docs/make_check.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from pycheck.checks.keys import MODEL_SETTINGS, SECTIONS, TOP, Key
from pycheck.checks.schema import configuration_schema
from pycheck.options.table import BY_SETTING
from pycheck.report.json import check_schema, migration_schema

PAGE = Path(__file__).parent / "check.md"
SCHEMA = Path(__file__).parent / "check.schema.json"
MIGRATION = Path(__file__).parent / "migration.schema.json"
CONFIGURATION = Path(__file__).parent / "pycheck.schema.json"
_BEGIN, _END = "<!-- generated: docs/make_check.py -->", "<!-- end of what is generated -->"


def reference() -> str:
    """The tables of all keys."""
    parts = [
        "### At the top\n\n"
        "Every setting of `pycheck compare` may stand here, for all models and for the other commands as well: "
        f"{_codes(tuple(BY_SETTING))}. For a check alone:\n\n{_table(TOP)}"
    ]
    for name, (keys, several) in SECTIONS.items():
        title = f"`[[{name}]]`, as many as there are" if several else f"`[{name}]`"
        own = f"\nAnd of the common settings, each for this model alone: {_codes(MODEL_SETTINGS)}.\n"
        parts.append(f"### {title}\n\n{_table(keys)}{own if name == 'models' else ''}")
    return "\n".join(parts)


def _codes(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(keys: Mapping[str, Key]) -> str:
    rows = (
        f"| `{name}` | {key.shown}{', required' if key.required else ''} | {key.text} |" for name, key in keys.items()
    )
    return "\n".join(["| key | | |", "| --- | --- | --- |", *rows, ""])


def with_reference(page: str) -> str:
    """The page with the tables of now."""
    pattern = f"{re.escape(_BEGIN)}.*{re.escape(_END)}"
    return re.sub(pattern, lambda _: f"{_BEGIN}\n\n{reference()}\n{_END}", page, flags=re.DOTALL)


def schema() -> str:
    """The schema as it is written down."""
    return json.dumps(check_schema(), indent=2) + "\n"


def migration() -> str:
    """The schema of a migration as it is written down."""
    return json.dumps(migration_schema(), indent=2) + "\n"


def configuration() -> str:
    """The schema of pycheck.toml as it is written down."""
    return json.dumps(configuration_schema(), indent=2) + "\n"


def main() -> None:
    """Write all of it."""
    CONFIGURATION.write_text(configuration(), encoding="utf-8")
    PAGE.write_text(with_reference(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA.write_text(schema(), encoding="utf-8")
    MIGRATION.write_text(migration(), encoding="utf-8")


if __name__ == "__main__":
    main()
