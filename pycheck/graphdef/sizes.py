"""How much memory the values inside of a graph take, without running it."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import tensorflow as tf

from .large_constants import without_large_constants
from .refs import node_of

#: Their results take no memory of their own.
_NO_VALUES = frozenset(
    {"Const", "ExpandDims", "Identity", "NoOp", "Placeholder", "Reshape", "Shape", "Squeeze", "StopGradient"}
)


def value_bytes(graph_def: Any, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """The bytes of all values together, for inputs, tensors of the graph, of these shapes.

    Values inside of loops and other functions do not count; an axis that is not known counts as 1.
    """
    light = without_large_constants(graph_def, ()).graph_def
    try:
        graph = _imported(light, {node_of(tensor): shape for tensor, shape in shapes.items()})
    except ValueError:  # the model does not take these shapes, such as a single sample: its own tell less
        graph = _imported(light, {})
    return sum(
        tensor.dtype.size * prod(size or 1 for size in tensor.shape.as_list())
        for operation in graph.get_operations()
        if operation.type not in _NO_VALUES
        for tensor in operation.outputs
        if tensor.shape.rank is not None and tensor.dtype.size
    )


def _imported(graph_def: Any, shapes: Mapping[str, tuple[int, ...]]) -> Any:
    """The graph with these shapes of its placeholders, by name, and of all that depends on them."""
    shaped = type(graph_def)()
    shaped.CopyFrom(graph_def)
    for node in shaped.node:
        if node.op == "Placeholder" and node.name in shapes:
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(shapes[node.name]).as_proto())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(shaped, name="")
    return graph
