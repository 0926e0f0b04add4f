"""Converts named tensors to and from safetensors bytes, with as few copies as possible.

The layout is https://huggingface.co/docs/safetensors: eight bytes with the length of a JSON header, the header, then
the data. The package's own functions copy every tensor in both directions. Writing here returns views to be sent one
after the other, and reading returns views of the received bytes; tests compare both with the package.

TF.js supports float32, int32, bool and complex64. `to_tfjs` converts NumPy arrays to these and describes the
conversion; a value that would change beyond rounding is an error. Comparisons of complex numbers use their `parts`.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import InputsFileError, RuntimeFailedError
from .types import Array, Tensors

_NAMES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "int64": "I64",
    "uint64": "U64",
    "int32": "I32",
    "uint32": "U32",
    "int16": "I16",
    "uint16": "U16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
    "complex64": "C64",
}
_DTYPES = {code: np.dtype(name).newbyteorder("<") for name, code in _NAMES.items()}
#: The key of the metadata with the names and shapes of texts.
TEXTS = "texts"
_TEXT_KINDS = "OU"
_PREFIX = 8  # bytes that hold the header's length
_INT32 = np.iinfo(np.int32)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A safetensors file as its pieces, which are views of the tensors."""

    parts: tuple[memoryview, ...]
    size_bytes: int

    def tobytes(self) -> bytes:
        """Return the file in one piece, as a copy."""
        return b"".join(self.parts)


def encode(tensors: Tensors) -> Encoded:
    """Encode named tensors as a safetensors file.

    Wide dtypes first, so that every tensor is aligned to its item size.

    safetensors has no type for text: arrays of str become the bytes of a JSON list in UTF-8, and the metadata `TEXTS`
    has their names and shapes, as JSON. `decode` is for numbers.
    """
    header: dict[str, dict[str, object]] = {}
    texts = {name: array for name, array in tensors.items() if array.dtype.kind in _TEXT_KINDS}
    if texts:
        header["__metadata__"] = {TEXTS: json.dumps({name: list(array.shape) for name, array in texts.items()})}
        tensors = {**tensors, **{name: _text_bytes(array) for name, array in texts.items()}}
    parts: list[memoryview] = []
    offset = 0
    for name, array in sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])):
        data = _little_endian(np.ascontiguousarray(array).reshape(array.shape))
        if data.dtype.name not in _NAMES:
            raise ValueError(f"The tensor {name!r} has dtype {data.dtype}, which safetensors does not support.")
        header[name] = {
            "dtype": _NAMES[data.dtype.name],
            "shape": list(data.shape),
            "data_offsets": [offset, offset + data.nbytes],
        }
        if data.nbytes:
            parts.append(_bytes(data))
        offset += data.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    head = len(text).to_bytes(_PREFIX, "little") + text
    return Encoded((memoryview(head), *parts), len(head) + offset)


def _text_bytes(array: Array) -> Array:
    return np.frombuffer(json.dumps(array.reshape(-1).tolist(), ensure_ascii=False).encode(), np.uint8)


def decode(data: bytes | bytearray | memoryview | Array) -> dict[str, Array]:
    """Return named views of the bytes of a safetensors file, in the file's order.

    RuntimeFailedError if the bytes are incomplete or not safetensors.
    """
    view = _bytes(data) if isinstance(data, np.ndarray) else memoryview(data).cast("B")
    if len(view) < _PREFIX:
        raise RuntimeFailedError(f"Cannot read tensor data of {len(view)} bytes: it is too short for safetensors.")
    start = _PREFIX + int.from_bytes(view[:_PREFIX], "little")
    if start > len(view):
        raise RuntimeFailedError(
            f"Cannot read tensor data of {len(view)} bytes: it is truncated, its header ends at {start}."
        )
    try:
        header = json.loads(bytes(view[_PREFIX:start]))
        entries = [(name, entry) for name, entry in header.items() if name != "__metadata__"]
        return {name: _read(name, entry, view[start:]) for name, entry in entries}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RuntimeFailedError(f"Cannot read tensor data: it is not safetensors: {error!r}.") from None


def to_tfjs(name: str, array: Array, library: str = "TF.js") -> tuple[Array, str | None]:
    """Convert the array to float32, int32, bool or complex64; return also a description of the conversion, if any.

    float64 is rounded to float32 and complex128 to complex64, as in TF.js itself; float16 is widened exactly. Integers
    must fit int32, or it is InputsFileError, as are bytes. Texts (str, also as objects) stay unchanged. The description
    and the errors name `library`.
    """
    dtype = array.dtype
    if dtype.kind == "U" or (dtype.kind == "O" and all(isinstance(item, str) for item in array.ravel())):
        return array, None
    if dtype in (np.float32, np.int32, np.bool_, np.complex64):
        return array, None
    if dtype == np.complex128:
        return array.astype(
            np.complex64
        ), f"{name}: complex128 rounded to complex64, because {library} has no complex128"
    if dtype.kind == "f" and dtype.itemsize <= 8:
        verb = "widened" if dtype.itemsize < 4 else "rounded"
        with np.errstate(over="ignore"):  # a number above float32's range becomes infinite, as in TF.js
            return array.astype(
                np.float32
            ), f"{name}: {dtype.name} {verb} to float32, because {library} has no {dtype.name}"
    if dtype.kind in "iu":
        return _to_int32(name, array, library)
    raise InputsFileError(
        f"Input {name!r} has dtype {dtype}, which {library} does not have.",
        "Convert it to float32, int32 or bool: array.astype('float32')",
    )


def _to_int32(name: str, array: Array, library: str) -> tuple[Array, str | None]:
    if array.size and array.dtype.itemsize >= 4:
        low, high = int(array.min()), int(array.max())
        if low < _INT32.min or high > _INT32.max:
            value = low if low < _INT32.min else high
            raise InputsFileError(
                f"Input {name!r} has the value {value}, which does not fit into int32, the type of {library} for "
                f"{array.dtype.name}.",
                f"Give values between {_INT32.min} and {_INT32.max}.",
            )
    return array.astype(np.int32), f"{name}: {array.dtype.name} as int32, because {library} has no {array.dtype.name}"


def parts(array: Array) -> Array:
    """View a complex array as real numbers, real and imaginary part on a new last axis.

    Other arrays stay unchanged.
    """
    if array.dtype.kind != "c":
        return array
    real = np.dtype(f"f{array.dtype.itemsize // 2}").newbyteorder(array.dtype.byteorder)
    return np.ascontiguousarray(array).reshape(-1).view(real).reshape(*array.shape, 2)


def _bytes(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _little_endian(array: Array) -> Array:
    order = array.dtype.byteorder
    if order == ">" or (order == "=" and sys.byteorder == "big"):
        return array.astype(array.dtype.newbyteorder("<"))
    return array


def _read(name: str, entry: Mapping[str, Any], data: memoryview) -> Array:
    begin, end = entry["data_offsets"]
    dtype, shape = _DTYPES[entry["dtype"]], tuple(entry["shape"])
    wanted = dtype.itemsize * math.prod(shape)
    if not 0 <= begin <= end <= len(data) or end - begin != wanted:
        raise ValueError(
            f"The tensor {name!r} of shape {shape} needs {wanted} bytes, but has bytes {begin} to {end} of {len(data)}."
        )
    return np.frombuffer(data[begin:end], dtype=dtype).reshape(shape)
