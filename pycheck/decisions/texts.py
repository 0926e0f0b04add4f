"""Measures how much two texts differ: their edit distance."""

from __future__ import annotations

import numpy as np

from .words import change, count

#: A text of at most so many characters and words, on one line, is shown as a label.
_LABEL_CHARACTERS, _LABEL_WORDS = 32, 4
#: Longer texts are compared by words, because the distance of n characters takes n * n steps.
_MOST_CHARACTERS = 5_000


def text_difference(python: str, page: str) -> str:
    """Say how two texts differ: both if they are short, else the edit distance; "" if they are equal."""
    if python == page:
        return ""
    if _is_label(python) and _is_label(page):
        return change(python, page)
    if max(len(python), len(page)) <= _MOST_CHARACTERS:
        distance, of = edit_distance(python, page), max(len(python), len(page))
        return f"text differs by {distance} of {count(of, 'character')}"
    ours, theirs = python.split(), page.split()
    if ours == theirs:
        return "text differs by white space"
    most = _MOST_CHARACTERS
    distance, of = edit_distance(ours[:most], theirs[:most]), max(len(ours), len(theirs))
    return f"text differs by at least {distance} of {count(of, 'word')}"


def edit_distance(one: str | list[str], other: str | list[str]) -> int:
    """Return the least number of insertions, deletions and replacements (Levenshtein), row by row.

    Insertions run along a row, so a row is a running minimum of `cost - position`: one pass of NumPy instead of a loop.
    """
    numbers: dict[str, int] = {}
    first = [numbers.setdefault(item, len(numbers)) for item in one]
    second = np.array([numbers.setdefault(item, len(numbers)) for item in other], np.int64)
    places = np.arange(len(second) + 1)
    row = places.copy()
    for number, item in enumerate(first, 1):
        best = np.minimum(row[:-1] + (second != item), row[1:] + 1)
        row = np.minimum.accumulate(np.concatenate(([number], best)) - places) + places
    return int(row[-1])


def _is_label(text: str) -> bool:
    return len(text) <= _LABEL_CHARACTERS and len(text.split()) <= _LABEL_WORDS and "\n" not in text
