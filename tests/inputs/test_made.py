"""Inputs made from the signature: seeded, in range, independent of the batch."""

from __future__ import annotations

import numpy as np
import pytest

from pycheck.errors import InputsFileError, UsageError
from pycheck.inputs import Inputs, make_inputs
from pycheck.types import Signature, TensorSpec


def taking(*specs: TensorSpec) -> Signature:
    return Signature(specs, ())


IMAGE = taking(TensorSpec("image", "float32", (None, 8, 3)))
IDS = taking(TensorSpec("ids", "int32", (None, 50)))


def all_of(inputs: Inputs, size: int = 4) -> np.ndarray:
    return np.concatenate([next(iter(batch.tensors.values())) for batch in inputs.batches(size)])


def test_floats_are_uniform_between_zero_and_one_by_default() -> None:
    made = all_of(make_inputs(IMAGE, samples=100, seed=0))
    assert made.shape == (100, 8, 3)
    assert made.dtype == np.float32
    assert 0 <= made.min() < 0.01 and 0.99 < made.max() <= 1


def test_the_range_that_is_asked_for_is_used() -> None:
    made = all_of(make_inputs(IMAGE, samples=100, seed=0, low=-255, high=255))
    assert -255 <= made.min() < -250 and 250 < made.max() <= 255


def test_samples_depend_on_the_seed_alone_and_not_on_the_batch_or_the_count() -> None:
    few, many = make_inputs(IMAGE, samples=5, seed=7), make_inputs(IMAGE, samples=9, seed=7)
    np.testing.assert_array_equal(all_of(few, 2), all_of(few, 5))
    np.testing.assert_array_equal(all_of(few), all_of(many)[:5])
    assert not np.array_equal(all_of(few), all_of(make_inputs(IMAGE, samples=5, seed=8)))


def test_two_inputs_of_one_shape_get_different_values() -> None:
    pair = taking(TensorSpec("a", "float32", (None, 3)), TensorSpec("b", "float32", (None, 3)))
    tensors = next(make_inputs(pair, samples=1, seed=0).batches(1)).tensors
    assert not np.array_equal(tensors["a"], tensors["b"])


def test_integers_are_zero_and_one_where_no_vocabulary_is_known() -> None:
    assert set(all_of(make_inputs(IDS, samples=20, seed=0)).ravel()) == {0, 1}


def test_integers_cover_the_vocabulary_that_is_known() -> None:
    made = all_of(make_inputs(IDS, samples=50, seed=0, bounds={"ids": (0, 20)}))
    assert set(made.ravel()) == set(range(20))
    assert made.dtype == np.int32


def test_a_range_does_not_lead_out_of_the_vocabulary() -> None:
    made = all_of(make_inputs(IDS, samples=50, seed=0, low=5, high=255, bounds={"ids": (0, 20)}))
    assert set(made.ravel()) == set(range(5, 20))
    made = all_of(make_inputs(IDS, samples=50, seed=0, low=100, high=255, bounds={"ids": (0, 20)}))
    assert made.max() < 20


def test_bytes_cover_their_whole_type_and_booleans_both_values() -> None:
    made = all_of(make_inputs(taking(TensorSpec("x", "uint8", (None, 999))), samples=9, seed=0))
    assert (made.min(), made.max()) == (0, 255)
    made = all_of(make_inputs(taking(TensorSpec("x", "bool", (None, 99))), samples=2, seed=0))
    assert made.dtype == bool and 0.3 < made.mean() < 0.7


def test_dynamic_dimensions_are_64_in_images_and_8_in_sequences() -> None:
    image = make_inputs(taking(TensorSpec("x", "float32", (None, None, None, 3))), samples=1, seed=0)
    assert all_of(image).shape == (1, 64, 64, 3)
    words = make_inputs(taking(TensorSpec("x", "int64", (None, None))), samples=1, seed=0)
    assert all_of(words).shape == (1, 8)
    assert "samples of shape (8,)" in words.info.notes[1]


