"""Texts: the known recipe for them, and the causes of a difference between two rows of token ids."""

from __future__ import annotations

from .causes import are_ids, find_causes
from .javascript import recipe_module
from .recipes import is_recipe, recipe
