from __future__ import annotations

import numpy as np

from pycheck.compare import better_pairings
from pycheck.types import RuntimeId

WEBGL = RuntimeId("chromium", "webgl")
rng = np.random.default_rng(0)
A, B = rng.normal(size=(4, 5)), rng.normal(size=(4, 5))


def rounded(values: object) -> object:
    return np.asarray(values, np.float32)


def test_swapped_outputs_are_noticed_on_both_sides() -> None:
    hints = better_pairings(WEBGL, {"a": rounded(B), "b": rounded(A)}, {"a": A, "b": B})
    assert [(h.tensor, h.fits) for h in hints] == [("a", "b"), ("b", "a")]
    assert hints[0].fitting_rms_error < 1e-6 < hints[0].rms_error


def test_outputs_paired_rightly_give_no_hint() -> None:
    assert better_pairings(WEBGL, {"a": rounded(A), "b": rounded(B)}, {"a": A, "b": B}) == ()


def test_two_equal_outputs_give_no_hint() -> None:
    assert better_pairings(WEBGL, {"a": rounded(A), "b": A}, {"a": A, "b": A}) == ()


def test_an_output_that_is_wrong_by_itself_gives_no_hint() -> None:
    assert better_pairings(WEBGL, {"a": rounded(A * 2), "b": rounded(B)}, {"a": A, "b": B}) == ()


def test_outputs_of_other_shapes_are_not_offered() -> None:
    assert better_pairings(WEBGL, {"a": rounded(A * 2), "b": rounded(A.T)}, {"a": A, "b": A.T}) == ()


def test_non_finite_elements_are_left_out_of_the_judgement() -> None:
    broken = A.copy()
    broken[0, 0] = np.nan
    hints = better_pairings(WEBGL, {"a": rounded(B), "b": broken}, {"a": A, "b": B})
    assert ("a", "b") in [(h.tensor, h.fits) for h in hints]
