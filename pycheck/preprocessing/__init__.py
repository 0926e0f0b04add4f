"""How a file becomes an input of the model: the user's code, or a known recipe."""

from __future__ import annotations

from .causes import Explained, find_causes
from .code import Preprocess, load_preprocess
from .javascript import recipe_module
from .recipes import RECIPES, is_recipe
