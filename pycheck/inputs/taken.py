"""Opens the user's inputs, from a file or from arrays, and pairs them with the model's inputs by name."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputsFileError
from ..types import InputsInfo, Signature
from .files import Column, array_column, hash_file, open_columns, text_array
from .fitting import fit
from .stream import Inputs


def open_inputs(path: Path, signature: Signature) -> Inputs:
    """Open the inputs in a .npy, .npz, .safetensors or .json file, and check the whole file.

    A model with one input accepts a .npy, and also the only array of other files, whatever its name (with a note).
    Arrays that numpy.savez named arr_0, arr_1, ... are used in the model's order. Otherwise names must be the model's.
    InputsFileError if the file does not fit.
    """
    path = Path(path)
    columns = open_columns(path)
    return _inputs(columns, signature, str(path), hash_file(path))


def from_arrays(arrays: Any, signature: Signature) -> Inputs:
    """Make inputs from memory: an array for one input, a list of arrays in the model's order, or a dict by name."""
    columns = _columns_of(arrays, signature)
    digest = hashlib.sha256()
    for column in columns:
        digest.update(f"{column.name}|{column.dtype.str}|{column.shape}|".encode())
        if column.shape and 0 not in column.shape:
            for block in column.rows(64):
                digest.update(np.ascontiguousarray(block).tobytes())
    return _inputs(columns, signature, "<arrays>", digest.hexdigest())


def from_columns(columns: tuple[Column, ...], signature: Signature, path: str, sha256: str) -> Inputs:
    """Make inputs of columns that are at hand; `path` names their origin."""
    return _inputs(columns, signature, path, sha256)


def _columns_of(arrays: Any, signature: Signature) -> tuple[Column, ...]:
    if isinstance(arrays, Mapping):
        return tuple(_array_column(str(name), array) for name, array in arrays.items())
    if not signature.inputs:
        raise _without_inputs()
    count = len(signature.inputs)
    one_wrapped = isinstance(arrays, Sequence) and len(arrays) == 1 and hasattr(arrays[0], "shape")
    if count == 1 and not one_wrapped:
        return (_array_column("", arrays),)
    if not isinstance(arrays, Sequence):
        raise InputsFileError(
            f"The model takes {count} inputs ({_names(signature)}), but one array was given.",
            "Give a dict by name, or a list in this order.",
        )
    if len(arrays) != count:
        raise InputsFileError(
            f"The model takes {count} inputs ({_names(signature)}), but the number of arrays is {len(arrays)}.",
            "Give one array for each.",
        )
    return tuple(_array_column(spec.name, array) for spec, array in zip(signature.inputs, arrays, strict=True))


def _array_column(name: str, value: Any) -> Column:
    label = f"Input {name!r}" if name else "The input"
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputsFileError(f"{label} has rows of different lengths.", "Pad the shorter rows.") from error
    array = text_array(array)
    if array.dtype.hasobject or array.dtype.names:
        raise InputsFileError(f"{label} is an array of {array.dtype}.", "Give an array of numbers or of texts.")
    return array_column(name, array)


def _inputs(columns: tuple[Column, ...], signature: Signature, path: str, sha256: str) -> Inputs:
    if not signature.inputs:
        raise _without_inputs()
    paired, notes = _pair(columns, signature)
    chunks = {}
    for spec in signature.inputs:
        chunks[spec.name], changes = fit(paired[spec.name], spec)
        notes += changes
    whole = frozenset(spec.name for spec in signature.inputs if not spec.has_sample_axis)
    counts = {name: column.shape[0] for name, column in paired.items() if name not in whole}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InputsFileError(
            f"The inputs have different numbers of samples: {listed}.", "Give the same number for each."
        )
    return Inputs(InputsInfo(path, sha256, next(iter(counts.values()), 1), notes), chunks, whole)


def _without_inputs() -> InputsFileError:
    return InputsFileError(
        "The model takes no inputs, but inputs are given.", "Remove INPUTS: the model then runs once."
    )


def _pair(columns: tuple[Column, ...], signature: Signature) -> tuple[dict[str, Column], tuple[str, ...]]:
    """Pair the arrays with the model's inputs by name, with a note if the file has different names."""
    wanted = [spec.name for spec in signature.inputs]
    given = {column.name: column for column in columns}
    if len(given) == len(wanted) and set(given) == set(wanted):
        return {name: given[name] for name in wanted}, ()
    if len(wanted) == len(given) == 1:
        (name, column), (input_name,) = *given.items(), wanted
        return {input_name: column}, (f"{input_name}: read from the array {name!r}",) if name else ()
    if "" in given:
        raise InputsFileError(
            f"The model takes {len(wanted)} inputs ({_names(signature)}), but a .npy file holds one array.",
            f"Save them by name: numpy.savez(path, {', '.join(f'{name}=...' for name in wanted)})",
        )
    positional = [f"arr_{index}" for index in range(len(wanted))]
    if set(given) == set(positional):
        note = "unnamed arrays assigned in the model's order: " + ", ".join(wanted)
        return {name: given[key] for name, key in zip(wanted, positional, strict=True)}, (note,)
    raise _wrong_names(set(given), wanted)


def _wrong_names(given: set[str], wanted: list[str]) -> InputsFileError:
    missing = [name for name in wanted if name not in given]
    extra = sorted(given - set(wanted))
    parts = []
    if missing:
        parts.append(f"{_quoted(missing)} {'are' if len(missing) > 1 else 'is'} missing")
    if extra:
        parts.append(f"the model has no input {_quoted(extra)}")
    hints = [
        f"{close[0]!r} instead of {name!r}"
        for name in extra
        if (close := difflib.get_close_matches(name, missing or wanted, 1, 0.6))
    ]
    advice = f"The model takes {_quoted(wanted)}." + (f" Did you mean {', '.join(hints)}?" if hints else "")
    return InputsFileError(f"The names of the inputs do not fit the model: {'; '.join(parts)}.", advice)


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _names(signature: Signature) -> str:
    return ", ".join(spec.name for spec in signature.inputs)
