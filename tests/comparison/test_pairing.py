from __future__ import annotations

import numpy as np
import pytest

from pycheck.comparison import better_pairings
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


HEADS = {name: rng.normal(size=(8, 4)) for name in ("zeta", "alpha", "mid", "beta", "last")}


def fits_of(outputs: dict[str, object], references: dict[str, np.ndarray] = HEADS) -> dict[str, str]:
    given = {name: rounded(value) for name, value in outputs.items()}
    return {hint.tensor: hint.fits for hint in better_pairings(WEBGL, given, references)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "cycle",
    [("alpha", "beta"), ("alpha", "mid", "beta"), ("zeta", "mid", "alpha", "beta"), tuple(HEADS)],
    ids=["two", "three", "four", "five"],
)
def test_a_cycle_is_found_whole_and_what_is_fixed_is_left(cycle: tuple[str, ...]) -> None:
    wanted = dict(zip(cycle, (*cycle[1:], cycle[0]), strict=True))
    outputs = {name: HEADS[name] for name in HEADS} | {other: HEADS[name] for name, other in wanted.items()}
    assert fits_of(outputs) == wanted


def test_two_swaps_are_both_found() -> None:
    swapped = {"zeta": "alpha", "alpha": "zeta", "mid": "beta", "beta": "mid"}
    assert fits_of({name: HEADS[swapped.get(name, name)] for name in HEADS}) == swapped


def test_a_cycle_is_found_in_weights_that_were_quantized_and_a_single_output_is_not() -> None:
    rough = {name: value + rng.normal(scale=0.03, size=value.shape) for name, value in HEADS.items()}
    rotated = {"alpha": "mid", "mid": "beta", "beta": "alpha"}
    assert fits_of({name: rough[{v: k for k, v in rotated.items()}.get(name, name)] for name in HEADS}) == rotated
    assert fits_of({**rough, "alpha": rough["mid"]}) == {}


def test_outputs_of_unlike_shapes_that_are_swapped_are_found() -> None:
    references = {"scores": HEADS["mid"], "boxes": rng.normal(size=(8, 6)), "more": rng.normal(size=(8, 2))}
    rotated = {"scores": "boxes", "boxes": "more", "more": "scores"}
    outputs = {other: references[name] for name, other in rotated.items()}
    assert fits_of(outputs, references) == rotated
    wrong = {**outputs, "boxes": outputs["boxes"] * 1.5}
    assert "scores" not in fits_of(wrong, references)


def test_nearly_equal_heads_are_not_swapped_by_their_roundoff() -> None:
    near = {"a": A, "b": A + 1e-9, "c": B}
    assert fits_of({"a": rounded(A + 1e-9), "b": rounded(A), "c": B}, near) == {}
