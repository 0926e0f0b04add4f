"""Sounds: the known recipes for them, and the causes of a difference between two inputs of a sound."""

from __future__ import annotations

from .causes import find_causes
from .decoding import is_sound
from .javascript import recipe_module
from .recipes import is_recipe, recipe
