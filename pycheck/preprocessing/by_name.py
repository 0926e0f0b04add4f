"""The known recipes of every medium, by name: what makes an input of a file in Python and in a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ..types import Array, Signature
from . import images, sounds, texts


class _Medium(Protocol):
    def is_recipe(self, text: str) -> bool: ...

    def recipe(self, text: str, signature: Signature) -> Callable[[Path], Array]: ...

    def recipe_module(self, text: str, signature: Signature) -> str: ...


_MEDIA: tuple[_Medium, ...] = (images, sounds, texts)


def is_recipe(text: str) -> bool:
    """Tell whether a text names a recipe."""
    return any(medium.is_recipe(text) for medium in _MEDIA)


def recipe(text: str, signature: Signature) -> Callable[[Path], Array]:
    """Return the function of a recipe for a model; UsageError if the model takes another kind of input."""
    return _medium_of(text).recipe(text, signature)


def recipe_module(text: str, signature: Signature) -> str:
    """Return the ES module of a recipe for a model; its default export takes (blob, tf). UsageError as for `recipe`."""
    return _medium_of(text).recipe_module(text, signature)


def _medium_of(text: str) -> _Medium:
    return next(medium for medium in _MEDIA if medium.is_recipe(text))
