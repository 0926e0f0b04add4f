"""Finds the float weights among the constants of a graph that TensorFlow executes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from ...graphdef.refs import node_of
from ..executable import GraphWeight

_FLOAT32 = tf.float32.as_datatype_enum


def graph_weights(graph_def: Any, names: Mapping[str, tuple[str, str | None]]) -> tuple[GraphWeight, ...]:
    """Return the weights among `names`, which has the name and the layer of each constant by its node.

    A constant without a reader is left out, because loops of TensorFlow 1 read their own copies.
    """
    found = []
    read = {node_of(ref) for node in graph_def.node for ref in node.input}
    for node in graph_def.node:
        known = node.op == "Const" and node.name in names and node.name in read
        if known and node.attr["dtype"].type == _FLOAT32:
            shape = tuple(int(axis.size) for axis in node.attr["value"].tensor.tensor_shape.dim)
            if shape and 0 not in shape:
                found.append(GraphWeight(*names[node.name], f"{node.name}:0", shape))
    return tuple(found)
