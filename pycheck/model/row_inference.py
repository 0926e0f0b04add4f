"""Infers, without running a model, how many rows each output has for a number of rows of the inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: A constant of more bytes is replaced by its shape, because it must be a weight.
_LARGEST_CONSTANT = 4096


def inferred_shapes(function: Any, rows: Mapping[int, int]) -> list[tuple[int | None, ...] | None] | None:
    """Infer the shapes of the flat outputs of a ConcreteFunction; None for an unknown size or rank.

    `rows` gives the first size of an input by its position; None leaves it open. TensorFlow's graph optimizer
    (GraphProperties) infers the shapes, through functions and through values computed from tf.shape, in milliseconds.
    None if it does not accept these sizes together.
    """
    from ..graphdef.internals import grappler_item, meta_graph_pb2

    meta_graph = meta_graph_pb2.MetaGraphDef()
    meta_graph.graph_def.CopyFrom(_with_fixed_inputs(function, rows))
    names = [output.op.name for output in function.outputs]
    meta_graph.collection_def["train_op"].node_list.value.extend(dict.fromkeys(names))
    try:
        properties = grappler_item.Item(meta_graph).GetOpProperties()
    except (RuntimeError, ValueError, TypeError):  # sizes that contradict one another, in any operation
        return None
    return [_shape(properties.get(output.op.name, ()), output.value_index) for output in function.outputs]


def operations(function: Any) -> Iterator[str]:
    """Yield the operations of a ConcreteFunction's graph and of every function that it may call."""
    graph_def = function.graph.as_graph_def()
    for nodes in (graph_def.node, *(each.node_def for each in graph_def.library.function)):
        yield from (node.op for node in nodes)


def _with_fixed_inputs(function: Any, rows: Mapping[int, int]) -> Any:
    """Replace every input, captured variable and large constant of the graph by a variable of known shape.

    A placeholder would count as fed, and a fed value may have any shape.
    """
    import tensorflow as tf

    graph_def = function.graph.as_graph_def()
    nodes = {node.name: node for node in graph_def.node}
    captured = function.captured_inputs
    inputs = function.inputs[: len(function.inputs) - len(captured)]
    for position, tensor in enumerate(inputs):
        shape = tensor.shape
        if position in rows:
            shape = tf.TensorShape([rows[position], *shape[1:]])
        _replace(nodes[tensor.op.name], "VariableV2", tensor.dtype.as_datatype_enum, shape.as_proto())
    for inner, outer in zip(function.inputs[len(inputs) :], captured, strict=True):
        held = getattr(outer, "_handle_data", None)
        if held is not None and held.is_set and len(held.shape_and_type) == 1:
            (variable,) = held.shape_and_type
            _replace(nodes[inner.op.name], "VarHandleOp", variable.dtype, variable.shape)
    for node in graph_def.node:
        if node.op == "Const" and node.attr["value"].tensor.ByteSize() > _LARGEST_CONSTANT:
            value = node.attr["value"].tensor
            _replace(node, "VariableV2", value.dtype, value.tensor_shape)
    return graph_def


def _replace(node: Any, op: str, dtype: int, shape: Any) -> None:
    node.op = op
    for key in list(node.attr):
        del node.attr[key]
    node.attr["dtype"].type = dtype
    node.attr["shape"].shape.CopyFrom(shape)


def _shape(properties: Any, index: int) -> tuple[int | None, ...] | None:
    if index >= len(properties) or properties[index].shape.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else dim.size for dim in properties[index].shape.dim)
