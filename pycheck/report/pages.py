"""The page of each code of a finding, which the wheel carries and a checkout has in docs/findings."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent
_IN_WHEEL = _PACKAGE / "_findings"
_IN_CHECKOUT = _PACKAGE.parent / "docs" / "findings"


def read_page(code: str) -> str:
    """The page of a code, as Markdown. OSError where it is not installed."""
    folder = _IN_WHEEL if _IN_WHEEL.is_dir() else _IN_CHECKOUT
    return (folder / f"{code}.md").read_text(encoding="utf-8")
