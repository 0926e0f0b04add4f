"""Writes a TF.js artifact (model.json and weight shards) completely or not at all, for both formats."""

from __future__ import annotations

import fnmatch
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ConversionError
from .weight_files import Weight, write_weights

Weights = Sequence[tuple[str, npt.NDArray[Any]]]

QUANTIZATIONS = ("none", "float16", "uint16", "uint8")

#: The most weights that an error about an unknown weight names.
_MOST_NAMED = 8
_FLOAT16_MAX = float(np.finfo(np.float16).max)
_INT32 = np.iinfo(np.int32)


def is_quantized(array: npt.NDArray[Any], quantize: str) -> bool:
    """Tell whether `write_model_json` stores this tensor quantized.

    Float tensors with two elements or more are quantized. A single number saves nothing, and is usually an epsilon or
    a mask's -1e9, which half floats would turn into 0 and -Inf. A tensor that the type cannot hold stays unchanged:
    NaN or Inf for uint8 and uint16, and magnitudes above 65504 for float16.
    """
    if quantize == "none" or not _is_float(array) or array.size < 2:
        return False
    if quantize == "float16":
        finite = np.abs(array[np.isfinite(array)])
        return not finite.size or float(finite.max()) <= _FLOAT16_MAX
    return bool(np.isfinite(array).all())


def is_kept(name: str, keep_float: Sequence[str]) -> bool:
    """Tell whether a weight stays in float32: by its name, a part of it such as a layer, or a pattern.

    ``bn`` keeps all weights of the layer bn, also in nested models; ``bn/moving_variance`` keeps one of them,
    ``*/bias`` all biases.
    """
    padded = f"/{name}/"
    return any(f"/{pattern}/" in padded or fnmatch.fnmatchcase(name, pattern) for pattern in keep_float)


def write_model_json(
    folder: Path, fields: Mapping[str, Any], weights: Weights, quantize: str = "none", keep_float: Sequence[str] = ()
) -> int:
    """Write ``model.json`` (`fields` and the weights manifest) and its shards of at most 4 MB.

    All files appear at once, in a folder that was absent or empty, or not at all. Weights of a type that TF.js does not
    store become the nearest one that it does: float16, bfloat16 and float64 become float32; other integers become
    int32; see `is_quantized` for quantization.

    Args:
        folder: The artifact's folder; missing parents are created.
        fields: The JSON of model.json without ``weightsManifest``; finite numbers only.
        weights: Unique names and values, in the order in which they are stored.
        quantize: none, float16, uint16 or uint8. The integers are affine, with one range for each tensor.
        keep_float: Weights that are not quantized nevertheless, see `is_kept`.

    Returns:
        Size in bytes of model.json and the shards together.

    Raises:
        ConversionError: the folder is in use or cannot be written, an integer needs more than 32 bits, a type has no
            counterpart, a name occurs twice, a field is not JSON, or `keep_float` names no weight.
    """
    if quantize not in QUANTIZATIONS:
        raise ConversionError(f"Unknown quantization {quantize!r}.", f"Use one of {', '.join(QUANTIZATIONS)}.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConversionError(
            f"Cannot write to {folder}: the folder exists and is not empty.", "Name a new folder for the artifact."
        )
    stored = [(name, _storable(name, np.asarray(array))) for name, array in weights]
    _refuse_duplicates([name for name, _ in stored])
    _refuse_unknown([name for name, _ in stored], keep_float)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
            complete = Path(scratch) / "artifact"
            complete.mkdir()
            _write_files(complete, fields, stored, quantize, keep_float)
            size_bytes = sum(file.stat().st_size for file in complete.iterdir())
            complete.rename(folder)
    except OSError as error:
        raise ConversionError(
            f"Cannot write the artifact to {folder}: {error}.", "Name a folder that you can write to."
        ) from error
    return size_bytes


def _write_files(
    folder: Path, fields: Mapping[str, Any], weights: Weights, quantize: str, keep_float: Sequence[str]
) -> None:
    stored = [
        Weight(name, array, quantize if is_quantized(array, quantize) and not is_kept(name, keep_float) else "")
        for name, array in weights
    ]
    manifest = write_weights(folder, [stored])
    try:
        text = json.dumps({**fields, "weightsManifest": manifest}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConversionError(f"Cannot write the model's topology as JSON: {error}.") from error
    (folder / "model.json").write_text(text, encoding="utf-8")


def _is_float(array: npt.NDArray[Any]) -> bool:
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"


def _storable(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Convert the array to a type that TF.js stores: float32, int32, bool, complex64 or strings (object)."""
    kind = array.dtype.kind
    if kind in "SUO":
        return array.astype(object)
    if kind == "b":
        return array
    if _is_float(array):
        return array.astype(np.float32, copy=False)
    if kind == "c":
        return array.astype(np.complex64, copy=False)
    if kind not in "iu":
        raise ConversionError(f"The weight {name} has the type {array.dtype.name}, which TF.js cannot store.")
    if array.size and (int(array.min()) < _INT32.min or int(array.max()) > _INT32.max):
        raise ConversionError(
            f"The weight {name} ({array.dtype.name}) has values from {array.min()} to {array.max()}, but TF.js only "
            "has "
            "32-bit integers.",
            "Use integers within the range of int32 in the model.",
        )
    return array.astype(np.int32, copy=False)


def _refuse_unknown(names: Sequence[str], keep_float: Sequence[str]) -> None:
    for pattern in keep_float:
        if not any(is_kept(name, [pattern]) for name in names):
            shown = ", ".join(names[:_MOST_NAMED]) + (
                f" and {len(names) - _MOST_NAMED} more" if names[_MOST_NAMED:] else ""
            )
            raise ConversionError(
                f"--keep-float {pattern}: the artifact has no such weight. It has {shown}.",
                "Give a layer, a weight, or a pattern such as '*/moving_variance'.",
            )


def _refuse_duplicates(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ConversionError(f"Two weights have the name {name!r}.", "Give the layers different names.")
        seen.add(name)
