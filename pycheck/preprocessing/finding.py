"""Finds why the page's inputs differ from Python's, for files of every medium."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..types import Array
from . import images
from .explained import Explained


def find_causes(files: Sequence[Path], python: Array, page: Array) -> Explained:
    """Explain the difference between the inputs that Python and the page made of files, one sample for each file."""
    return images.find_causes(files, python, page)
