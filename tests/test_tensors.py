"""Tensors to and from bytes, held to what the safetensors package does."""

from __future__ import annotations

import json

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pycheck import tensors
from pycheck.errors import InputsFileError, RuntimeFailedError
from pycheck.types import Array

DTYPES = st.sampled_from(
    ["float64", "float32", "float16", "int64", "uint64", "int32", "uint32", "int16", "uint16", "int8", "uint8", "bool"]
)
ARRAYS = DTYPES.flatmap(
    lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
)
NAMED = st.dictionaries(st.text(min_size=1).filter(lambda name: name != "__metadata__"), ARRAYS, max_size=5)


def same(left: Array, right: Array) -> bool:
    """Equal to the bit, so that NaN and minus zero count."""
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


@given(NAMED)
def test_what_is_written_is_read_back_to_the_bit(named: dict[str, Array]) -> None:
    encoded = tensors.encode(named)
    data = encoded.tobytes()
    read = tensors.decode(data)
    assert len(data) == encoded.size_bytes
    assert read.keys() == named.keys()
    assert all(same(read[name], array) for name, array in named.items())


@given(NAMED)
def test_the_safetensors_package_reads_what_is_written(named: dict[str, Array]) -> None:
    read = safetensors.numpy.load(tensors.encode(named).tobytes())
    assert read.keys() == named.keys()
    assert all(same(read[name], array) for name, array in named.items())


@given(NAMED)
def test_what_the_safetensors_package_writes_is_read(named: dict[str, Array]) -> None:
    contiguous = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in named.items()}
    read = tensors.decode(safetensors.numpy.save(contiguous, metadata={"made": "by hand"}))
    assert read.keys() == named.keys()
    assert all(same(read[name], array) for name, array in named.items())


def test_writing_copies_no_tensor() -> None:
    array = np.arange(6, dtype=np.float32)
    part = tensors.encode({"x": array}).parts[1]
    assert np.shares_memory(np.frombuffer(part, np.float32), array)


def test_reading_copies_no_tensor() -> None:
    data = bytearray(tensors.encode({"x": np.arange(6, dtype=np.float32)}).tobytes())
    assert np.shares_memory(tensors.decode(data)["x"], np.frombuffer(data, np.uint8))


def test_every_tensor_is_aligned_to_its_item_size() -> None:
    named = {"a": np.zeros(3, bool), "b": np.zeros(3, np.int16), "c": np.zeros(1, np.float32), "d": np.zeros(1)}
    data = tensors.encode(named).tobytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    offsets = {name: start + entry["data_offsets"][0] for name, entry in header.items()}
    assert all(offset % named[name].itemsize == 0 for name, offset in offsets.items())


def test_a_strided_and_a_big_endian_tensor_are_written_as_their_values() -> None:
    strided = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
    swapped = np.arange(4, dtype=">i4")
    read = tensors.decode(tensors.encode({"s": strided, "b": swapped}).tobytes())
    assert np.array_equal(read["s"], strided)
    assert np.array_equal(read["b"], swapped)


def test_complex_numbers_come_back_as_they_were_and_as_the_package_reads_them() -> None:
    value = np.array([[1 + 2j, -0.5j], [3e38, complex(0, np.inf)]], np.complex64)
    data = tensors.encode({"mask": np.ones(3, bool), "x": value}).tobytes()
    assert np.array_equal(tensors.decode(data)["x"], value)
    assert np.array_equal(safetensors.numpy.load(data)["x"], value)


def test_a_dtype_that_safetensors_cannot_hold_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'x' has dtype complex128"):
        tensors.encode({"x": np.zeros(1, np.complex128)})


@given(st.integers(0, 200))
def test_bytes_that_are_cut_short_are_refused(keep: int) -> None:
    data = tensors.encode({"x": np.arange(40, dtype=np.float32)}).tobytes()
    with pytest.raises(RuntimeFailedError, match="tensor data"):
        tensors.decode(data[:keep])


@given(st.binary(max_size=64))
def test_bytes_that_are_not_safetensors_are_refused_or_empty(data: bytes) -> None:
    try:
        assert tensors.decode(data) == {}
    except RuntimeFailedError as error:
        assert "tensor data" in error.message


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]},
        {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
        {"dtype": "X32", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1]},
        [],
    ],
    ids=str,
)
def test_an_entry_that_does_not_fit_its_data_is_refused(entry: object) -> None:
    header = json.dumps({"x": entry}).encode()
    with pytest.raises(RuntimeFailedError, match="not safetensors"):
        tensors.decode(len(header).to_bytes(8, "little") + header + bytes(4))


@pytest.mark.parametrize("dtype", ["float32", "int32", "bool", "complex64"])
def test_what_tfjs_has_is_not_touched(dtype: str) -> None:
    array = np.ones(3, dtype)
    converted, note = tensors.to_tfjs("x", array)
    assert converted is array
    assert note is None


@pytest.mark.parametrize(
    ("dtype", "becomes", "how"),
    [
        ("float64", "float32", "rounded"),
        ("float16", "float32", "widened"),
        ("complex128", "complex64", "rounded"),
        ("int64", "int32", "as int32"),
        ("uint32", "int32", "as int32"),
        ("int8", "int32", "as int32"),
        ("uint8", "int32", "as int32"),
    ],
)
def test_what_tfjs_lacks_is_converted_and_told(dtype: str, becomes: str, how: str) -> None:
    converted, note = tensors.to_tfjs("x", np.array([1, 2], dtype))
    assert converted.dtype == becomes
    assert converted.tolist() == [1, 2]
    assert note is not None
    assert note.startswith(f"x: {dtype}")
    assert how in note


def test_a_float64_beyond_float32_becomes_infinite_as_in_tfjs() -> None:
    converted, _ = tensors.to_tfjs("x", np.array([1e300, -1e300, np.nan]))
    assert converted.tolist()[:2] == [np.inf, -np.inf]


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1])
def test_an_integer_beyond_int32_is_refused_with_its_value(value: int) -> None:
    with pytest.raises(InputsFileError, match=str(value)):
        tensors.to_tfjs("ids", np.array([0, value]))


@pytest.mark.parametrize("array", [np.array([b"a"]), np.array([None]), np.array(["a", 1], object)], ids=str)
def test_what_tfjs_cannot_hold_is_refused_by_name(array: Array) -> None:
    with pytest.raises(InputsFileError, match="'x' has dtype"):
        tensors.to_tfjs("x", array)


@pytest.mark.parametrize("dtype", [str, object])
def test_texts_are_the_bytes_of_a_json_list_beside_their_shapes(dtype: type) -> None:
    texts = np.array([["blå", 'a "b"'], ["", "\u2028"]], dtype)
    converted, note = tensors.to_tfjs("word", texts)
    assert converted is texts and note is None
    data = tensors.encode({"word": converted, "x": np.ones(2, np.float32)}).tobytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert json.loads(header["__metadata__"][tensors.TEXTS]) == {"word": [2, 2]}
    decoded = tensors.decode(data)
    assert json.loads(decoded["word"].tobytes()) == texts.ravel().tolist()
    assert decoded["x"].tolist() == [1, 1]
