"""Checks arrays against the model's signature, and converts them to its types without changing a value silently.

Accepted: the same type; floats as a different float type (rounding gives a note, overflow of a finite value is an
error); integers and booleans as floats or other integers if every value stays the same. Rejected: floats as integers,
complex numbers, text, dates.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import InputsFileError
from ..types import Array, TensorSpec
from .files import Column
from .stream import Chunks

#: The name of the text type in a TensorSpec.
TEXT = "string"

_NUMBERS = "biuf"
_TEXTS = "US"  # str, and bytes that are UTF-8
_ROWS_CHECKED_AT_ONCE = 64


def model_dtype(spec: TensorSpec) -> np.dtype[Any]:
    """Return the NumPy type of an input: float32 for bfloat16, which NumPy lacks, and objects (str) for text."""
    return np.dtype({"bfloat16": np.float32, TEXT: object}.get(spec.dtype, spec.dtype))


def fit(column: Column, spec: TensorSpec) -> tuple[Chunks, tuple[str, ...]]:
    """Convert a column to the model's type, with notes on each change. InputsFileError if it does not fit."""
    _check_shape(column, spec)
    target = model_dtype(spec)
    if spec.dtype == TEXT:
        return _texts(column, spec), ()
    _check_kind(column, spec, target)
    same = column.dtype.newbyteorder("=") == target
    if not same:
        _check_values(column, spec, target)

    def converted(size: int) -> Iterator[Array]:
        at_once = size if spec.has_sample_axis else max((1, *column.shape))
        for block in column.rows(at_once):
            with np.errstate(over="ignore", invalid="ignore"):
                yield np.asarray(block, target, order="C")  # np.ascontiguousarray adds an axis to a scalar

    if same:
        return converted, ()

    rounds = column.dtype.kind == "f" and column.dtype.itemsize > target.itemsize
    how = "rounded to" if rounds else "converted to"
    return converted, (f"{spec.name}: {column.dtype.name} {how} {target.name}",)


def _texts(column: Column, spec: TensorSpec) -> Chunks:
    if column.dtype.kind not in _TEXTS:
        raise InputsFileError(
            f"Input {spec.name!r} is {column.dtype.name}, but the model takes text.",
            'Give texts: numpy.array(["one", "two"]), or a JSON file with a list of texts.',
        )

    def decoded(size: int) -> Iterator[Array]:
        start = 0
        for block in column.rows(size if spec.has_sample_axis else max((1, *column.shape))):
            yield _decoded(block, spec, start)
            start += block.shape[0] if block.ndim else 0

    if column.dtype.kind == "S":
        for _ in decoded(_ROWS_CHECKED_AT_ONCE):  # checks all values before the run starts
            pass
    return decoded


def _decoded(block: Array, spec: TensorSpec, start: int) -> Array:
    """Decode an array of texts or bytes to str objects."""
    if block.dtype.kind == "U":
        return block.astype(object)
    texts = np.empty(block.shape, object)
    for place, value in np.ndenumerate(block):
        try:
            texts[place] = bytes(value).decode("utf-8")
        except UnicodeDecodeError as error:
            where = f" at {[start + place[0], *place[1:]]}" if place else ""
            raise InputsFileError(
                f"Input {spec.name!r} has bytes{where} that are not UTF-8: {bytes(value)[:16]!r} ({error.reason}).",
                "TF.js only takes text. Decode the bytes with their encoding, such as numpy.char.decode(array, "
                "'latin-1').",
            ) from error
    return texts


def _check_shape(column: Column, spec: TensorSpec) -> None:
    shape, wanted = column.shape, spec.shape
    if len(shape) != len(wanted):
        raise InputsFileError(
            f"Input {spec.name!r} has shape {_text(shape)}, but the model takes {_text(wanted, spec)}.",
            _rank_advice(shape, spec),
        )
    first = int(spec.has_sample_axis)
    if first and shape[0] == 0:
        raise InputsFileError(
            f"Input {spec.name!r} has no samples: its shape is {_text(shape)}.", "Give at least one sample."
        )
    for axis, (size, expected) in enumerate(zip(shape[first:], wanted[first:], strict=True), start=first):
        if expected is not None and size != expected:
            raise InputsFileError(
                f"Input {spec.name!r} has shape {_text(shape)}: size {size} on axis {axis}, "
                f"but the model takes {expected}.",
                _size_advice(shape, wanted, spec),
            )
        if size == 0:
            raise InputsFileError(f"Input {spec.name!r} has no elements: its shape is {_text(shape)}.", "Give values.")
    if first and wanted[0] is not None and shape[0] % wanted[0]:
        raise InputsFileError(
            f"Input {spec.name!r} has {shape[0]} samples, but the model has a fixed batch of {wanted[0]}.",
            _multiple_advice(shape[0], wanted[0]),
        )


