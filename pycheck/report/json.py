"""The report for machines: JSON, as a contract with a version, and reading it back."""

from __future__ import annotations

import json
from typing import Any

from ..errors import InputError, UsageError
from ..types import CheckReport, Report
from .codec import DecodeError, decode, encode, schema

SCHEMA_VERSION = 1


def report_to_dict(report: Report) -> dict[str, Any]:
    """The report as JSON-ready data: every key present, null what is absent, no NaN anywhere."""
    return {"schema_version": SCHEMA_VERSION, **encode(report)}


def check_to_dict(check: CheckReport) -> dict[str, Any]:
    """A check as JSON-ready data; each of its reports is as `report_to_dict` gives it."""
    return {"schema_version": SCHEMA_VERSION, **encode(check)}


def render_check_json(check: CheckReport) -> str:
    """The check as JSON text."""
    return json.dumps(check_to_dict(check), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def render_json(report: Report) -> str:
    """The report as JSON text."""
    return json.dumps(report_to_dict(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def report_from_dict(data: Any) -> Report:
    """The report that `report_to_dict` wrote; InputError says what is not as it should be."""
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
    """The JSON Schema of the report; docs/report.schema.json is this, written down."""
    return {"$id": "pycheck-report-1", "title": "pycheck report", **_versioned(schema(Report), "Report")}


def check_schema() -> dict[str, Any]:
    """The JSON Schema of a check; docs/check.schema.json is this, written down."""
    return {"$id": "pycheck-check-1", "title": "pycheck check", **_versioned(schema(CheckReport), "CheckReport")}


def _versioned(result: dict[str, Any], root: str) -> dict[str, Any]:
    definition = result["$defs"][root]
    definition["required"].insert(0, "schema_version")
    definition["properties"] = {"schema_version": {"const": SCHEMA_VERSION}, **definition["properties"]}
    return result


def schema_of(name: str) -> dict[str, Any]:
    """The schema of a "report" or a "check"; UsageError for another."""
    known = {"report": report_schema, "check": check_schema}
    if name not in known:
        raise UsageError(f"no schema is called {name!r}; known: {', '.join(known)}, config")
    return known[name]()
