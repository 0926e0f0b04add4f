"""Says how two decisions differ, by what they are: labels, numbers, texts, boxes, or a structure of these."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..types import Array
from .boxes import SCORES, Box, boxes_of, matched, overlaps
from .plain import Json, as_text
from .texts import text_difference
from .words import brief, change, count, kind

#: Two boxes that overlap (IoU) less are not one that moved.
_LEAST_MOVED = 0.2
#: Numbers with a fraction are the same up to this share of the larger one, or of the largest in their list. It is the
#: share by which an output may change, too.
RELATIVE = 0.01
#: What is below is roundoff of float32 beside numbers around 1.
_ABSOLUTE = 1e-6
_MOST_PLACES = 3


def difference(python: Json, page: Json, box_overlap: float = 0.5) -> str:
    """Say how the decision of a page differs from that of Python; "" if they are the same.

    Text and booleans must be equal, and whole numbers, too. Scores may differ by 0.01. NaN equals NaN. Two boxes of one
    label are the same from `box_overlap` (IoU) on, in any order. Lists and objects are compared item by item.
    """
    found = list(_differences(python, page, "", box_overlap))
    told = "; ".join(_told(*each) for each in found[:_MOST_PLACES])
    more = len(found) - _MOST_PLACES
    return f"{told}; {more} more" if more > 0 else told


def _told(place: str, text: str) -> str:
    return f"{place}: {text}" if place else text


def _differences(python: Json, page: Json, place: str, overlap: float) -> Iterator[tuple[str, str]]:
    if boxes := boxes_of(python, page):
        if told := _box_difference(*boxes, overlap):
            yield place, told
    elif isinstance(python, dict) and isinstance(page, dict):
        yield from _of_objects(python, page, place, overlap)
    elif isinstance(python, list) and isinstance(page, list):
        yield from _of_lists(python, page, place, overlap)
    elif isinstance(python, str) and isinstance(page, str):
        if told := text_difference(python, page):
            yield place, told
    elif not _same(python, page, 0.0):
        yield place, change(python, page)


def _of_objects(
    python: Mapping[str, Json], page: Mapping[str, Json], place: str, overlap: float
) -> Iterator[tuple[str, str]]:
    for key in dict.fromkeys([*python, *page]):
        inner = f"{place}.{key}" if place else key
        if key not in page:
            yield inner, f"{brief(python[key])} -> missing"
        elif key not in python:
            yield inner, f"missing -> {brief(page[key])}"
        elif key in SCORES and kind(python[key]) == kind(page[key]) == "number":
            if not _same(
                float(python[key]), float(page[key]), 1.0
            ):  # a share of 1, which JSON may have as a whole number
                yield inner, change(python[key], page[key])
        else:
            yield from _differences(python[key], page[key], inner, overlap)


def _of_lists(python: Sequence[Json], page: Sequence[Json], place: str, overlap: float) -> Iterator[tuple[str, str]]:
    if len(python) != len(page):
        yield place, f"{count(len(python), 'item')} -> {len(page)}"
        return
    numbers = [abs(item) for item in (*python, *page) if kind(item) == "number"]
    scale = max((number for number in numbers if math.isfinite(number)), default=0.0)
    for number, (one, other) in enumerate(zip(python, page, strict=True)):
        if kind(one) == kind(other) == "number":
            if not _same(one, other, scale):
                yield f"{place}[{number}]", change(one, other)
        else:
            yield from _differences(one, other, f"{place}[{number}]", overlap)


def _same(one: Json, other: Json, scale: float) -> bool:
    """Tell whether two values that are not both texts, lists or objects are equal; numbers up to roundoff."""
    if kind(one) != kind(other):
        return False
    if kind(one) != "number" or (isinstance(one, int) and isinstance(other, int)):
        return bool(one == other)
    if not (math.isfinite(one) and math.isfinite(other)):
        return one == other or (math.isnan(one) and math.isnan(other))
    return bool(abs(one - other) <= max(RELATIVE * max(abs(one), abs(other), scale), _ABSOLUTE))


def _box_difference(python: Sequence[Box], page: Sequence[Box], least: float) -> str:
    """Count the boxes that are lost, added, moved or have another label."""
    overlap = overlaps(python, page)
    labels = [[_label(box) for box in side] for side in (python, page)]
    same_label = np.array([[one == other for other in labels[1]] for one in labels[0]], bool).reshape(overlap.shape)
    left, right = np.ones(len(python), bool), np.ones(len(page), bool)

    def pairs(allowed: Array) -> list[tuple[int, int]]:
        """Pair boxes that are left, and take them out."""
        found = matched(allowed & left[:, None] & right, overlap)
        left[[one for one, _ in found]] = right[[other for _, other in found]] = False
        return found

    same = pairs((overlap >= least) & same_label)
    relabeled, moved = pairs(overlap >= least), pairs((overlap >= min(least, _LEAST_MOVED)) & same_label)
    lost, added = int(left.sum()), int(right.sum())
    parts = [f"{count(lost, 'box', 'boxes')} lost"] if lost else []
    parts += [f"{count(added, 'box', 'boxes')} added"] if added else []
    if moved:
        parts.append(f"{len(moved)} moved: IoU {min(overlap[pair] for pair in moved):.2f}")
    changes = Counter(change(python[one].label, page[other].label) for one, other in relabeled)
    parts += [f"{count(number, 'box', 'boxes')} {told}" for told, number in changes.most_common(_MOST_PLACES)]
    rest = [told for one, other in same if (told := _rest_difference(python[one], page[other], least))]
    parts += [f"{count(len(rest), 'box', 'boxes')} with another {rest[0]}"] if rest else []
    return ", ".join(parts)


def _rest_difference(python: Box, page: Box, least: float) -> str:
    """Say how a box differs apart from its place and label; a score that only one side has does not count."""
    ours, theirs = dict(python.rest), dict(page.rest)
    if python.score is not None and page.score is not None:
        ours[SCORES[0]], theirs[SCORES[0]] = python.score, page.score
    return difference(ours, theirs, least)


def summary(value: Json) -> str:
    """Format a decision in a few words: boxes by their number and labels, anything else by its text."""
    boxes = boxes_of(value, [])
    if boxes is None or not boxes[0]:
        return brief(value)
    labels = Counter(brief(box.label) for box in boxes[0] if box.label is not None)
    told = ", ".join(f"{number} {label}" for label, number in labels.most_common(_MOST_PLACES))
    return f"{count(len(boxes[0]), 'box', 'boxes')}{f': {told}' if told else ''}"


def _label(box: Box) -> str:
    """Return a key that is equal for equal labels; 3.0 is 3."""
    label = box.label
    return as_text(int(label) if isinstance(label, float) and label.is_integer() else label)
