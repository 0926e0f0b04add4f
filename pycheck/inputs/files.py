"""Opens .npy, .npz, .safetensors and .json files as arrays that are read a few rows at a time.

Rows are read rather than mapped: mapped pages count as the process's memory, and a file that shrinks while it is
mapped kills the process.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

from ..errors import InputsFileError
from ..system.archives import ZIP_ERRORS
from ..types import Array

T = TypeVar("T")

#: How often a header is read again while other threads parse.
_PARSINGS = 20

_FORMATS = "Give a .npy file (one input), .npz or .safetensors (inputs by name), or .json (a list, or lists by name)."
_SAVE_AGAIN = "Copy the file again, or save it again."
_CHUNK_BYTES = 1 << 20

_SAFETENSORS_DTYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One array of a file, or of the caller. `rows(n)` yields n rows at a time; a scalar is yielded whole."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    rows: Callable[[int], Iterator[Array]]


def open_columns(path: Path) -> tuple[Column, ...]:
    """Open the arrays of a file; a .npy has one, named "". InputsFileError if the file is not complete."""
    if not path.exists():
        raise InputsFileError(f"There are no inputs at {path}.", "Check the path.")
    if not path.is_file():
        raise InputsFileError(f"{path} is not a file.", _FORMATS)
    try:
        with path.open("rb") as file:
            head = file.read(16)
        if not head:
            raise InputsFileError(f"{path} is empty (0 bytes).", _SAVE_AGAIN)
        if head.startswith(b"\x93NUMPY"):
            return (_npy_column(path),)
        if head.startswith(b"PK"):
            return _npz_columns(path)
        if path.suffix == ".json":
            return _json_columns(path)
        if path.suffix == ".safetensors" or head[8:9] == b"{":
            return _safetensors_columns(path)
    except OSError as error:
        raise InputsFileError(f"Cannot read {path}: {error.strerror or error}.") from error
    if path.suffix == ".npz":
        raise InputsFileError(
            f"Cannot read {path}: it is truncated, or not a .npz file, because it does not start as a zip archive.",
            _SAVE_AGAIN,
        )
    if head.startswith(b"\x80"):
        raise InputsFileError(
            f"Cannot read {path}: it is a Python pickle, which could run code.",
            f"Save the array as numbers: numpy.save({str(path)!r}, array)",
        )
    raise InputsFileError(f"Cannot read {path}: it has an unknown format and starts with {repr(head)[1:]}.", _FORMATS)


def hash_file(path: Path) -> str:
    """Compute the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def array_column(name: str, array: Array) -> Column:
    """Make a column of an array in memory; its rows are views."""

    def rows(size: int) -> Iterator[Array]:
        return (array[start : start + size] for start in range(0, len(array), size)) if array.ndim else iter((array,))

    return Column(name, array.dtype, array.shape, rows)


def text_array(array: Array) -> Array:
    """Convert an array of objects that are all str, or all bytes, to texts; return other arrays unchanged."""
    if array.dtype == object and array.size:
        for kind in (str, bytes):
            if all(isinstance(item, kind) for item in array.ravel()):
                return array.astype(kind)
    return array


