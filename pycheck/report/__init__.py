"""Renders a report: the module of a format has `render_FORMAT` for a report, and `render_check_FORMAT` for a check.

The module `migration_FORMAT` has `render_migration_FORMAT` for a migration.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..types import CheckReport, Migration, Report

CHECK_FORMATS = ("json", "html", "junit", "markdown")
FORMATS = (*CHECK_FORMATS, "terminal")
MIGRATION_FORMATS = ("json", "html", "markdown")


def render(report: Report, kind: str) -> str:
    """Render a report as text in one of FORMATS; ValueError for a different format."""
    if kind not in FORMATS:
        raise ValueError(f"no report of kind {kind!r}; known: {', '.join(FORMATS)}")
    return _written(kind, f"render_{kind}", report)


def render_migration(migration: Migration, kind: str) -> str:
    """Render a migration as text in one of MIGRATION_FORMATS; ValueError for a different format."""
    if kind not in MIGRATION_FORMATS:
        raise ValueError(f"no report of a migration of kind {kind!r}; known: {', '.join(MIGRATION_FORMATS)}")
    home = kind if kind == "json" else "html.migration" if kind == "html" else f"migration_{kind}"
    return _written(home, f"render_migration_{kind}", migration)


def render_check(check: CheckReport, kind: str) -> str:
    """Render a check as text in one of CHECK_FORMATS; ValueError for a different format."""
    if kind not in CHECK_FORMATS:
        raise ValueError(f"no report of a check of kind {kind!r}; known: {', '.join(CHECK_FORMATS)}")
    return _written(kind, f"render_check_{kind}", check)


def _written(home: str, writer: str, report: Any) -> str:
    """Import the module of the format only now: a run that writes JSON loads no template engine."""
    text: str = getattr(import_module(f".{home}", __name__), writer)(report)
    return text
