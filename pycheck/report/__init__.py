"""Renders a report; every writer takes a `Report` and returns text."""

from __future__ import annotations

from collections.abc import Callable

from ..types import CheckReport, Report

FORMATS = ("json", "html", "junit", "markdown", "terminal")

CHECK_FORMATS = ("json", "html", "junit", "markdown")


def render(report: Report, kind: str) -> str:
    """Render a report as text in one of FORMATS; ValueError for a different format."""
    return _writer(kind)(report)


def render_check(check: CheckReport, kind: str) -> str:
    """Render a check as text in one of CHECK_FORMATS; ValueError for a different format."""
    if kind == "json":
        from .json import render_check_json

        return render_check_json(check)
    if kind == "html":
        from .html import render_check_html

        return render_check_html(check)
    if kind == "junit":
        from .junit import render_check_junit

        return render_check_junit(check)
    if kind == "markdown":
        from .markdown import render_check_markdown

        return render_check_markdown(check)
    raise ValueError(f"no report of a check of kind {kind!r}; known: {', '.join(CHECK_FORMATS)}")


def _writer(kind: str) -> Callable[[Report], str]:
    """Import a writer only if it is used: a run that writes JSON loads no template engine."""
    if kind == "json":
        from .json import render_json

        return render_json
    if kind == "html":
        from .html import render_html

        return render_html
    if kind == "junit":
        from .junit import render_junit

        return render_junit
    if kind == "markdown":
        from .markdown import render_markdown

        return render_markdown
    if kind == "terminal":
        from .terminal import render_terminal

        return render_terminal
    raise ValueError(f"no report of kind {kind!r}; known: {', '.join(FORMATS)}")
