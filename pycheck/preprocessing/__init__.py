"""How a file becomes an input of the model: the user's code, or a known recipe; why two inputs of a file differ."""

from __future__ import annotations

from .by_name import is_recipe, recipe_module
from .code import Preprocess, load_preprocess
from .explained import Explained
from .finding import find_causes
from .known_words import words_of_function, words_of_module
from .media import Medium, medium_of_files, medium_of_recipe
from .side_code import Asking, Decoded, SideCode
