"""Writes the report as JSON, in a format with a version, and reads it back."""

from __future__ import annotations

import json
from typing import Any

from ..errors import InputError, UsageError
from ..types import CheckReport, Migration, Report
from .codec import DecodeError, decode, encode, schema
from .migration_view import headline

SCHEMA_VERSION = 1


def report_to_dict(report: Report) -> dict[str, Any]:
    """Convert a report to JSON-ready data: every key is present, missing values are null, and there is no NaN."""
    return {"schema_version": SCHEMA_VERSION, **encode(report)}


def check_to_dict(check: CheckReport) -> dict[str, Any]:
    """Convert a check to JSON-ready data; each of its reports is as `report_to_dict` returns it."""
    return {"schema_version": SCHEMA_VERSION, **encode(check)}


def migration_to_dict(migration: Migration) -> dict[str, Any]:
    """Convert a migration to JSON-ready data; its reports are as `report_to_dict` returns them."""
    return {"schema_version": SCHEMA_VERSION, "headline": headline(migration), **encode(migration)}


def render_migration_json(migration: Migration) -> str:
    """Render a migration as JSON text."""
    return json.dumps(migration_to_dict(migration), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def render_check_json(check: CheckReport) -> str:
    """Render a check as JSON text."""
    return json.dumps(check_to_dict(check), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def render_json(report: Report) -> str:
    """Render a report as JSON text."""
    return json.dumps(report_to_dict(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def report_from_dict(data: Any) -> Report:
    """Read data that `report_to_dict` wrote; InputError explains invalid data."""
    if not isinstance(data, dict) or "schema_version" not in data:
        raise InputError("this is no pycheck report: it has no schema_version")
    version = data["schema_version"]
    if version != SCHEMA_VERSION:
        raise InputError(
            f"the report has schema_version {version!r}; this pycheck reads {SCHEMA_VERSION}",
            "Read it with the pycheck that wrote it, or make the report again.",
        )
    try:
        report: Report = decode(data, Report)
    except DecodeError as error:
        raise InputError(f"this is no pycheck report: {error}") from error
    return report


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema of the report, which docs/report.schema.json contains."""
    return {"$id": "pycheck-report-1", "title": "pycheck report", **_versioned(schema(Report), "Report")}


def check_schema() -> dict[str, Any]:
    """Return the JSON Schema of a check, which docs/check.schema.json contains."""
    return {"$id": "pycheck-check-1", "title": "pycheck check", **_versioned(schema(CheckReport), "CheckReport")}


def migration_schema() -> dict[str, Any]:
    """Return the JSON Schema of a migration, which docs/migration.schema.json contains."""
    result = _versioned(schema(Migration), "Migration")
    definition = result["$defs"]["Migration"]
    definition["required"].insert(1, "headline")
    definition["properties"]["headline"] = {"type": "string"}
    return {"$id": "pycheck-migration-1", "title": "pycheck migration", **result}


def _versioned(result: dict[str, Any], root: str) -> dict[str, Any]:
    definition = result["$defs"][root]
    definition["required"].insert(0, "schema_version")
    definition["properties"] = {"schema_version": {"const": SCHEMA_VERSION}, **definition["properties"]}
    return result


def schema_of(name: str) -> dict[str, Any]:
    """Return the schema of a "report", a "check" or a "migration"; UsageError for a different name."""
    known = {"report": report_schema, "check": check_schema, "migration": migration_schema}
    if name not in known:
        raise UsageError(f"no schema is called {name!r}; known: {', '.join(known)}, config")
    return known[name]()
