"""Converts the outputs of a model to plain numeric tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ModelFileError

_NO_NUMBERS = {"string": "strings", "variant": "values of type variant", "resource": "a resource"}


def comparable(outputs: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the numeric outputs by name, and a note for each that is left out.

    A ragged tensor becomes its values and its row splits; a sparse one its indices, values and shape. None is not an
    output. ModelFileError if no output is left.
    """
    kept: dict[str, Any] = {}
    left_out: list[str] = []
    for name, value in outputs.items():
        for part, tensor in _parts(name, value):
            if kind := _NO_NUMBERS.get(tensor.dtype.name):
                left_out.append(f"the output {part} is not compared: it holds {kind}")
            else:
                kept[part] = tensor
    if not kept:
        held = "; ".join(left_out) or "it has no outputs"
        raise ModelFileError(
            f"The model has no numeric output: {held}.",
            "Export a signature with numeric outputs, and add --signature NAME",
        )
    return kept, tuple(left_out)


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    import tensorflow as tf

    if value is None:
        return
    if isinstance(value, tf.RaggedTensor):
        yield f"{name}_values", value.flat_values
        for index, splits in enumerate(value.nested_row_splits):
            yield f"{name}_row_splits{f'_{index}' if index else ''}", splits
    elif isinstance(value, tf.SparseTensor):
        yield from ((f"{name}_indices", value.indices), (f"{name}_values", value.values))
        yield f"{name}_shape", value.dense_shape
    else:
        yield name, value if hasattr(value, "shape") else tf.convert_to_tensor(value)
