"""Shows decisions and places within them in a few characters."""

from __future__ import annotations

from .plain import Json, as_text

_MOST = 60


def brief(value: Json, most: int = _MOST) -> str:
    """Format a decision for a table: a text as it is, anything else as JSON, both cut at the end."""
    text = value if isinstance(value, str) and value else as_text(rounded(value))
    text = " ".join(text.split()) or repr(text)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def change(python: Json, page: Json) -> str:
    """Format two values that differ, with their types if they look the same."""
    one, other = brief(python), brief(page)
    if one == other:
        one, other = (f"{text} ({kind(value)})" for text, value in ((one, python), (other, page)))
    return f"{one} -> {other}"


def kind(value: Json) -> str:
    """Name the type of a value."""
    if value is None:
        return "null"
    names = {str: "text", bool: "boolean", int: "number", float: "number", list: "list", dict: "object"}
    return names[type(value)]


def count(number: int, singular: str, plural: str = "") -> str:
    """Format ``1 box``, ``2 boxes``."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"


def rounded(value: Json) -> Json:
    """Round numbers to 4 significant digits, to be shown."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return value
