"""Writes weights in TF.js's format: shards, and the manifest that lists their content.

The format is that of `tf.io.decodeWeights` (tfjs-core, src/io/io_utils.ts). The files are byte for byte those that
`write_weights` of the Python package tensorflowjs 4.22 writes under NumPy 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

SHARD_SIZE_BYTES = 4 * 1024 * 1024  # the largest file that all major browsers cache

Array = npt.NDArray[Any]

#: The types that TF.js reads, by their names in a manifest.
_STORED = ("float32", "int32", "bool", "complex64")
_STRING = "string"
_AFFINE = ("uint8", "uint16")


@dataclass(frozen=True, slots=True)
class Weight:
    """A weight to be written: float32, int32, bool, complex64, or strings (object).

    `quantize` is the type in which a float32 weight is stored: float16, uint16 or uint8; empty for float32.
    """

    name: str
    data: Array
    quantize: str = ""


def write_weights(
    folder: Path, groups: Sequence[Sequence[Weight]], shard_size_bytes: int = SHARD_SIZE_BYTES
) -> list[dict[str, Any]]:
    """Write the shards of each group, ``group1-shard1of2.bin`` and so on, and return the weights manifest.

    The bytes of a group's weights are contiguous. A shard ends after `shard_size_bytes`, also within a weight; a group
    without bytes has no shard.
    """
    return [_write_group(folder, number, group, shard_size_bytes) for number, group in enumerate(groups, 1)]


def _write_group(folder: Path, number: int, group: Sequence[Weight], shard_size_bytes: int) -> dict[str, Any]:
    entries: list[dict[str, Any]] = []
    parts: list[bytes | Array] = []
    for weight in group:
        entry, part = _encoded(weight)
        entries.append(entry)
        parts.append(part)
    total = sum(part.nbytes if isinstance(part, np.ndarray) else len(part) for part in parts)
    count = -(-total // shard_size_bytes)
    names = [f"group{number}-shard{index}of{count}.bin" for index in range(1, count + 1)]
    for name, pieces in zip(names, _shards(parts, shard_size_bytes), strict=True):
        with (folder / name).open("wb") as file:
            file.writelines(pieces)
    return {"paths": names, "weights": entries}


def _shards(parts: Iterable[bytes | Array], size: int) -> Iterator[list[memoryview]]:
    """Split the bytes of all parts into lists of `size` bytes each, except the last; nothing is copied."""
    shard: list[memoryview] = []
    room = size
    for part in parts:
        rest = part.reshape(-1).view(np.uint8).data if isinstance(part, np.ndarray) else memoryview(part)
        while len(rest):
            shard.append(rest[:room])
            rest = rest[room:]
            room -= len(shard[-1])
            if not room:
                yield shard
                shard, room = [], size
    if shard:
        yield shard


def _encoded(weight: Weight) -> tuple[dict[str, Any], bytes | Array]:
    """Return the entry of the manifest, and the bytes."""
    data = weight.data
    entry: dict[str, Any] = {"name": weight.name, "shape": list(data.shape)}
    if data.dtype == object:
        return {**entry, "dtype": _STRING}, _string_bytes(data)
    if data.dtype.name not in _STORED:
        raise ValueError(f"{weight.name}: TF.js cannot store {data.dtype.name}.")
    entry["dtype"] = data.dtype.name
    if weight.quantize:
        data, entry["quantization"] = _quantized(data, weight.quantize)
    return entry, np.ascontiguousarray(data, data.dtype.newbyteorder("<"))


def _string_bytes(data: Array) -> bytes:
    """Encode each string as UTF-8, after its length in bytes as an unsigned integer of 32 bits."""
    encoded = [text if isinstance(text, bytes) else str(text).encode() for text in data.reshape(-1).tolist()]
    return b"".join(len(text).to_bytes(4, "little") + text for text in encoded)


def _quantized(data: Array, quantize: str) -> tuple[Array, dict[str, Any]]:
    """Return the integers or half floats, and their entry in the manifest."""
    original = data.dtype.name
    if quantize not in _AFFINE:
        half = data.astype(np.float16)
        return half, {"dtype": half.dtype.name, "original_dtype": original}
    integers, minimum, scale = _affine(data, np.dtype(quantize))
    return integers, {"dtype": quantize, "min": minimum, "scale": scale, "original_dtype": original}


def _affine(data: Array, dtype: np.dtype[Any]) -> tuple[Array, float, float]:
    """Return integers of `dtype`, and minimum and scale so that a value is ``integer * scale + minimum``.

    A range that contains zero is shifted so that one of the integers represents zero exactly, as in TensorFlow's
    NudgeQuantizationRange, because a convolution pads with zero. All is computed in float64, which NumPy 1 did in
    float32.
    """
    low, high = float(data.min()), float(data.max())
    if low == high:
        return np.zeros(data.shape, dtype), low, 1.0
    largest = int(np.iinfo(dtype).max)
    scale = (high - low) / largest
    if low <= 0 <= high:
        low = -float(np.round((0 - low) / scale)) * scale
        high = largest * scale + low
    integers = np.round((data.astype(np.float64).clip(low, high) - low) / scale)
    return integers.astype(dtype), low, scale
