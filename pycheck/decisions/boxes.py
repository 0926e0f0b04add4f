"""Recognizes lists of boxes in the common forms, and matches those of Python and of a page one to one.

The forms, of which docs/files.md has a table:

- objects with ``box``, ``bbox``, ``boundingBox`` or ``bounding_box``, which is a list of four numbers or an object;
- objects with x1, y1, x2, y2; xmin, ymin, xmax, ymax; left, top, right, bottom; x, y, width, height (or w, h); left,
  top, width, height; or originX, originY, width, height;
- lists of four numbers, perhaps a score, perhaps a label: two corners, as in x1, y1, x2, y2 or ymin, xmin, ymax, xmax;
- an object of parallel lists: ``boxes``, perhaps ``scores``, perhaps ``labels`` or ``classes``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..types import Array
from .plain import Json

_BOXES = ("box", "bbox", "boundingBox", "bounding_box")
_LABELS = ("label", "class", "className", "class_name", "classId", "class_id", "category", "categoryName", "name")
SCORES = ("score", "confidence", "probability")
#: The names of two corners, and those of a corner and a size.
_CORNERS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("left", "top", "right", "bottom"))
_SIZES = (("x", "y", "width", "height"), ("x", "y", "w", "h"), ("left", "top", "width", "height"),
          ("originX", "originY", "width", "height"))  # fmt: skip
_PARALLEL = {"scores": "score", "labels": "label", "classes": "label"}
#: The most boxes of one side: longer lists are compared as numbers.
_MOST_BOXES = 500


@dataclass(frozen=True, slots=True)
class Box:
    """Two corners, a label and a score if there are some, and whatever else the box has."""

    corners: tuple[float, float, float, float]
    label: Json = None
    score: float | None = None
    rest: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Found:
    """A box of four numbers: two corners, a corner and a size (`is_size`), or either (`is_open`)."""

    numbers: tuple[float, ...]
    is_size: bool = False
    is_open: bool = False
    label: Json = None
    score: float | None = None
    rest: Mapping[str, Json] = field(default_factory=dict)

    @property
    def must_be_size(self) -> bool:
        """Tell whether numbers that are either cannot be two corners."""
        a, b, c, d = self.numbers
        return self.is_open and (c < a or d < b)

    def read(self, *, open_are_sizes: bool) -> Box:
        a, b, c, d = self.numbers
        is_size = open_are_sizes if self.is_open else self.is_size
        return Box((a, b, a + c, b + d) if is_size else (a, b, c, d), self.label, self.score, self.rest)


def boxes_of(python: Json, page: Json) -> tuple[list[Box], list[Box]] | None:
    """Read the boxes of both sides; None if one of them is no list of boxes. An empty list is one.

    Lists of four numbers below `box` or `boxes` are corners, unless one of both sides has a box that cannot be.
    """
    ours = _found_in(python)
    theirs = None if ours is None else _found_in(page)
    if ours is None or theirs is None:
        return None
    open_are_sizes = any(box.must_be_size for box in (*ours, *theirs))
    one, other = ([box.read(open_are_sizes=open_are_sizes) for box in side] for side in (ours, theirs))
    return one, other


def _found_in(value: Json) -> list[_Found] | None:
    if isinstance(value, dict):
        single = _of_object(value)
        return [single] if single else _of_parallel_lists(value)
    if not isinstance(value, list) or len(value) > _MOST_BOXES:
        return None
    read = _of_row if all(isinstance(item, list) for item in value) else _of_object
    found: list[_Found] = []
    for item in value:
        if (box := read(item)) is None:
            return None
        found.append(box)
    return found


def _of_object(item: Json) -> _Found | None:
    if not isinstance(item, dict):
        return None
    place = next((name for name in _BOXES if name in item), None)
    inner = item if place is None else item[place]
    used, is_size = (_names(inner) or ((), False)) if isinstance(inner, dict) else ((), False)
    numbers = inner if isinstance(inner, list) else [inner[name] for name in used]
    if len(numbers) != 4 or not all(map(_is_number, numbers)):
        return None
    label = next((name for name in _LABELS if name in item), None)
    score = next((name for name in SCORES if name in item and _is_number(item[name])), None)
    left_out = {place, label, *SCORES, *(used if place is None else ())}
    rest = {name: value for name, value in item.items() if name not in left_out}
    return _Found(
        tuple(map(float, numbers)), is_size, not used, item[label] if label else None,
        float(item[score]) if score else None, rest,
    )  # fmt: skip


def _names(item: Mapping[str, Json]) -> tuple[tuple[str, ...], bool] | None:
    forms = [*((names, False) for names in _CORNERS), *((names, True) for names in _SIZES)]
    return next(((names, is_size) for names, is_size in forms if item.keys() >= set(names)), None)


def _of_row(row: list[Json]) -> _Found | None:
    """Read two corners in order, perhaps a score, and perhaps a label: a text, or the sixth item."""
    if not 4 <= len(row) <= 6 or not all(map(_is_number, row[:4])):
        return None
    a, b, c, d = numbers = tuple(map(float, row[:4]))
    if not (c > a and d > b) or (len(row) == 6 and not _is_number(row[4])):
        return None
    has_label = len(row) == 6 or isinstance(row[-1], str)
    score = float(row[4]) if len(row) > 4 and _is_number(row[4]) else None
    return _Found(numbers, label=row[-1] if has_label else None, score=score)


def _of_parallel_lists(value: Mapping[str, Json]) -> list[_Found] | None:
    rows = value.get("boxes")
    if not isinstance(rows, list) or len(rows) > _MOST_BOXES or not value.keys() <= {"boxes", *_PARALLEL}:
        return None
    others = {name: value[name] for name in value if name != "boxes"}
    if any(not isinstance(other, list) or len(other) != len(rows) for other in others.values()):
        return None
    return _found_in(
        [{"box": row, **{_PARALLEL[name]: other[n] for name, other in others.items()}} for n, row in enumerate(rows)]
    )


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def overlaps(one: Sequence[Box], other: Sequence[Box]) -> Array:
    """Return the intersection over union of each pair. It is 1 for equal boxes, also without an area or with NaN."""
    if not one or not other:
        return np.zeros((len(one), len(other)))
    a, b = (np.array([box.corners for box in boxes]) for boxes in (one, other))
    with np.errstate(all="ignore"):
        shared = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
        areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (a, b)]
        inner = np.prod(np.maximum(shared, 0.0), axis=2)
        found = inner / (areas[0][:, None] + areas[1][None, :] - inner)
    equal = ((a[:, None] == b[None]) | (np.isnan(a[:, None]) & np.isnan(b[None]))).all(axis=2)
    return np.asarray(np.where(equal, 1.0, np.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0)))


def matched(allowed: Array, preferred: Array) -> list[tuple[int, int]]:
    """Return as many pairs as are allowed, each row and column once, with those preferred tried first.

    Augmenting paths (Kuhn): the number of pairs is the largest possible, and so the same with both sides exchanged.
    """
    row_of: dict[int, int] = {}

    def place(row: int, tried: set[int]) -> bool:
        for column in sorted(np.flatnonzero(allowed[row]).tolist(), key=lambda column: -preferred[row, column]):
            if column in tried:
                continue
            tried.add(column)
            if column not in row_of or place(row_of[column], tried):
                row_of[column] = row
                return True
        return False

    for row in sorted(range(len(allowed)), key=lambda row: -float(preferred[row].max(initial=0.0))):
        place(row, set())
    return sorted((row, column) for column, row in row_of.items())
