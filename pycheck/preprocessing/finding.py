"""Finds why the page's inputs differ from Python's, for files of every medium."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..types import Array
from . import images, sounds, texts
from .explained import Explained

#: Causes that leave more of the difference, as a share of its RMS, are not those that the page has.
_MOST_LEFT = 0.5


def find_causes(files: Sequence[Path], python: Array, page: Array) -> Explained:
    """Explain the difference between the inputs that Python and the page made of files, one sample for each file.

    Sounds are told by their first bytes, rows of token ids by their shape and values; the rest may be images. No cause
    is named if together they leave most of the difference: a search that starts from a wrong description finds changes
    that help a little.
    """
    found = _of_medium(files, python, page)
    if found.causes and python.shape == page.shape:
        whole = float(np.sqrt(np.mean(np.abs(python.astype(np.float64) - page) ** 2)))
        if found.unexplained_rms > _MOST_LEFT * whole:
            return Explained((), whole)
    return found


def _of_medium(files: Sequence[Path], python: Array, page: Array) -> Explained:
    if files and all(sounds.is_sound(file) for file in files):
        return sounds.find_causes(files, python, page)
    if texts.are_ids(python) and texts.are_ids(page):
        return texts.find_causes(files, python, page)
    return images.find_causes(files, python, page)
