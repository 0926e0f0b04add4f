"""Reads the page of a finding's code, which the wheel contains and a checkout has in docs/findings."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent
_IN_WHEEL = _PACKAGE / "_findings"
_IN_CHECKOUT = _PACKAGE.parent / "docs" / "findings"


def read_page(code: str) -> str:
    """Read the page of a code, as Markdown. OSError if it is not installed."""
    folder = _IN_WHEEL if _IN_WHEEL.is_dir() else _IN_CHECKOUT
    return (folder / f"{code}.md").read_text(encoding="utf-8")
