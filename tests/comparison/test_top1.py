from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pycheck.comparison import measure
from pycheck.comparison.top1 import Top1
from pycheck.types import Array, Top1Flip


def top1(candidate: object, reference: object, start: int = 0) -> Top1 | None:
    r = np.array(reference, np.float64)
    return measure(np.array(candidate, np.float32), r, r, start=start).top1


def test_a_flip_tells_both_classes_and_the_references_margin() -> None:
    result = top1([[0.2, 0.7, 0.1], [0.4, 0.3, 0.3]], [[0.5, 0.4, 0.1], [0.4, 0.3, 0.3]], start=10)
    assert result is not None
    assert (result.rows, result.changed) == (2, 1)
    assert result.flips == (Top1Flip(10, (), 0, 1, pytest.approx(0.1)),)


def test_the_largest_margins_are_listed_and_all_are_counted() -> None:
    margins = np.linspace(0.1, 0.9, 30)
    reference = np.stack([margins, np.zeros(30)], axis=1)
    result = top1(reference[:, ::-1], reference)
    assert result is not None
    assert (result.rows, result.changed, len(result.flips)) == (30, 30, 8)
    assert result.flips[0].margin == pytest.approx(0.9)
    assert result.flips[-1].margin == pytest.approx(margins[-8])


def test_an_exact_tie_in_the_reference_is_no_flip() -> None:
    result = top1([[0.4, 0.5, 0.1]], [[0.5, 0.5, 0.0]])
    assert result is not None
    assert (result.rows, result.changed) == (1, 0)


def test_a_candidates_nan_row_counts_as_changed_and_a_references_nan_row_not_at_all() -> None:
    result = top1([[np.nan, 1.0], [0.0, 1.0]], [[0.0, 1.0], [np.nan, 1.0]])
    assert result is not None
    assert (result.rows, result.changed, result.flips) == (1, 1, ())


def test_infinities_compare_as_numbers() -> None:
    result = top1([[np.inf, 1.0], [-np.inf, 1.0]], [[3.0, 1.0], [0.0, 1.0]])
    assert result is not None
    assert (result.rows, result.changed) == (2, 0)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (2, 100_001)])
def test_what_has_no_class_axis_has_no_top_class(shape: tuple[int, ...]) -> None:
    assert top1(np.zeros(shape), np.zeros(shape)) is None


def test_a_feature_map_has_no_top_class_but_a_softmax_of_any_rank_has() -> None:
    features = np.random.default_rng(0).normal(size=(2, 3, 4))
    assert top1(features, features) is None
    shares = np.exp(features) / np.exp(features).sum(axis=-1, keepdims=True)
    other = shares.copy()
    other[1, 2] = other[1, 2, ::-1]
    result = top1(other, shares)
    assert result is not None
    assert (result.rows, result.changed) == (6, 1)
    assert (result.flips[0].sample, result.flips[0].index) == (1, (2,))


@given(hnp.arrays(np.float32, (2, 20, 4), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
def test_agreement_is_that_of_plain_python(values: Array) -> None:
    candidate, reference = values
    result = top1(candidate, reference)
    changed = sum(r[int(np.argmax(c))] != max(r) for c, r in zip(candidate.tolist(), reference.tolist(), strict=True))
    assert result is not None
    assert (result.rows, result.changed) == (20, changed)


SOFTMAX = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]])
LOGITS = np.array([[5.0, -3.0, 0.2], [-1.0, 8.0, 0.1]])


@pytest.mark.parametrize(
    ("values", "name", "certain"),
    [
        (SOFTMAX, "dense_2", True),
        (LOGITS, "dense_2", False),
        (LOGITS, "logits", True),
        (LOGITS, "class_scores", True),
        (SOFTMAX, "boxes", None),
        (LOGITS, "bbox_coords", None),
        (LOGITS, "sentence_embedding", None),
        (LOGITS, "keypoints", None),
        (LOGITS[:, None], "logits", None),
    ],
)
def test_rows_are_classes_if_they_are_distributions_or_their_name_says_so(
    values: Array, name: str, certain: bool | None
) -> None:
    result = measure(values.astype(np.float32), values, values, start=0, name=name).top1
    assert (None if result is None else result.certain) == certain


def test_two_batches_are_classes_for_certain_only_if_both_are() -> None:
    softmax, logits = (measure(v.astype(np.float32), v, v, start=0).top1 for v in (SOFTMAX, LOGITS))
    assert softmax is not None and logits is not None
    assert [(a + b).certain for a, b in ((softmax, softmax), (softmax, logits), (logits, softmax))] == [
        True,
        False,
        False,
    ]
