"""Decodes an artifact's weights to exactly the numbers that TF.js decodes (tfjs-core, io_utils.ts, decodeWeights)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ArtifactFileError
from .document import Document

Array = npt.NDArray[Any]

_PLAIN: Mapping[str, npt.DTypeLike] = {"float32": "<f4", "int32": "<i4", "bool": "u1", "complex64": "<c8"}
_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class RawWeight:
    """A weight as stored: its entry in the manifest, and its bytes."""

    entry: Mapping[str, Any]
    data: bytes


def decode_weights(document: Document) -> dict[str, Array]:
    """Decode every weight by name, in the order of the manifest.

    The types are float32, int32, bool, complex64, or object for strings. ArtifactFileError names a weight that cannot
    be decoded.
    """
    return {str(entry["name"]): value for entry, value, _ in _each(document)}


def raw_weights(document: Document, names: Collection[str]) -> tuple[RawWeight, ...]:
    """Return the stored weights with these names, quantized or not; errors as in `decode_weights`."""
    return tuple(RawWeight(entry, bytes(data)) for entry, _, data in _each(document) if entry["name"] in names)


def _each(document: Document) -> Iterator[tuple[Mapping[str, Any], Array, memoryview]]:
    """Yield entry, value and bytes."""
    for entries, data in document.shards():
        offset = 0
        for entry in entries:
            start = offset
            try:
                value, offset = _decode(entry, data, offset)
            except (LookupError, TypeError, ValueError, OverflowError) as error:
                raise ArtifactFileError(
                    f"Cannot read {document.file}: its weight {entry.get('name')!r} is damaged: {error}.",
                    "Copy the model again, or convert it again.",
                ) from error
            yield entry, value, memoryview(data)[start:offset]


def _decode(entry: Mapping[str, Any], data: bytes, offset: int) -> tuple[Array, int]:
    """Return the value that starts at `offset`, and the offset of the next one."""
    shape, dtype = tuple(int(size) for size in entry["shape"]), str(entry["dtype"])
    count = prod(shape)
    if dtype == "string":
        return _decode_strings(data, offset, shape)
    stored: npt.DTypeLike
    if "quantization" in entry:
        quantization = entry["quantization"]
        stored = {"uint8": "u1", "uint16": "<u2", "float16": "<f2"}[quantization["dtype"]]
        raw = np.frombuffer(data, stored, count, offset)
        value = _dequantize(raw, quantization, dtype)
    else:
        raw = np.frombuffer(data, _PLAIN[dtype], count, offset)
        value = raw.astype(bool) if dtype == "bool" else raw.astype(dtype)
    return value.reshape(shape), offset + raw.nbytes


def _dequantize(raw: Array, quantization: Mapping[str, Any], dtype: str) -> Array:
    """Dequantize in double precision, as JavaScript does, and round once."""
    if dtype not in ("float32", "int32"):
        raise ValueError(f"quantized {dtype}")
    if quantization["dtype"] == "float16":
        if dtype != "float32":
            raise ValueError(f"{dtype} quantized to float16")
        return raw.astype(np.float32)
    wide = raw.astype(np.float64) * float(quantization["scale"]) + float(quantization["min"])
    if dtype == "int32":
        wide = np.floor(wide + 0.5)  # rounds like Math.round
    result: Array = wide.astype(dtype)
    return result


def _decode_strings(data: bytes, offset: int, shape: tuple[int, ...]) -> tuple[Array, int]:
    strings = np.empty(prod(shape), dtype=object)
    for index in range(strings.size):
        length = int(np.frombuffer(data, "<u4", 1, offset)[0])
        offset += _LENGTH_BYTES
        if offset + length > len(data):
            raise ValueError(f"a string of {length} bytes is cut off")
        strings[index] = data[offset : offset + length]
        offset += length
    return strings.reshape(shape), offset
