"""Images: the known recipes, the causes of a difference between two inputs, and the code of a side."""

from __future__ import annotations

from .causes import find_causes
from .emitting import UNDESCRIBED, code_of_recipe, describe, own_files, reads
from .javascript import recipe_module
from .recipes import is_recipe, recipe
