"""Inputs generated from the signature: seeded, in range, independent of the batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pycheck.errors import InputsFileError, UsageError
from pycheck.inputs import Inputs, make_inputs
from pycheck.inputs.drawing import Plan, draw
from pycheck.types import InputHint, Padding, Signature, TensorSpec, Values


def taking(*specs: TensorSpec) -> Signature:
    return Signature(specs, ())


IMAGE = taking(TensorSpec("image", "float32", (None, 8, 3)))
IDS = taking(TensorSpec("ids", "int32", (None, 50)))
TWENTY = InputHint((Values("ids", "rows of a table", None, 0, 20),))


def all_of(inputs: Inputs, size: int = 4) -> np.ndarray:
    return np.concatenate([next(iter(batch.tensors.values())) for batch in inputs.batches(size)])


def test_floats_are_uniform_between_zero_and_one_by_default() -> None:
    made = all_of(make_inputs(IMAGE, samples=100, seed=0))
    assert made.shape == (100, 8, 3)
    assert made.dtype == np.float32
    assert 0 <= made.min() < 0.01 and 0.99 < made.max() <= 1


def test_the_range_that_is_asked_for_is_used() -> None:
    made = all_of(make_inputs(IMAGE, samples=100, seed=0, ranges={None: (-255, 255)}))
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
    made = all_of(make_inputs(IDS, samples=50, seed=0, hints={"ids": TWENTY}))
    assert set(made.ravel()) == set(range(20))
    assert made.dtype == np.int32


def test_a_range_does_not_lead_out_of_the_vocabulary() -> None:
    made = all_of(make_inputs(IDS, samples=50, seed=0, ranges={None: (5, 255)}, hints={"ids": TWENTY}))
    assert set(made.ravel()) == set(range(5, 20))
    made = all_of(make_inputs(IDS, samples=50, seed=0, ranges={None: (100, 255)}, hints={"ids": TWENTY}))
    assert made.max() < 20


def test_a_range_for_all_inputs_does_not_leave_one_entry_of_a_table_alone() -> None:
    made = all_of(make_inputs(IDS, samples=50, seed=0, ranges={None: (0, 1)}, hints={"ids": TWENTY}))
    assert set(made.ravel()) == set(range(20))
    made = all_of(make_inputs(IDS, samples=50, seed=0, ranges={"ids": (0, 1)}, hints={"ids": TWENTY}))
    assert set(made.ravel()) == {0}


def test_bytes_cover_their_whole_type_and_booleans_both_values() -> None:
    made = all_of(make_inputs(taking(TensorSpec("x", "uint8", (None, 999))), samples=9, seed=0))
    assert (made.min(), made.max()) == (0, 255)
    made = all_of(make_inputs(taking(TensorSpec("x", "bool", (None, 99))), samples=2, seed=0))
    assert made.dtype == bool and 0.3 < made.mean() < 0.7


@pytest.mark.parametrize(
    ("shape", "made"),
    [
        ((None, None, None, 3), (64, 64, 3)),
        ((None, 5, None, None, 3), (5, 64, 64, 3)),
        ((None, None, None, None, 3), (16, 16, 16, 3)),
        ((None, None, 80, 1), (8, 80, 1)),
        ((None, 6, None, 3), (6, 8, 3)),
        ((None, None, 24, 24, 3), (8, 24, 24, 3)),
        ((None, None, None), (8, 8)),
    ],
)
def test_free_dimensions_are_64_in_images_16_in_volumes_and_8_in_sequences(
    shape: tuple[int | None, ...], made: tuple[int, ...]
) -> None:
    assert all_of(make_inputs(taking(TensorSpec("x", "float32", shape)), samples=1, seed=0)).shape == (1, *made)


def test_the_size_of_free_dimensions_is_said() -> None:
    words = make_inputs(taking(TensorSpec("x", "int64", (None, None))), samples=1, seed=0)
    assert all_of(words).shape == (1, 8)
    assert "samples of shape (8,)" in words.info.notes[1]


def test_the_notes_say_that_inputs_were_made_and_how() -> None:
    info = make_inputs(IMAGE, samples=3, seed=9).info
    assert info.path is None
    assert info.notes == ("generated from the model's signature: 3 samples, seed 9", "image: uniform in [0, 1)")


def test_the_hash_changes_with_whatever_changes_the_values() -> None:
    hashes = {
        make_inputs(IMAGE, samples=3, seed=9).info.sha256,
        make_inputs(IMAGE, samples=4, seed=9).info.sha256,
        make_inputs(IMAGE, samples=3, seed=8).info.sha256,
        make_inputs(IMAGE, samples=3, seed=9, ranges={None: (0, 2)}).info.sha256,
        make_inputs(IDS, samples=3, seed=9).info.sha256,
        make_inputs(IDS, samples=3, seed=9, hints={"ids": InputHint((Values("ids", "", None, 0, 3),))}).info.sha256,
    }
    assert len(hashes) == 6
    assert make_inputs(IMAGE, samples=3, seed=9).info.sha256 in hashes


@pytest.mark.parametrize(
    "wrong", [{"samples": 0}, {"seed": -1}, {"ranges": {None: (2.0, 1.0)}}, {"ranges": {"image": (0.0, float("inf"))}}]
)
def test_what_cannot_be_made_is_a_usage_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        make_inputs(IMAGE, **{"samples": 2, "seed": 0, **wrong})


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
    assert none.info.notes == ()


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
    with pytest.raises(InputsFileError, match="complex"):
        make_inputs(taking(TensorSpec("x", "complex64", (None, 3))), samples=1, seed=0)


def hinted(spec: TensorSpec, *values: Values, padding: Padding | None = None, samples: int = 40, **how: Any) -> Any:
    """The array, and the line that tells of it."""
    made = make_inputs(taking(spec), samples=samples, seed=0, hints={spec.name: InputHint(values, padding)}, **how)
    return all_of(made, 16), made.info.notes[1]


@pytest.mark.parametrize("dtype", ["float32", "int32", "int64", "float16"])
def test_ids_are_whole_whatever_the_type_and_every_row_comes_before_any_comes_again(dtype: str) -> None:
    made, note = hinted(TensorSpec("x", dtype, (None, 10)), Values("ids", "320 rows of e", None, 0, 320), samples=32)
    assert made.dtype == dtype
    assert sorted(made.ravel().tolist()) == list(range(320))
    assert note == "x: whole numbers from 0 to 319 (320 rows of e)"


def test_each_column_has_its_own_table_and_the_rest_stays_what_it_was() -> None:
    values = (Values("ids", "a", (0,), 0, 10), Values("ids", "b", (3, 1), 5, 9))
    made, note = hinted(TensorSpec("x", "float32", (None, 5)), *values)
    assert set(made[:, 0]) == set(range(10))
    assert set(made[:, [1, 3]].ravel()) == {5, 6, 7, 8}
    rest = made[:, [2, 4]]
    assert rest.min() >= 0 and rest.max() < 1 and len(np.unique(rest)) == rest.size
    assert note == (
        "x: column 0 whole numbers from 0 to 9 (a), columns 3, 1 whole numbers from 5 to 8 (b), "
        "columns 2, 4 uniform in [0, 1)"
    )


def test_a_quarter_of_the_samples_is_padded_at_its_end_and_nothing_else_is_the_padding() -> None:
    values, padding = Values("ids", "rows", None, 0, 178), Padding(0.0, -1, "mask_zero")
    made, note = hinted(TensorSpec("x", "float32", (None, 12)), values, padding=padding)
    padded = (made == 0).any(axis=1)
    assert padded.mean() == 0.25
    for row in made[padded]:
        length = int((row != 0).sum())
        assert 1 <= length < 12 and (row[:length] != 0).all()
    assert note == "x: whole numbers from 1 to 177 (rows), 25 % of the samples padded with 0 (mask_zero)"


def test_rows_of_features_are_padded_whole() -> None:
    made, _ = hinted(TensorSpec("x", "float32", (None, 6, 3)), padding=Padding(-1.0, -2, "mask_value"))
    rows = (made == -1).all(axis=2)
    assert rows.any(axis=1).mean() == 0.25 and not rows[:, 0].any()
    assert ((made == -1) == rows[:, :, None]).all()


@pytest.mark.parametrize("dtype", ["bool", "int32", "float32"])
def test_a_mask_begins_with_true_and_has_lengths_of_all_kinds(dtype: str) -> None:
    made, _ = hinted(TensorSpec("m", dtype, (None, 4, 9)), Values("mask", "a mask"))
    lengths = made.astype(int).sum(axis=2)
    assert (made.astype(int) == (np.arange(9) < lengths[..., None])).all()
    assert lengths.min() >= 1 and len(np.unique(lengths)) > 5
    assert (lengths == lengths[:, :1]).all()


def test_masks_and_paddings_of_one_sample_have_one_length() -> None:
    ids, mask = TensorSpec("ids", "int32", (None, 9)), TensorSpec("m", "bool", (None, 9))
    hints = {
        "ids": InputHint((Values("ids", "", None, 0, 5),), Padding(0, -1, "")),
        "m": InputHint((Values("mask", ""),)),
    }
    tensors = next(make_inputs(taking(ids, mask), samples=32, seed=3, hints=hints).batches(32)).tensors
    padded = (tensors["ids"] == 0).any(axis=1)
    np.testing.assert_array_equal(tensors["m"][padded], tensors["ids"][padded] != 0)


def test_keys_come_with_some_that_the_table_does_not_have() -> None:
    made, note = hinted(TensorSpec("k", "int64", (None, 2)), Values("keys", "keys of t", keys=(30, 50, 7)))
    assert set(made.ravel()) == {30, 50, 7, 0}
    assert 0 < (made == 0).mean() < 0.2
    assert note == "k: the 3 keys of the table, and one unknown key in 8 (keys of t)"


def test_bins_are_all_hit_and_beyond_the_outermost() -> None:
    made, _ = hinted(TensorSpec("x", "float32", (None, 1)), Values("bins", "", edges=(0.0, 10.0, 100.0)))
    assert set(np.digitize(made.ravel(), [0, 10, 100])) == {0, 1, 2, 3}


def test_a_normal_has_the_mean_and_the_deviation_of_each_column() -> None:
    values = Values("normal", "", (0, 2), mean=(100.0, -3.0), deviation=(5.0, 0.1))
    made, _ = hinted(TensorSpec("x", "float32", (None, 3)), values, samples=400)
    np.testing.assert_allclose(made[:, [0, 2]].mean(axis=0), [100, -3], rtol=0.02)
    np.testing.assert_allclose(made[:, [0, 2]].std(axis=0), [5, 0.1], rtol=0.15)


@pytest.mark.parametrize(
    "values",
    [Values("ids", "", None, 0, 500), Values("keys", "", keys=(1, 2)), Values("bins", "", edges=(1.0,)),
     Values("mask", ""), Values("whole", "", None, 0, 256), Values("normal", "", mean=(0.0,), deviation=(1.0,))],
    ids=lambda values: values.kind,
)  # fmt: skip
def test_a_sample_is_the_same_whatever_the_batch_and_the_count(values: Values) -> None:
    spec, padding = TensorSpec("x", "float32", (None, 7)), Padding(0.0, -1, "")
    hints = {"x": InputHint((values,), padding)}
    few, many = (make_inputs(taking(spec), samples=n, seed=7, hints=hints) for n in (5, 23))
    np.testing.assert_array_equal(all_of(few, 2), all_of(few, 5))
    np.testing.assert_array_equal(all_of(few), all_of(many)[:5])


def test_a_range_for_one_input_counts_as_it_is_and_leaves_the_others() -> None:
    specs = TensorSpec("kinds", "float32", (None, 9)), TensorSpec("other", "float32", (None, 9))
    hints = {spec.name: InputHint((Values("ids", "", None, 0, 5),), Padding(0, -1, "")) for spec in specs}
    made = make_inputs(taking(*specs), samples=40, seed=0, ranges={"kinds": (1, 12)}, hints=hints)
    tensors = next(made.batches(40)).tensors
    assert set(tensors["kinds"].ravel()) == set(range(1, 12))
    assert set(tensors["other"].ravel()) == set(range(5))
    assert made.info.notes[1] == "kinds: whole numbers from 1 to 11 (--range)"


def test_a_range_replaces_a_scale_but_neither_ids_nor_masks() -> None:
    specs = [TensorSpec(name, "float32", (None, 9)) for name in ("scaled", "ids", "m")]
    hints = {
        "scaled": InputHint((Values("normal", "", mean=(100.0,), deviation=(1.0,)),)),
        "ids": InputHint((Values("ids", "", None, 0, 5),)),
        "m": InputHint((Values("mask", ""),)),
    }
    made = make_inputs(taking(*specs), samples=40, seed=0, ranges={None: (-1, 3)}, hints=hints)
    tensors = next(made.batches(40)).tensors
    assert -1 <= tensors["scaled"].min() < -0.8 and 2.8 < tensors["scaled"].max() < 3
    assert set(tensors["ids"].ravel()) == {0, 1, 2} and set(tensors["m"].ravel()) == {0, 1}


def test_an_input_that_is_not_there_is_named_with_the_nearest_that_is() -> None:
    with pytest.raises(UsageError, match=r"(?s)'imag'.*Did you mean 'image'"):
        make_inputs(IMAGE, samples=1, seed=0, ranges={"imag": (0, 1)})


def test_free_dimensions_take_the_sizes_that_are_given() -> None:
    spec = TensorSpec("x", "float32", (None, None, None, 3))
    assert all_of(make_inputs(taking(spec), samples=1, seed=0, sizes={"x": (20, 30)})).shape == (1, 20, 30, 3)


def test_texts_are_keys_or_sentences_of_keys_and_of_words_that_are_none() -> None:
    keys = Values("keys", "", keys=("red", "green"))
    words = [draw(Plan("x", "string", (2,), (keys,)), number=0, index=i, seed=0) for i in range(40)]
    assert {word for sample in words for word in sample} == {"red", "green", "unknown"}
    plan = Plan("x", "string", (), (replace(keys, words=True),))
    texts = [str(draw(plan, number=0, index=i, seed=0)) for i in range(40)]
    assert {word for text in texts for word in text.split()} == {"red", "green", "unknown"}
    assert {len(text.split()) for text in texts} >= {1, 4, 8}


@pytest.mark.parametrize("kind", ["whole", "ids"])
def test_numbers_that_are_drawn_for_a_text_which_is_hashed_are_written_as_text(kind: str) -> None:
    plan = Plan("x", "string", (2, 3), (Values(kind, "", low=0, high=2_000_000),))
    made = draw(plan, number=0, index=1, seed=0)
    assert made.dtype == object and made.shape == (2, 3)
    assert all(isinstance(text, str) and text.isdigit() for text in made.ravel())