def _json_columns(path: Path) -> tuple[Column, ...]:
    """Read nested lists of numbers or texts, or such lists by name."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputsFileError(f"Cannot read {path}: it is not valid JSON: {error}.", _SAVE_AGAIN) from error
    arrays = content if isinstance(content, dict) else {"": content}
    if not arrays:
        raise InputsFileError(f"Cannot read {path}: it is an empty object.", _FORMATS)
    return tuple(array_column(name, _json_array(path, name, value)) for name, value in arrays.items())


def _json_array(path: Path, name: str, value: Any) -> Array:
    where = f"{path}, entry {name!r}" if name else str(path)
    if not isinstance(value, list | str | int | float):
        raise InputsFileError(f"Cannot read {where}: it is not a list of numbers or texts.", _FORMATS)
    kinds = set(_kinds_in(value))
    if len(kinds) > 1 or "other" in kinds:
        raise InputsFileError(
            f"Cannot read {where}: it mixes numbers, texts and other values.", "Give only numbers, or only texts."
        )
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise InputsFileError(
            f"Cannot read {where}: its lists differ in length.",
            "Pad the shorter lists, or write one file for each sample.",
        ) from error
    if array.dtype.hasobject:
        raise InputsFileError(f"Cannot read {where}: it has integers of more than 64 bits.", "Give smaller numbers.")
    return array


def _kinds_in(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _kinds_in(item)
    elif isinstance(value, bool):
        yield "truth values"
    else:
        yield "numbers" if isinstance(value, int | float) else "texts" if isinstance(value, str) else "other"


def _npy_column(path: Path) -> Column:
    with path.open("rb") as file:
        dtype, shape, fortran = _npy_header(file, str(path))
        offset = file.tell()
    needed, present = offset + math.prod(shape) * dtype.itemsize, path.stat().st_size
    if present < needed:
        raise InputsFileError(f"Cannot read {path}: it is truncated and has {present} of {needed} bytes.", _SAVE_AGAIN)
    if fortran:  # its rows are scattered over the file
        return array_column("", _parsed(lambda: np.load(path, mmap_mode="r", allow_pickle=False)))
    return Column("", dtype, shape, lambda size: _read_rows(_at(path, offset), dtype, shape, size, str(path)))


def _npz_columns(path: Path) -> tuple[Column, ...]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            if not names:
                raise InputsFileError(f"Cannot read {path}: it is a zip archive without .npy arrays.", _FORMATS)
            if damaged := archive.testzip():
                raise InputsFileError(
                    f"Cannot read {path}: it is damaged, the checksum of {damaged} is wrong.", _SAVE_AGAIN
                )
            return tuple(_npz_column(path, archive, name) for name in names)
    except ZIP_ERRORS as error:
        raise InputsFileError(f"Cannot read {path}: it is truncated or damaged: {error}.", _SAVE_AGAIN) from error


def _npz_column(path: Path, archive: zipfile.ZipFile, member: str) -> Column:
    where = f"{path}, entry {member.removesuffix('.npy')!r}"
    with archive.open(member) as file:
        dtype, shape, fortran = _npy_header(file, where)
        offset = file.tell()
    if archive.getinfo(member).file_size < offset + math.prod(shape) * dtype.itemsize:
        raise InputsFileError(f"Cannot read {where}: it is truncated.", _SAVE_AGAIN)
    name = member.removesuffix(".npy")
    if fortran:

        def load() -> Array:
            with archive.open(member) as file:
                return np.asarray(np.lib.format.read_array(file, allow_pickle=False))

        return array_column(name, _parsed(load))

    def rows(size: int) -> Iterator[Array]:
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            file.read(offset)
            yield from _read_rows(file, dtype, shape, size, where)

    return Column(name, dtype, shape, rows)


def _npy_header(file: IO[bytes], where: str) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):  # version 3.0 is only for field names of structured types
            raise _structured(where)
        read: Any = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        start = file.tell()
        shape, fortran, dtype = _parsed(lambda: (file.seek(start), read(file))[1])
    except InputsFileError:
        raise
    except Exception as error:  # NumPy evaluates the header as Python, which can raise many errors
        raise InputsFileError(f"Cannot read {where}: its header is truncated or damaged.", _SAVE_AGAIN) from error
    if dtype.hasobject:
        raise InputsFileError(
            f"Cannot read {where}: it holds Python objects (dtype object).",
            'Save it as numbers: array.astype("float32"). If its rows differ in length, pad them.',
        )
    if dtype.names:
        raise _structured(where)
    if any(size < 0 for size in shape) or not dtype.itemsize:
        raise InputsFileError(
            f"Cannot read {where}: it is damaged, its header gives {dtype.name} of shape {shape}.", _SAVE_AGAIN
        )
    return dtype, tuple(shape), bool(fortran) and len(shape) > 1


def _parsed(read: Callable[[], T]) -> T:
    """Read what NumPy parses as Python, again if two threads did so at the same time.

    Python 3.11 then may raise SystemError: "AST constructor recursion depth mismatch"
    (https://github.com/python/cpython/issues/106905).
    """
    for _ in range(_PARSINGS):
        try:
            return read()
        except SystemError:
            time.sleep(0.001)
    return read()


def _structured(where: str) -> InputsFileError:
    return InputsFileError(
        f"Cannot read {where}: it is a structured array.", "Save each field as a separate input: array['field']"
    )


def _safetensors_columns(path: Path) -> tuple[Column, ...]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np"):
            pass  # checks the header, every offset and the length
    except (SafetensorError, ValueError) as error:
        raise InputsFileError(
            f"Cannot read {path}: it is truncated, or not a safetensors file: {error}.", _SAVE_AGAIN
        ) from error
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    if not header:
        raise InputsFileError(f"Cannot read {path}: it has no tensors.", _FORMATS)
    return tuple(_safetensors_column(path, name, entry, 8 + length) for name, entry in header.items())


def _safetensors_column(path: Path, name: str, entry: dict[str, Any], data_start: int) -> Column:
    where, shape = f"{path}, tensor {name!r}", tuple(entry["shape"])
    offset = data_start + entry["data_offsets"][0]
    if entry["dtype"] == "BF16":
        stored = np.dtype("<u2")

        def widened(size: int) -> Iterator[Array]:
            for block in _read_rows(_at(path, offset), stored, shape, size, where):
                yield (block.astype(np.uint32) << 16).view(np.float32)  # bfloat16 is the upper half of a float32

        return Column(name, np.dtype(np.float32), shape, widened)
    if entry["dtype"] not in _SAFETENSORS_DTYPES:
        raise InputsFileError(f"Cannot read {where}: NumPy has no type {entry['dtype']}.", "Save it as F32.")
    dtype = np.dtype(_SAFETENSORS_DTYPES[entry["dtype"]])
    return Column(name, dtype, shape, lambda size: _read_rows(_at(path, offset), dtype, shape, size, where))


def _at(path: Path, offset: int) -> IO[bytes]:
    file = path.open("rb")
    file.seek(offset)
    return file


def _read_rows(file: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...], size: int, where: str) -> Iterator[Array]:
    """Yield rows from the current position of `file`, and close it at the end."""
    with file:
        for start in range(0, shape[0] if shape else 1, size):
            block_shape = (min(size, shape[0] - start), *shape[1:]) if shape else ()
            data = file.read(math.prod(block_shape) * dtype.itemsize)
            if len(data) < math.prod(block_shape) * dtype.itemsize:
                raise InputsFileError(
                    f"Cannot read {where}: the file became shorter while pycheck read it.", _SAVE_AGAIN
                )
            yield np.frombuffer(data, dtype).reshape(block_shape)
