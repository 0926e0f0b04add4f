"""Make the lookup tables of a frozen graph part of the graph, contents and all."""

from __future__ import annotations

from typing import Any

from ..errors import ConversionError


def embed_tables(graph_def: Any, handles: dict[str, Any]) -> None:
    """Replace each placeholder of a table's handle by a constant table, in place.

    `handles` maps the placeholder's node name to the eager handle it stands for. The table
    is filled before each use; filling it again with the same contents does nothing.
    ConversionError for a resource that is no table of constants.
    """
    nodes = {node.name: node for node in graph_def.node}
    for name, handle in handles.items():
        consumers = [node for node in graph_def.node if name in node.input or f"{name}:0" in node.input]
        types = _types_of(name, consumers, graph_def)
        keys, values = _contents(name, handle, *types)
        placeholder = nodes[name]
        placeholder.Clear()
        placeholder.name, placeholder.op = name, "HashTableV2"
        placeholder.attr["key_dtype"].type, placeholder.attr["value_dtype"].type = types
        fill = graph_def.node.add(name=f"{name}/fill", op="InitializeTableV2")
        fill.attr["Tkey"].type, fill.attr["Tval"].type = types
        fill.input.extend([name, _add_constant(graph_def, f"{name}/keys", keys)])
        fill.input.append(_add_constant(graph_def, f"{name}/values", values))
        for node in consumers:
            node.input.append(f"^{fill.name}")


def _types_of(name: str, consumers: list[Any], graph_def: Any) -> tuple[int, int]:
    """Key and value type of a lookup that takes the handle, else of any inside a function it is passed to."""
    inside = [node for function in graph_def.library.function for node in function.node_def]
    for node in (*consumers, *inside):
        if node.op == "LookupTableFindV2":
            return node.attr["Tin"].type, node.attr["Tout"].type
    used = ", ".join(sorted({node.op for node in consumers})) or "nothing"
    raise ConversionError(f"The model keeps state that cannot become a constant: {name}, used by {used}.")


def _contents(name: str, handle: Any, key_type: int, value_type: int) -> tuple[Any, Any]:
    import tensorflow as tf

    try:
        keys, values = tf.raw_ops.LookupTableExportV2(table_handle=handle, Tkeys=key_type, Tvalues=value_type)
    except (tf.errors.OpError, ValueError, TypeError) as error:
        raise ConversionError(f"The lookup table {name} cannot be read: {type(error).__name__}.") from error
    return keys.numpy(), values.numpy()


def _add_constant(graph_def: Any, name: str, value: Any) -> str:
    from tensorflow.python.framework import tensor_util

    proto = tensor_util.make_tensor_proto(value)
    node = graph_def.node.add(name=name, op="Const")
    node.attr["dtype"].type = proto.dtype
    node.attr["value"].tensor.CopyFrom(proto)
    return name
