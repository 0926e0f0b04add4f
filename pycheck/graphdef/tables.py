"""Makes the lookup tables of a frozen graph part of the graph, with their content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ConversionError
from .side_effects import Uses

#: Operations that change a table while the model predicts; tables may only be filled before that.
_WRITERS = ("LookupTableInsert", "LookupTableRemove", "LookupTableImport", "InitializeTable")


def embed_tables(graph_def: Any, handles: Mapping[str, Any]) -> None:
    """Replace each placeholder of a table's handle by a constant table, in place.

    `handles` maps the placeholder's node name to its eager handle. The table is filled before each use; filling it
    again with the same content has no effect. ConversionError for a resource that is not a table of constants.
    """
    uses = Uses(graph_def)
    for name, handle in handles.items():
        users = uses.of(name)
        if changing := next((node for op, node in users if op.startswith(_WRITERS)), None):
            raise ConversionError(
                f"The model changes its lookup table when it predicts, at {changing}: it keeps a state.",
                "Remove this part from the model to compare.",
            )
        if not users or not all(op.startswith("LookupTable") for op, _ in users):
            used = ", ".join(sorted({op for op, _ in users})) or "nothing"
            raise ConversionError(
                f"The model keeps a state that cannot become a constant: {name}, used by {used}.",
                "Remove this part from the model to compare.",
            )
        keys, values = _contents(name, handle, uses.types_of_lookups(name))
        if not len(keys):
            raise ConversionError(
                f"The lookup table {name} is empty, so it cannot become a constant.",
                "Fill the table before you save the model.",
            )
        _embed(graph_def, name, keys, values)


def _embed(graph_def: Any, name: str, keys: Any, values: Any) -> None:
    import tensorflow as tf

    types = [tf.as_dtype(array.dtype).as_datatype_enum for array in (keys, values)]
    (placeholder,) = (node for node in graph_def.node if node.name == name)
    consumers = [node for node in graph_def.node if name in node.input or f"{name}:0" in node.input]
    placeholder.Clear()
    placeholder.name, placeholder.op = name, "HashTableV2"
    placeholder.attr["key_dtype"].type, placeholder.attr["value_dtype"].type = types
    fill = graph_def.node.add(name=f"{name}/fill", op="InitializeTableV2")
    fill.attr["Tkey"].type, fill.attr["Tval"].type = types
    fill.input.extend([name, _add_constant(graph_def, f"{name}/keys", keys)])
    fill.input.append(_add_constant(graph_def, f"{name}/values", values))
    for node in consumers:
        node.input.append(f"^{fill.name}")


def _contents(name: str, handle: Any, types: tuple[int, int] | None) -> tuple[Any, Any]:
    """Return keys and values, in an order that does not depend on the table.

    Without lookups only the size of the table matters. Its types are then unknown, and asking for wrong types kills
    the process.
    """
    import tensorflow as tf

    try:
        if types is None:
            keys = np.arange(int(tf.raw_ops.LookupTableSizeV2(table_handle=handle)))
            return keys, keys
        exported = tf.raw_ops.LookupTableExportV2(table_handle=handle, Tkeys=types[0], Tvalues=types[1])
    except (tf.errors.OpError, ValueError, TypeError) as error:
        raise ConversionError(f"Cannot read the lookup table {name}: {type(error).__name__}.") from error
    keys, values = (tensor.numpy() for tensor in exported)
    if keys.ndim == 2 and keys.shape[1] == 1:  # the empty buckets of a MutableDenseHashTable share a key
        once = np.unique(keys[:, 0], return_counts=True)
        used = np.isin(keys[:, 0], once[0][once[1] == 1])
        keys, values = keys[used, 0], values[used].reshape(-1) if values[0].size == 1 else values[used]
    if values.ndim != 1:
        raise ConversionError(
            f"The values of the lookup table {name} have the shape {list(values.shape[1:])}, but TF.js only supports "
            "single values.",
            "Look up an index, and gather the rows of a matrix with it: tf.gather(matrix, table.lookup(keys))",
        )
    order = np.argsort(keys)
    return keys[order], values[order]


def _add_constant(graph_def: Any, name: str, value: Any) -> str:
    from .internals import tensor_util

    proto = tensor_util.make_tensor_proto(value)
    node = graph_def.node.add(name=name, op="Const")
    node.attr["dtype"].type = proto.dtype
    node.attr["value"].tensor.CopyFrom(proto)
    return name
