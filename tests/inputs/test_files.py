"""Reading inputs from files: what is accepted, and what each damaged file is told."""

from __future__ import annotations

import ast
import io
import itertools
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from safetensors.numpy import save_file

from pycheck.errors import InputsFileError
from pycheck.inputs import Inputs, open_inputs
from pycheck.inputs.files import open_columns
from pycheck.types import Signature, TensorSpec

IMAGE = Signature((TensorSpec("image", "float32", (None, 4, 3)),), ())
PAIR = Signature((TensorSpec("left", "float32", (None, 3)), TensorSpec("right", "int32", (None, 2))), ())


def values(samples: int) -> np.ndarray:
    return np.arange(samples * 12, dtype=np.float32).reshape(samples, 4, 3)


def joined(inputs: Inputs, size: int = 3) -> dict[str, np.ndarray]:
    batches = list(inputs.batches(size))
    return {name: np.concatenate([batch.tensors[name] for batch in batches]) for name in batches[0].tensors}


def saved(path: Path, **arrays: np.ndarray) -> Path:
    if path.suffix == ".safetensors":
        save_file(arrays, path)
    else:
        np.savez(path, **arrays)
    return path


def test_an_npy_comes_back_in_batches_that_know_where_they_start(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", values(7))
    inputs = open_inputs(tmp_path / "x.npy", IMAGE)
    batches = list(inputs.batches(3))
    assert [(batch.index, batch.start, batch.size) for batch in batches] == [(0, 0, 3), (1, 3, 3), (2, 6, 1)]
    assert inputs.sample_count == 7
    np.testing.assert_array_equal(joined(inputs)["image"], values(7))


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_named_arrays_come_back_by_name_in_the_models_order(tmp_path: Path, suffix: str) -> None:
    left, right = np.ones((5, 3), np.float32), np.arange(10, dtype=np.int32).reshape(5, 2)
    inputs = open_inputs(saved(tmp_path / f"x{suffix}", right=right, left=left), PAIR)
    given = joined(inputs, 2)
    assert list(given) == ["left", "right"]
    np.testing.assert_array_equal(given["left"], left)
    np.testing.assert_array_equal(given["right"], right)


def test_a_compressed_npz_is_read_too(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", image=values(5))
    np.testing.assert_array_equal(joined(open_inputs(tmp_path / "x.npz", IMAGE))["image"], values(5))


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_fortran_order_does_not_change_what_is_read(tmp_path: Path, suffix: str) -> None:
    array = np.asfortranarray(values(5))
    np.save(tmp_path / "x.npy", array) if suffix == ".npy" else np.savez(tmp_path / "x.npz", image=array)
    np.testing.assert_array_equal(joined(open_inputs(tmp_path / f"x{suffix}", IMAGE))["image"], values(5))


def test_big_endian_values_keep_their_value(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", values(3).astype(">f4"))
    inputs = open_inputs(tmp_path / "x.npy", IMAGE)
    np.testing.assert_array_equal(joined(inputs)["image"], values(3))
    assert inputs.info.notes == ()


def test_bfloat16_of_safetensors_is_widened_exactly(tmp_path: Path) -> None:
    bits = np.array([[0x3F80, 0xC000, 0x7F80]], np.uint16)  # 1, -2, infinity
    header = b'{"x":{"dtype":"BF16","shape":[1,3],"data_offsets":[0,6]}}'
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bits.tobytes())
    signature = Signature((TensorSpec("x", "float32", (None, 3)),), ())
    np.testing.assert_array_equal(joined(open_inputs(tmp_path / "x.safetensors", signature))["x"], [[1, -2, np.inf]])


def test_two_readers_do_not_disturb_each_other(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", image=values(6))
    inputs = open_inputs(tmp_path / "x.npz", IMAGE)
    first, second = inputs.batches(2), inputs.batches(3)
    next(first), next(second)
    np.testing.assert_array_equal(next(first).tensors["image"], values(6)[2:4])
    np.testing.assert_array_equal(next(second).tensors["image"], values(6)[3:])


@pytest.mark.parametrize("name", ["x.npy", "stored.npz", "compressed.npz", "x.safetensors"])
def test_memory_does_not_grow_with_the_number_of_samples(tmp_path: Path, name: str) -> None:
    signature = Signature((TensorSpec("x", "float32", (None, 1000)),), ())
    array = np.zeros((8_000, 1000), np.float64)  # 64 MB, to be rounded on the way
    writers: dict[str, Callable[[Path], None]] = {
        "x.npy": lambda path: np.save(path, array),
        "stored.npz": lambda path: np.savez(path, x=array),
        "compressed.npz": lambda path: np.savez_compressed(path, x=array),
        "x.safetensors": lambda path: save_file({"x": array}, path),
    }
    writers[name](tmp_path / name)
    tracemalloc.start()
    try:
        samples = sum(batch.size for batch in open_inputs(tmp_path / name, signature).batches(32))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert samples == 8_000
    assert peak < 6_000_000


def test_the_hash_is_of_the_files_bytes(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", values(3))
    np.save(tmp_path / "b.npy", values(3))
    np.save(tmp_path / "c.npy", values(3) + 1)
    a, b, c = (open_inputs(tmp_path / f"{name}.npy", IMAGE).info.sha256 for name in "abc")
    assert a == b != c


def npy_bytes(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):  # NumPy warns of the rare format that is wanted here
        np.save(file, array, allow_pickle=True)
    return file.getvalue()


def cut_zip() -> bytes:
    file = io.BytesIO()
    np.savez(file, image=values(3))
    return file.getvalue()[:-40]


def zip_with_flipped_byte() -> bytes:
    file = io.BytesIO()
    np.savez(file, image=values(30))
    data = bytearray(file.getvalue())
    data[400] ^= 0xFF
    return bytes(data)


def deflated_zip_with_a_broken_stream() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, image=values(30))
    data = bytearray(file.getvalue())
    data[30 + sum(struct.unpack_from("<2H", data, 26))] = 0x07  # a last block of a kind that there is not
    return bytes(data)


def zip_with_a_broken_name() -> bytes:
    file = io.BytesIO()
    np.savez(file, **{"é": values(3)})
    return file.getvalue().replace("é".encode(), b"\xff\xff", 1)


def zip_without_arrays() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")
    return file.getvalue()


BROKEN = {
    "an empty file": ("x.npy", b"", "is empty"),
    "an npy cut in its data": ("x.npy", npy_bytes(values(3))[:-5], "267 of 272 bytes"),
    "an npy cut in its header": ("x.npy", npy_bytes(values(3))[:40], "header"),
    "an npy cut in its magic": ("x.npy", npy_bytes(values(3))[:6], "header"),
    "an object array": ("x.npy", npy_bytes(np.array([[1], [2, 3]], object)), "dtype object"),
    "a structured array": ("x.npy", npy_bytes(np.zeros(3, [("a", "f4"), ("b", "i4")])), "structured array"),
    "a structured array with odd names": ("x.npy", npy_bytes(np.zeros(3, [("a", "f4"), ("β", "i4")])), "structured"),
    "a pickle": ("x.npy", b"\x80\x04\x95\x10\x00", "pickle"),
    "a cut npz": ("x.npz", cut_zip(), "truncated or damaged"),
    "an npz of few bytes": ("x.npz", b"P", "truncated"),
    "an npz with a flipped byte": ("x.npz", zip_with_flipped_byte(), "damaged"),
    "a compressed npz with a broken stream": ("x.npz", deflated_zip_with_a_broken_stream(), "damaged: Error -3"),
    "an npz with a broken name": ("x.npz", zip_with_a_broken_name(), "damaged"),
    "values of no size": ("x.npy", npy_bytes(values(3)).replace(b"'<f4'", b"'|S0'"), "damaged"),
    "a zip without arrays": ("x.npz", zip_without_arrays(), "zip archive"),
    "a cut safetensors": ("x.safetensors", struct.pack("<Q", 300) + b'{"x":', "truncated"),
    "a short safetensors": ("x.safetensors", b"\x01\x00", "truncated"),
    "a text file": ("x.csv", b"1,2,3\n4,5,6\n", "starts with '1,2,3"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_gets_one_sentence(tmp_path: Path, case: str) -> None:
    name, data, told = BROKEN[case]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputsFileError) as caught:
        open_inputs(tmp_path / name, IMAGE)
    assert told in caught.value.message
    assert str(tmp_path / name) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.exit_code == 2


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputsFileError, match=r"none\.npy"):
        open_inputs(tmp_path / "none.npy", IMAGE)
    with pytest.raises(InputsFileError, match="is not a file"):
        open_inputs(tmp_path, IMAGE)


def test_a_file_that_shrinks_while_it_is_read_is_an_error_and_no_crash(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", values(2000))
    batches = open_inputs(tmp_path / "x.npy", IMAGE).batches(1)
    next(batches)
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:500])
    with pytest.raises(InputsFileError, match="became shorter"):
        list(batches)


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_header_that_two_threads_parse_at_once_is_read_again(
    tmp_path: Path, name: str, order: Literal["C", "F"], monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.asarray(np.arange(6.0).reshape(2, 3), order=order)
    (np.save if name.endswith("npy") else np.savez)(tmp_path / name, x)
    parse, failed = ast.literal_eval, itertools.cycle([True, True, False])

    def parse_beside_another(text: str) -> object:
        if next(failed):
            raise SystemError("AST constructor recursion depth mismatch (before=42, after=39)")
        return parse(text)

    monkeypatch.setattr(ast, "literal_eval", parse_beside_another)
    (column,) = open_columns(tmp_path / name)
    np.testing.assert_array_equal(np.concatenate(list(column.rows(1))), x)
