"""Turns a traced function into a graph of constants, with few copies of them in memory at a time."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from .gathers import gather_constants
from .internals import convert_to_constants
from .large_constants import without_large_constants

# The two halves of convert_variables_to_constants_v2. That function also makes a function of the graph, which holds the
# constants ten times. Different releases of TensorFlow may lack these halves.
_CONVERTER = getattr(convert_to_constants, "_FunctionConverterDataInEager", None)
_REPLACE = getattr(convert_to_constants, "_replace_variables_by_constants", None)


def frozen_graph(function: Any) -> tuple[Any, tuple[str, ...]]:
    """Return the graph of a ConcreteFunction with variables as constants, and the tensors of its inputs.

    Control flow stays functions. The outputs keep their names; nodes are in topological order, without those that no
    output needs.
    """
    if _CONVERTER is None or _REPLACE is None:
        frozen = convert_to_constants.convert_variables_to_constants_v2(function, lower_control_flow=False)
        graph_def = frozen.graph.as_graph_def()
        gather_constants(graph_def)
        return graph_def, tuple(tensor.name for tensor in frozen.inputs)
    data = _CONVERTER(func=function, lower_control_flow=False, aggressive_inlining=False)
    graph_def, converted = _REPLACE(converter_data=data)
    del data
    gather_constants(graph_def)
    captures = function.graph.internal_captures
    gone = {captures[index].name for index in converted}
    inputs = tuple(tensor.name for tensor in function.inputs if tensor.name not in gone)
    return _ordered(graph_def, {name.split(":")[0] for name in (*inputs, *(t.name for t in function.outputs))}), inputs


def _ordered(graph_def: Any, wanted: set[str]) -> Any:
    """Return the nodes that these nodes need, in the order in which TensorFlow adds nodes: after those they read."""
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph_def, sorted(wanted))
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(without_large_constants(needed, ()).graph_def, name="")
    nodes = {node.name: node for node in needed.node}
    result = type(graph_def)(versions=needed.versions)
    result.library.CopyFrom(needed.library)
    for operation in graph.get_operations():
        result.node.add().CopyFrom(nodes[operation.name])
    return result
