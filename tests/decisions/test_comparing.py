"""Two decisions are compared by what they are: labels, numbers, texts, boxes, and structures of these."""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycheck.decisions import as_json, as_text, brief, difference, from_text, summary
from pycheck.decisions.texts import edit_distance

NAN = math.nan


@pytest.mark.parametrize(
    ("python", "page", "told"),
    [
        ("cat", "cat", ""),
        ("cat", "dog", "cat -> dog"),
        ("golden retriever", "tabby", "golden retriever -> tabby"),
        (
            "the quick brown fox jumps over it",
            "the quick brown fax jumps over it",
            "text differs by 1 of 33 characters",
        ),
        ("a " * 30, "a " * 29 + "b ", "text differs by 1 of 60 characters"),
        ("", "cat", '"" -> cat'),
        (3, 4, "3 -> 4"),
        (3, "3", "3 (number) -> 3 (text)"),
        (True, 1, "true -> 1"),
        (None, "cat", "null -> cat"),
        (1000, 1001, "1000 -> 1001"),  # whole numbers are labels
        (100.0, 100.9, ""),
        (100.0, 102.0, "100.0 -> 102.0"),
        (NAN, NAN, ""),
        (NAN, 1.0, "NaN -> 1.0"),
        (math.inf, math.inf, ""),
        (math.inf, 1e30, "Infinity -> 1e+30"),
        (1e-9, 3e-9, ""),
        ({"label": "cat", "score": 0.91}, {"label": "cat", "score": 0.912}, ""),
        ({"label": "cat", "score": 0.91}, {"label": "dog", "score": 0.4}, "label: cat -> dog; score: 0.91 -> 0.4"),
        # Scores are shares of 1: that of a class that nearly nobody sees may double.
        ([{"className": "cat", "probability": 2e-3}], [{"className": "cat", "probability": 4e-3}], ""),
        ({"label": "cat", "score": 1}, {"label": "cat", "score": 0.995}, ""),
        ({"label": "cat", "score": 0.91}, {"label": "cat", "score": 2.3}, "score: 0.91 -> 2.3"),
        ({"label": "cat"}, {}, "label: cat -> missing"),
        ({}, {"label": "cat"}, "label: missing -> cat"),
        (["cat", "dog"], ["dog", "cat"], "[0]: cat -> dog; [1]: dog -> cat"),
        (["cat"], [], "1 item -> 0"),
        ([0.99, 1e-4, 2e-3], [0.99, 9e-3, 3e-3], ""),  # below 1 % of the largest of the list
        ({"a": [1, {"b": "x"}]}, {"a": [1, {"b": "y"}]}, "a[1].b: x -> y"),
        ({"a": 1, "b": 1, "c": 1, "d": 1}, {"a": 2, "b": 2, "c": 2, "d": 2}, "a: 1 -> 2; b: 1 -> 2; c: 1 -> 2; 1 more"),
        ("x" * 6000, "x" * 5999 + " y", "text differs by at least 2 of 2 words"),
        ("x " * 6000, "x  " * 6000, "text differs by white space"),
    ],
)
def test_a_difference_is_named(python: Any, page: Any, told: str) -> None:
    assert difference(python, page) == told


def _box(x: float, label: Any = "cat", size: float = 10.0, **more: Any) -> dict[str, Any]:
    return {"box": [x, 0.0, x + size, size], "label": label, **more}


