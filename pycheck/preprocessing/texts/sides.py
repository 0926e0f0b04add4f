"""Describes how one side makes its inputs of text files."""

from __future__ import annotations

from ...types import Signature
from .description import CASES, SPACES, Description, Side
from .recipes import PADDING, UNKNOWN, made_for


def of_recipe(text: str, signature: Signature) -> Side:
    """Return the description of a recipe."""
    made = made_for(text, signature)
    description = Description(
        made.length,
        case=CASES[1],
        removed="ASCII punctuation removed",
        split=SPACES[1],
        numbers=made.numbers,
        unknown=UNKNOWN,
    )
    assert description.layout.padding == PADDING
    return Side(description, made.shape)


def is_row(shape: tuple[int, ...]) -> bool:
    """Tell whether samples of a shape are rows."""
    return sum(size != 1 for size in shape) == 1
