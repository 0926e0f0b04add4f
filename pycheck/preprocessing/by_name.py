"""The known recipes of every medium, by name: what makes an input of a file in Python and in a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..types import Array, Signature
from .media import Medium, medium_of_recipe


def is_recipe(text: str) -> bool:
    """Tell whether a text names a recipe."""
    return medium_of_recipe(text) is not None


def recipe(text: str, signature: Signature) -> Callable[[Path], Array]:
    """Return the function of a recipe for a model; UsageError if the model takes another kind of input."""
    return _medium_of(text).recipe(text, signature)


def recipe_module(text: str, signature: Signature) -> str:
    """Return the ES module of a recipe for a model; its default export takes (blob, tf). UsageError as for `recipe`."""
    return _medium_of(text).recipe_module(text, signature)


def _medium_of(text: str) -> Medium:
    medium = medium_of_recipe(text)
    assert medium is not None
    return medium
