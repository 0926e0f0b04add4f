"""Inputs against the signature: shapes, types, names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pycheck.errors import InputsFileError
from pycheck.inputs import Inputs, from_arrays, open_inputs
from pycheck.types import Signature, TensorSpec


def taking(dtype: str, *shape: int | None) -> Signature:
    return Signature((TensorSpec("x", dtype, (None, *shape)),), ())


PAIR = Signature((TensorSpec("left", "float32", (None, 3)), TensorSpec("right", "float32", (None, 2))), ())


def only(inputs: Inputs) -> np.ndarray:
    return np.concatenate([batch.tensors["x"] for batch in inputs.batches(2)])


def refusal(arrays: Any, signature: Signature) -> InputsFileError:
    with pytest.raises(InputsFileError) as caught:
        from_arrays(arrays, signature)
    return caught.value


# Shapes.


@pytest.mark.parametrize(
    ("given", "wanted", "advice"),
    [
        ((4, 3), (4, 3), "array[numpy.newaxis]"),
        ((5, 4), (4, 1), "array[..., numpy.newaxis]"),
        ((1, 5, 4, 3), (4, 3), "array[0]"),
        ((5,), (4, 3), "again with shape (samples, 4, 3)"),
        ((), (4, 3), "again with shape (samples, 4, 3)"),
    ],
)
def test_a_wrong_rank_says_what_is_missing(given: tuple[int, ...], wanted: tuple[int, ...], advice: str) -> None:
    error = refusal(np.zeros(given, np.float32), taking("float32", *wanted))
    assert f"the model takes (samples, {', '.join(map(str, wanted))})" in error.message
    assert advice in error.advice


def test_a_wrong_dimension_is_named_with_its_axis() -> None:
    error = refusal(np.zeros((5, 4, 3), np.float32), taking("float32", 4, 2))
    assert "size 3 on axis 2, but the model takes 2" in error.message


def test_channels_first_images_get_the_advice_to_move_them() -> None:
    error = refusal(np.zeros((5, 3, 8, 8), np.float32), taking("float32", 8, 8, 3))
    assert "numpy.moveaxis(array, 1, -1)" in error.advice


def test_dynamic_dimensions_take_any_size_but_zero() -> None:
    assert only(from_arrays(np.zeros((2, 9, 3), np.float32), taking("float32", None, 3))).shape == (2, 9, 3)
    assert "no elements" in refusal(np.zeros((2, 0, 3), np.float32), taking("float32", None, 3)).message


def test_zero_samples_are_refused() -> None:
    assert "no samples" in refusal(np.zeros((0, 3), np.float32), taking("float32", 3)).message


def test_a_model_of_fixed_batch_takes_multiples_of_it_alone() -> None:
    fixed = Signature((TensorSpec("x", "float32", (4, 3)),), ())
    assert from_arrays(np.zeros((8, 3), np.float32), fixed).sample_count == 8
    error = refusal(np.zeros((6, 3), np.float32), fixed)
    assert "6 samples" in error.message and "batch of 4" in error.message
    assert "array[:4]" in error.advice
    assert "8 samples" in error.advice
    few = refusal(np.zeros((3, 3), np.float32), fixed)
    assert "4 samples" in few.advice
    repeated = few.advice.partition(": ")[2]
    assert eval(repeated, {"numpy": np, "array": np.zeros((3, 3))}).shape == (4, 3)


# Inputs without a sample axis.


def whole(dtype: str, *shape: int | None) -> TensorSpec:
    return TensorSpec("x", dtype, shape, has_sample_axis=False)


@pytest.mark.parametrize("suffix", ["npy", "npz", "safetensors", "arrays"])
@pytest.mark.parametrize("value", [np.float64(0.5), np.arange(22_050.0)])
def test_one_value_is_one_call(tmp_path: Path, suffix: str, value: Any) -> None:
    signature = Signature((whole("float32", *(None,) * np.ndim(value)),), ())
    path = tmp_path / f"x.{suffix}"
    if suffix == "npy":
        np.save(path, value)
    elif suffix == "npz":
        np.savez(path, x=value)
    elif suffix == "safetensors":
        safetensors.numpy.save_file({"x": np.asarray(value)}, path)
    inputs = from_arrays(value, signature) if suffix == "arrays" else open_inputs(path, signature)
    (batch,) = inputs.batches(32)
    assert (inputs.sample_count, batch.size, batch.whole) == (1, 1, {"x"})
    assert batch.tensors["x"].shape == np.shape(value)
    assert batch.tensors["x"].dtype == np.float32
    np.testing.assert_array_equal(batch.tensors["x"], np.float32(value))


def test_a_scalar_beside_samples_stays_the_same_in_every_batch(tmp_path: Path) -> None:
    signature = Signature((TensorSpec("image", "float32", (None, 2)), TensorSpec("on", "bool", (), False)), ())
    np.savez(tmp_path / "x.npz", image=np.zeros((5, 2), "f4"), on=np.array(True))
    batches = list(open_inputs(tmp_path / "x.npz", signature).batches(2))
    assert [batch.size for batch in batches] == [2, 2, 1]
    assert all(batch.tensors["on"].shape == () and batch.tensors["on"] for batch in batches)


@pytest.mark.parametrize(
    ("given", "wanted", "told"),
    [
        (np.zeros(1, "f4"), (), "array[0]"),
        (np.zeros((2, 8), "f4"), (None,), "no sample axis: give one value"),
        (np.zeros(0, "f4"), (None,), "no elements"),
        (np.zeros(3, "f4"), (4,), "size 3 on axis 0, but the model takes 4"),
    ],
)
def test_what_is_no_one_value_is_refused(given: Any, wanted: tuple[int | None, ...], told: str) -> None:
    error = refusal(given, Signature((whole("float32", *wanted),), ()))
    assert told in f"{error.message} {error.advice}"
    assert "samples" not in error.message


def test_a_scalar_that_its_type_cannot_hold_is_refused() -> None:
    assert "has the value 300, which int8" in refusal(np.int64(300), Signature((whole("int8"),), ())).message


def test_inputs_for_a_model_without_inputs_are_refused() -> None:
    assert "takes no inputs" in refusal({"x": np.zeros(3)}, Signature((), ())).message


# Types.


@pytest.mark.parametrize(
    ("given", "wanted", "note"),
    [
        ("float64", "float32", "x: float64 rounded to float32"),
        ("float32", "float16", "x: float32 rounded to float16"),
        ("float16", "float32", "x: float16 converted to float32"),
        ("int64", "int32", "x: int64 converted to int32"),
        ("uint8", "float32", "x: uint8 converted to float32"),
        ("bool", "float32", "x: bool converted to float32"),
        ("bool", "int32", "x: bool converted to int32"),
        ("int32", "bool", "x: int32 converted to bool"),
    ],
)
def test_values_that_fit_are_taken_and_noted(given: str, wanted: str, note: str) -> None:
    array = np.array([[0, 1, 1]]).astype(given)
    inputs = from_arrays(array, taking(wanted, 3))
    taken = only(inputs)
    assert taken.dtype == wanted
    np.testing.assert_array_equal(taken, array.astype(wanted))
    assert inputs.info.notes == (note,)


def test_the_same_type_needs_no_note() -> None:
    assert from_arrays(np.zeros((1, 3), np.float32), taking("float32", 3)).info.notes == ()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (np.zeros((1, 3), np.float32), "int32"),
        (np.zeros((1, 3), np.complex64), "float32"),
        (np.array([["a", "b", "c"]]), "float32"),
        (np.zeros((1, 3), "datetime64[s]"), "float32"),
    ],
)
def test_types_that_mean_something_else_are_refused(given: np.ndarray, wanted: str) -> None:
    error = refusal(given, taking(wanted, 3))
    named = "text" if given.dtype.kind == "U" else given.dtype.name
    assert f"is {named}, but the model takes {wanted}" in error.message


@pytest.mark.parametrize(
    ("value", "given", "wanted"),
    [
        (2**31, "int64", "int32"),
        (-1, "int32", "uint8"),
        (2**24 + 1, "int32", "float32"),
        (2**63 - 1, "int64", "float32"),
        (2**63 - 1, "int64", "float64"),
        (2**64 - 1, "uint64", "int64"),
        (2, "int32", "bool"),
        (1e300, "float64", "float32"),
        (70000.0, "float32", "float16"),
    ],
)
def test_a_value_that_would_change_is_named_with_its_place(value: float, given: str, wanted: str) -> None:
    array = np.zeros((100, 3), given)
    array[70, 1] = value
    error = refusal(array, taking(wanted, 3))
    assert f"has the value {array[70, 1]} at [70, 1], which {wanted} cannot hold" in error.message


def test_nan_and_infinity_pass_through_every_float_type() -> None:
    array = np.array([[np.nan, np.inf, -np.inf]], np.float64)
    np.testing.assert_array_equal(only(from_arrays(array, taking("float32", 3))), array.astype(np.float32))


INTEGERS = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]


@given(st.data())
def test_integers_arrive_unchanged_or_not_at_all(data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(INTEGERS))
    target = data.draw(st.sampled_from([*INTEGERS, np.float16, np.float32, np.float64, np.bool_]))
    array = data.draw(hnp.arrays(source, (2, 2)))
    exact = all(_holds(int(value), np.dtype(target)) for value in array.ravel())
    try:
        taken = only(from_arrays(array, taking(np.dtype(target).name, 2)))
    except InputsFileError:
        assert not exact
    else:
        assert exact
        assert [int(value) for value in taken.ravel()] == [int(value) for value in array.ravel()]


def _holds(value: int, target: np.dtype[Any]) -> bool:
    if target.kind == "b":
        return value in (0, 1)
    if target.kind in "iu":
        return bool(np.iinfo(target).min <= value <= np.iinfo(target).max)
    with np.errstate(over="ignore"):
        as_float = float(np.array(value).astype(target))
    return np.isfinite(as_float) and int(as_float) == value


# Names.


def test_a_model_with_one_input_takes_the_only_array_under_any_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", picture=np.zeros((2, 3), np.float32))
    inputs = open_inputs(tmp_path / "x.npz", taking("float32", 3))
    assert inputs.info.notes == ("x: read from the array 'picture'",)


def test_unnamed_arrays_of_savez_are_taken_in_the_models_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", np.zeros((2, 3), np.float32), np.ones((2, 2), np.float32))
    inputs = open_inputs(tmp_path / "x.npz", PAIR)
    assert [note.partition(": ")[2] for note in inputs.info.notes] == ["left, right"]
    assert next(inputs.batches(2)).tensors["right"].shape == (2, 2)


def test_a_missing_and_an_extra_name_are_both_named_with_the_nearest() -> None:
    error = refusal({"left": np.zeros((2, 3)), "rihgt": np.zeros((2, 2))}, PAIR)
    assert "'right'" in error.message and "'rihgt'" in error.message
    assert "Did you mean 'right'" in error.advice


def test_an_extra_array_is_refused_even_when_all_inputs_are_there() -> None:
    error = refusal({"left": np.zeros((2, 3)), "right": np.zeros((2, 2)), "labels": np.zeros(2)}, PAIR)
    assert "'labels'" in error.message


def test_one_npy_for_two_inputs_says_how_to_save_both(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((2, 3), np.float32))
    with pytest.raises(InputsFileError, match=r"numpy\.savez\(path, left=\.\.\., right=\.\.\.\)"):
        open_inputs(tmp_path / "x.npy", PAIR)


def test_inputs_of_different_lengths_are_refused_with_both() -> None:
    error = refusal([np.zeros((2, 3)), np.zeros((3, 2))], PAIR)
    assert "left 2, right 3" in error.message


def test_arrays_are_taken_as_one_as_a_list_and_by_name() -> None:
    left, right = np.zeros((2, 3), np.float32), np.ones((2, 2), np.float32)
    by_list, by_name = from_arrays([left, right], PAIR), from_arrays({"right": right, "left": left}, PAIR)
    assert by_list.sample_count == by_name.sample_count == 2
    np.testing.assert_array_equal(only(from_arrays([[1.0, 2.0]], taking("float32", 2))), [[1, 2]])
    np.testing.assert_array_equal(only(from_arrays([right], taking("float32", 2))), right)


def test_ragged_lists_and_wrong_counts_are_refused() -> None:
    assert "lengths" in refusal([[1.0], [1.0, 2.0]], taking("float32", 2)).message
    assert "2 inputs (left, right), but the number of arrays is 3" in refusal([np.zeros((2, 3))] * 3, PAIR).message
    assert "but one array was given" in refusal(np.zeros((2, 3)), PAIR).message


def test_equal_arrays_have_equal_hashes_and_others_do_not() -> None:
    signature = taking("float32", 2)
    hashes = [from_arrays(array, signature).info.sha256 for array in (np.zeros((2, 2)), np.zeros((2, 2)), np.eye(2))]
    assert hashes[0] == hashes[1] != hashes[2]
