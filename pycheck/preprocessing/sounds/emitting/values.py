"""The numbers of a description as people write them."""

from __future__ import annotations


def number(value: float) -> str:
    """Return a number that is valid in Python and in JavaScript, whole ones without a point."""
    value = float(value)
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
