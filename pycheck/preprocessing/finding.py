"""Finds why the page's inputs differ from Python's, for files of every medium."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..types import Array
from . import images, sounds, texts
from .explained import Explained


def find_causes(files: Sequence[Path], python: Array, page: Array) -> Explained:
    """Explain the difference between the inputs that Python and the page made of files, one sample for each file.

    Sounds are told by their first bytes, rows of token ids by their shape and values; the rest may be images.
    """
    if files and all(sounds.is_sound(file) for file in files):
        return sounds.find_causes(files, python, page)
    if texts.are_ids(python) and texts.are_ids(page):
        return texts.find_causes(files, python, page)
    return images.find_causes(files, python, page)
