"""The ranges and sizes of generated inputs, by input name; None stands for every input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Range = tuple[float, float]
Ranges = Mapping[str | None, Range]
Sizes = Mapping[str | None, tuple[int, ...]]


def size_text(values: Iterable[int]) -> str:
    """Format sizes as on the command line, such as ``224x224``."""
    return "x".join(map(str, values))
