"""The known recipes of every medium, by name: what makes an input of a file in Python and in a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..types import Array, Signature
from . import images


def is_recipe(text: str) -> bool:
    """Tell whether a text names a recipe."""
    return images.is_recipe(text)


def recipe(text: str, signature: Signature) -> Callable[[Path], Array]:
    """Return the function of a recipe for a model; UsageError if the model takes another kind of input."""
    return images.recipe(text, signature)


def recipe_module(text: str, signature: Signature) -> str:
    """Return the ES module of a recipe for a model; its default export takes (blob, tf). UsageError as for `recipe`."""
    return images.recipe_module(text, signature)
