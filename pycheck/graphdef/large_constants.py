"""Removes large constants from a graph, because TensorFlow makes many copies of a graph before it runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from ..types import Array
from .internals import tensor_util

#: Smaller constants stay in the graph: TensorFlow reads shapes, axes and similar numbers while it builds a graph.
_LARGE_BYTES = 1 << 12


@dataclass(frozen=True, slots=True)
class LightGraph:
    """A graph with placeholders for its large constants, and their values, which the given graph still holds.

    `values` has a tf.TensorProto by the name of the constant. `graph_def` may be rewritten to other types before
    `arrays` is called, as long as names stay.
    """

    graph_def: Any
    values: Mapping[str, Any]

    def arrays(self, graph_def: Any) -> Iterator[tuple[str, Array]]:
        """Yield each value with its tensor's name, one at a time, in the type of its placeholder in `graph_def`."""
        types = {node.name: node.attr["dtype"].type for node in graph_def.node if node.name in self.values}
        for name, value in self.values.items():
            wanted = tf.as_dtype(types[name]).as_numpy_dtype
            yield f"{name}:0", tensor_util.MakeNdarray(value).astype(wanted, copy=False)


def without_large_constants(graph_def: Any, kept: Collection[str], *, also: Collection[str] = ()) -> LightGraph:
    """Copy the graph without large constants; tensors in `kept` stay unchanged.

    Constants in `also` are removed whatever their size.
    """
    nodes_kept, nodes_also = ({tensor.split(":")[0] for tensor in tensors} for tensors in (kept, also))
    values = {
        node.name: node.attr["value"].tensor
        for node in graph_def.node
        if node.name in nodes_also or _is_large(node, nodes_kept)
    }
    light = type(graph_def)(versions=graph_def.versions)
    light.library.CopyFrom(graph_def.library)
    for node in graph_def.node:
        copy = light.node.add()
        if node.name in values:
            copy.name, copy.op, copy.device = node.name, "Placeholder", node.device
            copy.attr["dtype"].type = node.attr["dtype"].type
            copy.attr["shape"].shape.CopyFrom(values[node.name].tensor_shape)
        else:
            copy.CopyFrom(node)
            # A constant needs no order, and its placeholder does not run.
            copy.input[:] = [ref for ref in node.input if ref.removeprefix("^") not in values or ref[:1] != "^"]
    return LightGraph(light, values)


def _is_large(node: Any, kept: Collection[str]) -> bool:
    if node.op != "Const" or node.name in kept or node.input:  # a control edge ties it to a loop of TensorFlow 1
        return False
    dtype = tf.as_dtype(node.attr["dtype"].type)
    if not (dtype.is_floating or dtype.is_complex or dtype.is_integer or dtype.is_bool):
        return False
    count = tf.TensorShape(node.attr["value"].tensor.tensor_shape).num_elements() or 0
    return bool(count * dtype.size >= _LARGE_BYTES)
