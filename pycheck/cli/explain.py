"""What `pycheck explain` prints: the page of a code, or the list of all."""

from __future__ import annotations

from ..diagnosis.codes import CODES, nearest
from ..errors import UsageError
from ..report.pages import read_page


def page(code: str) -> str:
    """The page of a code, as Markdown. UsageError for an unknown code names the nearest."""
    if code not in CODES:
        near = nearest(code)
        raise UsageError(
            f"no finding has the code {code!r}",
            f"The nearest: {', '.join(near)}." if near else "pycheck explain, without a code, lists them all.",
        )
    try:
        return read_page(code)
    except OSError as error:
        raise UsageError(f"the page of {code} cannot be read: {error}", "Install pycheck again.") from error


def index() -> str:
    """Every code and what it means, as Markdown."""
    rows = [f"| `{code}` | {kind.title} |" for code, kind in sorted(CODES.items())]
    return "\n".join(["| code | what it means |", "| --- | --- |", *rows, "", "`pycheck explain CODE` says more.", ""])