@pytest.mark.parametrize(
    ("python", "page", "told"),
    [
        ([_box(0), _box(50)], [_box(51), _box(1)], ""),  # in any order
        ([_box(0, score=0.9)], [_box(0, score=0.895)], ""),
        ([_box(0, score=0.9)], [_box(0, score=0.6)], "1 box with another score: 0.9 -> 0.6"),
        ([_box(0), _box(50), _box(90)], [_box(0)], "2 boxes lost"),
        ([], [_box(0)], "1 box added"),
        ([_box(0)], [_box(4.2)], "1 moved: IoU 0.41"),
        ([_box(0), _box(30)], [_box(0), _box(34.2)], "1 moved: IoU 0.41"),
        ([_box(0)], [_box(8)], "1 box lost, 1 box added"),  # IoU 0.11
        ([_box(0)], [_box(1, "dog")], "1 box cat -> dog"),
        ([_box(0, 3)], [_box(1, 3.0)], ""),
        ([_box(0, track=1)], [_box(0, track=2)], "1 box with another track: 1 -> 2"),
        # Two of Python's overlap one of the page's, and one of them another: only one matching pairs both.
        ([_box(0), _box(4)], [_box(2), _box(7)], ""),
    ],
)
def test_boxes_are_matched_by_overlap_and_label(python: Any, page: Any, told: str) -> None:
    assert difference(python, page) == told


CORNERS = [0.0, 0.0, 10.0, 20.0]
FORMS = {
    "box": {"box": CORNERS, "label": "cat", "score": 0.9},
    "bbox, a class": {"bbox": CORNERS, "class": "cat", "confidence": 0.9},
    "x1": {"x1": 0, "y1": 0, "x2": 10, "y2": 20, "name": "cat"},
    "xmin": {"xmin": 0, "ymin": 0, "xmax": 10, "ymax": 20, "label": "cat"},
    "left, right": {"left": 0, "top": 0, "right": 10, "bottom": 20, "label": "cat"},
    "size": {"x": 0, "y": 0, "width": 10, "height": 20, "category": "cat"},
    "w": {"box": {"x": 0, "y": 0, "w": 10, "h": 20}, "label": "cat"},
    "MediaPipe": {"boundingBox": {"originX": 0, "originY": 0, "width": 10, "height": 20}, "categoryName": "cat"},
    "row": [*CORNERS, "cat"],
    "row with a score": [*CORNERS, 0.9, "cat"],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("other", [FORMS["box"], FORMS["size"]], ids=["box", "size"])
def test_a_box_is_the_same_in_each_form(form: Any, other: Any) -> None:
    assert difference([form], [other]) == "" == difference([other], [form])
    assert difference([form], [{"box": [20, 20, 30, 30], "label": "cat"}]) == "1 box lost, 1 box added"


def test_the_overlap_of_equal_boxes_can_be_set() -> None:
    boxes = [_box(0)], [_box(1)]
    assert difference(*boxes) == "" and difference(*boxes, box_overlap=0.9) == "1 moved: IoU 0.82"
    assert difference([_box(0)], [_box(4.2)], box_overlap=0.1) == ""


def test_parallel_lists_and_a_single_object_are_boxes() -> None:
    lists = {"boxes": [CORNERS, [50, 50, 60, 60]], "scores": [0.9, 0.8], "classes": ["cat", "dog"]}
    assert difference(lists, [{"box": [50, 50, 60, 61], "label": "dog"}, FORMS["box"]]) == ""
    assert difference({**lists, "classes": ["cat", "cat"]}, lists) == "1 box cat -> dog"
    assert difference(FORMS["box"], {**FORMS["size"], "x": 1}) == ""


def test_numbers_that_cannot_be_corners_are_a_corner_and_a_size() -> None:
    def sizes(x: float) -> list[dict[str, Any]]:
        return [{"bbox": [x, 80, 40, 30], "class": "cat"}, {"bbox": [0, 0, 400, 300], "class": "dog"}]

    assert difference(sizes(100), sizes(110)) == ""  # IoU 0.6
    assert difference(sizes(100), sizes(120)) == "1 moved: IoU 0.33"


def test_rows_that_are_no_corners_in_order_are_numbers() -> None:
    rows = [[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]]
    assert difference(rows, [[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.15, 0.05]]).startswith("[1][2]: 0.1 -> 0.15")


# --- what holds for all decisions

_LABELS = st.sampled_from(["cat", "dog", 1, 2.5, None, True])
_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(), st.text(max_size=5))
_BOXES = st.lists(
    st.builds(
        lambda x, y, w, h, label: {"box": [x, y, x + w, y + h], "label": label},
        st.integers(0, 30), st.integers(0, 30), st.integers(0, 20), st.integers(0, 20), _LABELS,
    ),
    max_size=6,
)  # fmt: skip
_JSON = st.recursive(
    _SCALARS | _BOXES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(_JSON)
def test_each_decision_equals_itself_also_after_it_was_text(value: Any) -> None:
    assert difference(value, value) == ""
    assert difference(value, from_text(as_text(value))) == ""


@given(_JSON, _JSON)
def test_a_difference_has_no_direction(one: Any, other: Any) -> None:
    assert bool(difference(one, other)) == bool(difference(other, one))


@given(_BOXES, _BOXES, st.randoms())
def test_the_order_of_boxes_has_no_effect(one: Any, other: Any, random: Any) -> None:
    mixed = [*other]
    random.shuffle(mixed)
    assert bool(difference(one, other)) == bool(difference(one, mixed))


@given(st.text("ab", max_size=8), st.text("ab", max_size=8), st.text("ab", max_size=8))
def test_the_edit_distance_is_a_distance(one: str, other: str, third: str) -> None:
    distance = edit_distance(one, other)
    assert (distance == 0) == (one == other)
    assert distance == edit_distance(other, one)
    assert abs(len(one) - len(other)) <= distance <= max(len(one), len(other))
    assert edit_distance(one, third) <= distance + edit_distance(other, third)


def test_the_edit_distance_of_known_words() -> None:
    assert [edit_distance("kitten", "sitting"), edit_distance("", "abc"), edit_distance("flaw", "lawn")] == [3, 3, 2]


# --- what Python's function may return


class _Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class _Seen:
    label: str
    score: np.float32


class _Tensor:
    def numpy(self) -> Any:
        return np.array([b"cat"], object)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.array([[1, 2]]), [[1, 2]]),
        ((1, "a"), [1, "a"]),
        ({1: np.str_("a"), np.int64(2): None}, {"1": "a", "2": None}),
        (_Color.RED, "red"),
        ([_Seen("cat", np.float32(0.5))], [{"label": "cat", "score": 0.5}]),
        (_Tensor(), ["cat"]),
    ],
)
def test_values_of_python_become_json(value: Any, plain: Any) -> None:
    made = as_json(value)
    assert made == plain and type(made) is type(plain)


