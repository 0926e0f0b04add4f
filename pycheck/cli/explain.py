"""The text of `pycheck explain`: the page of a code, or the list of all codes."""

from __future__ import annotations

from ..diagnosis.codes import CODES, nearest
from ..errors import UsageError
from ..report.pages import read_page


def page(code: str) -> str:
    """Return the page of a code, as Markdown. UsageError for an unknown code names the nearest."""
    if code not in CODES:
        near = nearest(code)
        raise UsageError(
            f"No finding has the code {code!r}.",
            f"Did you mean {' or '.join(near)}?" if near else "To list all codes, run: pycheck explain",
        )
    try:
        return read_page(code)
    except OSError as error:
        raise UsageError(
            f"Cannot read the page of {code}: {error}.", "Reinstall pycheck: pip install --force-reinstall pycheck"
        ) from error


def index() -> str:
    """Return the list of all codes with their meanings, as Markdown."""
    rows = [f"| `{code}` | {kind.title} |" for code, kind in sorted(CODES.items())]
    return "\n".join(["| code | meaning |", "| --- | --- |", *rows, "", "For details, run `pycheck explain CODE`.", ""])