def _multiple_advice(count: int, batch: int) -> str:
    """Say how to get a number of samples that is a multiple of the batch."""
    more = f"To get {count + -count % batch} samples, repeat the last one: "
    more += f"numpy.concatenate([array, array[-1:].repeat({-count % batch}, axis=0)])"
    return more if count < batch else f"Remove {count % batch}: array[:{count - count % batch}]. {more}"


def _rank_advice(shape: tuple[int, ...], spec: TensorSpec) -> str:
    wanted = spec.shape
    if spec.has_sample_axis and _matches(shape, wanted[1:]):
        return "The sample axis may be missing. Add it with array[numpy.newaxis]."
    if wanted[-1:] == (1,) and _matches(shape, wanted[:-1]):
        return "The last axis, of size 1, may be missing. Add it with array[..., numpy.newaxis]."
    if len(shape) == len(wanted) + 1 and shape[0] == 1 and _matches(shape[1:], wanted):
        return "The first axis may be superfluous. Remove it with array[0]."
    return (
        _size_advice(shape, wanted, spec) if spec.has_sample_axis else "This input has no sample axis: give one value."
    )


def _size_advice(shape: tuple[int, ...], wanted: tuple[int | None, ...], spec: TensorSpec) -> str:
    if len(shape) >= 4 and _matches((shape[0], *shape[2:], shape[1]), wanted):
        return "The channels may be the second axis. Move them with numpy.moveaxis(array, 1, -1)."
    return f"Save the array again with shape {_text(wanted, spec)}."


def _matches(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(w is None or s == w for s, w in zip(shape, wanted, strict=True))


def check_real(spec: TensorSpec) -> None:
    """Raise InputsFileError for an input of complex numbers, which messages to the page cannot hold."""
    if spec.dtype.startswith("complex"):
        raise InputsFileError(
            f"Input {spec.name!r} takes {spec.dtype}, and pycheck does not support complex inputs.",
            "Give the model two float32 inputs and combine them in it: tf.complex(real, imaginary).",
        )


def _check_kind(column: Column, spec: TensorSpec, target: np.dtype[Any]) -> None:
    source = column.dtype
    check_real(spec)
    if source.kind not in _NUMBERS or target.kind not in _NUMBERS:
        raise InputsFileError(
            f"Input {spec.name!r} is {'text' if source.kind in _TEXTS else source.name}, but the model takes "
            f"{spec.dtype}.",
            f"Give numbers: array.astype({spec.dtype!r})",
        )
    if source.kind == "f" and target.kind != "f":
        raise InputsFileError(
            f"Input {spec.name!r} is {source.name}, but the model takes {spec.dtype}.",
            f"If all values are whole numbers, convert them: array.astype({spec.dtype!r})",
        )


def _check_values(column: Column, spec: TensorSpec, target: np.dtype[Any]) -> None:
    """Raise InputsFileError for a value that the conversion would change, except by rounding of floats."""
    wide_integers = column.dtype.kind in "iu" and column.dtype.itemsize == 8  # for NumPy, safe as float64
    if np.can_cast(column.dtype, target, "safe") and not (wide_integers and target.kind == "f"):
        return
    start = 0
    for block in column.rows(_ROWS_CHECKED_AT_ONCE):
        with np.errstate(over="ignore", invalid="ignore"):
            cast = block.astype(target)
            changed = (
                np.isfinite(block) & ~np.isfinite(cast) if block.dtype.kind == "f" else ~_same_integers(block, cast)
            )
        if changed.any():
            place = tuple(int(position) for position in np.argwhere(changed)[0])
            where = f" at {[start + place[0], *place[1:]]}" if place else ""
            raise InputsFileError(
                f"Input {spec.name!r} has the value {block[place]}{where}, "
                f"which {target.name} cannot hold (the file has {column.dtype.name}).",
                f"Give values that fit into {target.name}.",
            )
        start += block.shape[0] if block.ndim else 0


def _same_integers(block: Array, cast: Array) -> Array:
    """Tell for each element whether a cast from integers kept the value.

    Casting back is not enough: 2**63 - 1 becomes the float 2**63, which saturates to 2**63 - 1 again. Floats are
    therefore compared with integers only inside the range.
    """
    if cast.dtype.kind != "f":
        return np.asarray((cast.astype(block.dtype) == block) & ((cast < 0) == (block < 0)))
    info = np.iinfo(block.dtype)
    inside = (cast >= float(info.min)) & (cast < 2.0 ** (info.bits - (info.min < 0)))
    return np.asarray(inside & (np.where(inside, cast, 0).astype(block.dtype) == block))


def shape_text(spec: TensorSpec) -> str:
    """Format the shape of an input, such as (samples, any, 3)."""
    return _text(spec.shape, spec)


def _text(shape: tuple[int | None, ...], spec: TensorSpec | None = None) -> str:
    first = "samples" if spec is None or spec.has_sample_axis else "any"
    names = [
        first if axis == 0 and size is None else "any" if size is None else str(size) for axis, size in enumerate(shape)
    ]
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"