def test_a_value_that_is_no_json_is_named_with_its_place() -> None:
    with pytest.raises(TypeError, match=r"'boxes\[1\]\.label' is set: return text"):
        as_json({"boxes": [1, {"label": {1}}]})
    with pytest.raises(TypeError, match="the function returned function"):
        as_json(lambda: 1)
    within: list[Any] = []
    within.append(within)
    with pytest.raises(ValueError, match="a list within itself"):
        as_json(within)
    with pytest.raises(ValueError, match="more than 1000000"):
        as_json("x" * 1_000_001)


def test_nan_and_infinity_stay_what_they_are() -> None:
    text = as_text(as_json({"score": np.float32("nan"), "limit": -np.inf}))
    assert text == '{"score":NaN,"limit":-Infinity}'
    assert difference(from_text(text), {"score": NAN, "limit": -math.inf}) == ""


def test_a_decision_is_shown_in_a_line() -> None:
    assert summary([_box(0), _box(1, "dog"), _box(2)]) == "3 boxes: 2 cat, 1 dog"
    assert (summary({"boxes": [[0, 0, 1, 1]]}), summary([]), summary("cat")) == ("1 box", "[]", "cat")
    assert brief("a cat\nand a dog") == "a cat and a dog"
    assert brief({"score": 0.123456789}) == '{"score":0.1235}'
    assert len(brief("x" * 100)) == 60