def test_the_notes_say_that_inputs_were_made_and_how() -> None:
    info = make_inputs(IMAGE, samples=3, seed=9).info
    assert info.path is None
    assert info.notes == ("made from the model's signature: 3 samples, seed 9", "image: uniform in [0, 1)")


def test_the_hash_changes_with_whatever_changes_the_values() -> None:
    hashes = {
        make_inputs(IMAGE, samples=3, seed=9).info.sha256,
        make_inputs(IMAGE, samples=4, seed=9).info.sha256,
        make_inputs(IMAGE, samples=3, seed=8).info.sha256,
        make_inputs(IMAGE, samples=3, seed=9, low=0, high=2).info.sha256,
        make_inputs(IDS, samples=3, seed=9).info.sha256,
        make_inputs(IDS, samples=3, seed=9, bounds={"ids": (0, 3)}).info.sha256,
    }
    assert len(hashes) == 6
    assert make_inputs(IMAGE, samples=3, seed=9).info.sha256 in hashes


@pytest.mark.parametrize(
    "wrong", [{"samples": 0}, {"seed": -1}, {"low": 2.0, "high": 1.0}, {"low": 0.0, "high": float("inf")}]
)
def test_what_cannot_be_made_is_a_usage_error(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        make_inputs(IMAGE, **{"samples": 2, "seed": 0, **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize(("batch", "made"), [(1, 6), (3, 6), (4, 8), (16, 16)])
def test_samples_are_rounded_up_to_a_fixed_batch(batch: int, made: int) -> None:
    fixed = make_inputs(taking(TensorSpec("x", "float32", (batch, 3))), samples=6, seed=0)
    assert all_of(fixed).shape == (made, 3)
    assert fixed.sample_count == made
    assert (f"6 rounded up to the model's batch of {batch}" in fixed.info.notes[0]) == (made != 6)


def test_a_model_without_inputs_runs_once() -> None:
    none = make_inputs(taking(), samples=6, seed=0)
    (batch,) = none.batches(4)
    assert (batch.tensors, batch.size, none.sample_count) == ({}, 1, 1)
    assert none.info.notes == ("none: the model takes no inputs and runs once",)


def test_an_input_without_a_sample_axis_is_one_value_in_every_batch() -> None:
    signature = taking(
        TensorSpec("x", "float32", (None, 3)),
        TensorSpec("table", "float32", (None, 2), has_sample_axis=False),
        TensorSpec("training", "bool", (), has_sample_axis=False),
        TensorSpec("k", "int32", (), has_sample_axis=False),
        TensorSpec("threshold", "float32", (), has_sample_axis=False),
    )
    made = make_inputs(signature, samples=5, seed=0)
    batches = list(made.batches(2))
    assert [batch.size for batch in batches] == [2, 2, 1]
    assert {name: value.shape for name, value in batches[0].tensors.items()} == {
        "x": (2, 3), "table": (8, 2), "training": (), "k": (), "threshold": ()
    }  # fmt: skip
    for batch in batches[1:]:
        assert np.array_equal(batch.tensors["table"], batches[0].tensors["table"])
    assert (batches[0].tensors["training"], batches[0].tensors["k"]) == (False, 1)
    assert "training: false" in made.info.notes


@pytest.mark.parametrize("shape", [(None,), (4000,), (None, None, 3)])
def test_a_waveform_or_a_picture_without_a_batch_is_one_call(shape: tuple[int | None, ...]) -> None:
    made = make_inputs(taking(TensorSpec("x", "float32", shape, has_sample_axis=False)), samples=16, seed=0)
    (batch,) = made.batches(4)
    assert batch.tensors["x"].ndim == len(shape)
    assert (batch.size, made.sample_count, batch.whole) == (1, 1, {"x"})
    assert "no input has a sample axis, so the model runs once" in made.info.notes[0]


def test_an_input_that_is_no_number_cannot_be_made() -> None:
    with pytest.raises(InputsFileError, match="only numbers can be made"):
        make_inputs(taking(TensorSpec("x", "complex64", (None, 3))), samples=1, seed=0)
