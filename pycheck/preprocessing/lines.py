"""Breaks the texts of emitted code into lines."""

from __future__ import annotations

import textwrap


def wrapped(text: str) -> list[str]:
    """Return lines that are short enough for a comment."""
    return textwrap.wrap(text, 110, break_long_words=False, break_on_hyphens=False)
