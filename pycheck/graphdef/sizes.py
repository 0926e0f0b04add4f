"""Computes the memory of the values within a graph, without running it."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import tensorflow as tf

from .large_constants import without_large_constants
from .refs import node_of

#: Operations whose results need no memory.
_NO_VALUES = frozenset(
    {"Const", "ExpandDims", "Identity", "NoOp", "Placeholder", "Reshape", "Shape", "Squeeze", "StopGradient"}
)


def value_bytes(graph_def: Any, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Return the bytes of all values together, for inputs (tensors of the graph) of these shapes.

    Values within loops and other functions do not count; an unknown axis counts as 1.
    """
    light = without_large_constants(graph_def, ()).graph_def
    try:
        graph = _imported(light, {node_of(tensor): shape for tensor, shape in shapes.items()})
    except ValueError:  # the model rejects these shapes, such as a single sample; its own have fewer known sizes
        graph = _imported(light, {})
    return sum(
        tensor.dtype.size * prod(size or 1 for size in tensor.shape.as_list())
        for operation in graph.get_operations()
        if operation.type not in _NO_VALUES
        for tensor in operation.outputs
        if tensor.shape.rank is not None and tensor.dtype.size
    )


def known_shapes(graph_def: Any) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all tensors of a graph that have no free dimension, by their names."""
    graph = _imported(without_large_constants(graph_def, ()).graph_def, {})
    return {
        tensor.name: tuple(tensor.shape)
        for operation in graph.get_operations()
        for tensor in operation.outputs
        if tensor.shape.is_fully_defined()
    }


def _imported(graph_def: Any, shapes: Mapping[str, tuple[int, ...]]) -> Any:
    """Return the graph with these shapes of its placeholders, by name, and of all nodes that depend on them."""
    shaped = type(graph_def)()
    shaped.CopyFrom(graph_def)
    for node in shaped.node:
        if node.op == "Placeholder" and node.name in shapes:
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(shapes[node.name]).as_proto())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(shaped, name="")
    return graph
