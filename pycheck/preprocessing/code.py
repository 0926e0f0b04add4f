"""Loads the user's function that makes an input of a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..system.functions import load_function
from ..types import Signature
from .by_name import is_recipe, recipe

#: Takes the path of a file; gives the array of one sample, or arrays by input name.
Preprocess = Callable[[Path], Any]

_FORM = (
    "Write --preprocess FILE.py:FUNCTION or package.module:FUNCTION, or a recipe: tf, caffe, torch or rescale for "
    "images, waveform(rate=16000) or log-mel(rate=16000) for sounds, vocabulary(FILE) for texts."
)


def load_preprocess(text: str, signature: Signature) -> Preprocess:
    """Load ``app/prep.py:load``, ``package.module:load``, or a recipe; UsageError if there is no such function."""
    if is_recipe(text):
        return recipe(text, signature)
    function: Preprocess = load_function("--preprocess", text, _FORM, "function and no recipe")
    return function
