"""Writes the JavaScript of a recipe for sounds."""

from __future__ import annotations

from ...types import Signature
from .emitting.javascript import javascript
from .sides import of_recipe


def recipe_module(text: str, signature: Signature) -> str:
    """Return the module of a recipe for a model; its default export takes (blob, tf). UsageError as for `recipe`."""
    return javascript(of_recipe(text, signature), text)
