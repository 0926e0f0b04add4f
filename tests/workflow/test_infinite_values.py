"""Values that are infinite on both sides are compared without a warning of NumPy in the terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from pycheck.preprocessing.explained import Explained
from pycheck.preprocessing.images.causes import find_causes as causes_of_images
from pycheck.preprocessing.sounds.causes import find_causes as causes_of_sounds
from pycheck.remedies.tensors import _damage
from pycheck.tracing.differences import _of_weight
from pycheck.training.data_facts import _no_distribution
from pycheck.types import Array
from pycheck.workflow.reference_check import _layer_differs

pytestmark = pytest.mark.filterwarnings("error")

Find = Callable[[Sequence[Path], Array, Array], Explained]

INF, NAN = math.inf, math.nan
ENDLESS = np.array([[1.0, INF, -INF, NAN]], np.float32)


@pytest.mark.parametrize(
    ("values", "differs"),
    [
        ([1.0, INF, -INF, NAN], False),
        ([1.00001, INF, -INF, NAN], False),
        ([1.1, INF, -INF, NAN], True),
        ([1.0, -INF, -INF, NAN], True),
        ([1.0, 2.0, -INF, NAN], True),
        ([INF, INF, -INF, NAN], True),
        ([1.0, INF, -INF, 0.0], True),
    ],
)
def test_layers_with_infinite_values_differ_in_these_or_in_finite_ones(values: list[float], differs: bool) -> None:
    assert _layer_differs(ENDLESS, np.array([values], np.float32)) is differs


def test_layers_of_the_largest_numbers_differ_without_an_overflow() -> None:
    largest = np.finfo(np.float32).max
    assert _layer_differs(np.full(2, largest), np.full(2, -largest))


def test_weights_that_are_infinite_on_both_sides_are_equal_and_hide_no_other_difference() -> None:
    assert list(_of_weight("w", ENDLESS, ENDLESS)) == []
    (text,) = _of_weight("w", ENDLESS, np.array([[3.0, INF, -INF, NAN]], np.float32))
    assert text == "1 of 4 values of w differ, most at [0, 0]: 3, in the model 1"
    (text,) = _of_weight("w", ENDLESS, np.array([[1.0, -INF, INF, NAN]], np.float32))
    assert text == "2 of 4 values of w differ, most at [0, 1]: -inf, in the model inf"


def test_the_damage_of_a_quantization_is_that_of_the_finite_weights() -> None:
    before, after = np.array([2.0, 4.0, INF, 0.0], np.float32), np.array([2.0, 5.0, INF, 1.0], np.float32)
    assert _damage(before, after) == 0.125


def test_targets_without_a_sum_are_no_distribution_as_far_as_a_number_is_negative() -> None:
    assert _no_distribution(np.array([[INF, -INF], [0.5, 0.5]])).tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize("find", [causes_of_images, causes_of_sounds])
def test_inputs_of_files_that_are_infinite_on_both_sides_have_no_cause(find: Find) -> None:
    value = np.full((1, 8, 8, 3), -INF, np.float32)
    explained = find([Path("a.png")], value, value.copy())
    assert explained.causes == ()
    assert math.isnan(explained.unexplained_rms)
