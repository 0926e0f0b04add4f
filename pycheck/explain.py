"""The page of each code of a finding, which the wheel carries and a checkout has in docs/findings."""

from __future__ import annotations

from pathlib import Path

from .diagnose.codes import CODES, nearest
from .errors import UsageError

_IN_WHEEL = Path(__file__).parent / "_findings"
_IN_CHECKOUT = Path(__file__).parent.parent / "docs" / "findings"


def page(code: str) -> str:
    """The page of a code, as Markdown. UsageError for an unknown code names the nearest."""
    if code not in CODES:
        near = nearest(code)
        raise UsageError(
            f"no finding has the code {code!r}",
            f"The nearest: {', '.join(near)}." if near else "pycheck explain, without a code, lists them all.",
        )
    folder = _IN_WHEEL if _IN_WHEEL.is_dir() else _IN_CHECKOUT
    try:
        return (folder / f"{code}.md").read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the page of {code} cannot be read: {error}", "Install pycheck again.") from error


def index() -> str:
    """Every code and what it means, as Markdown."""
    rows = [f"| `{code}` | {kind.title} |" for code, kind in sorted(CODES.items())]
    return "\n".join(["| code | what it means |", "| --- | --- |", *rows, "", "`pycheck explain CODE` says more.", ""])
