"""Texts: the known recipe, the causes of a difference between two rows of token ids, and the code of a side."""

from __future__ import annotations

from .causes import are_ids, find_causes
from .emitting import UNDESCRIBED, code_of_recipe, describe, own_files, reads
from .javascript import recipe_module
from .recipes import is_recipe, recipe
