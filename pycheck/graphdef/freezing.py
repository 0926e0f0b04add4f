"""Turns a traced function into a graph of constants, with few copies of them in memory at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

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


def gather_constants(graph_def: Any) -> None:
    """Replace gathers from variables in functions by gathers from the constants that the variables became.

    Freezing (convert_to_constants.py of TensorFlow 2.19) passes a constant to a loop or a branch, but leaves a
    ResourceGather in it, which needs a variable. A changed function gets a new name, because function names are global
    in a process of TensorFlow.
    """
    from .internals import types_pb2

    renamed: dict[str, str] = {}
    for function in graph_def.library.function:
        constants = {arg.name for arg in function.signature.input_arg if arg.type != types_pb2.DT_RESOURCE}
        for node in function.node_def:
            if node.op == "Identity" and node.input[0].split(":")[0] in constants:
                constants.add(node.name)
        gathers = [node for node in function.node_def if node.op == "ResourceGather"]
        for node in [node for node in gathers if node.input[0].split(":")[0] in constants]:
            _gather(node, function.node_def.add(name=f"{node.name}/axis", op="Const"))
            renamed[function.signature.name] = f"{function.signature.name}_of_constants"
    while renamed:  # a caller of a changed function changes too
        for function in graph_def.library.function:
            function.signature.name = renamed.get(function.signature.name, function.signature.name)
        callers = [
            function
            for function in graph_def.library.function
            if sum(_rename_calls(node, renamed) for node in function.node_def)
        ]
        for node in graph_def.node:
            _rename_calls(node, renamed)
        names = [caller.signature.name for caller in callers]
        renamed = {name: f"{name}_of_constants" for name in names if not name.endswith("_of_constants")}


def _gather(node: Any, axis: Any) -> None:
    from .internals import types_pb2

    axis.attr["dtype"].type = axis.attr["value"].tensor.dtype = types_pb2.DT_INT32
    axis.attr["value"].tensor.tensor_shape.SetInParent()
    axis.attr["value"].tensor.int_val.append(0)
    node.attr["Tparams"].type, node.attr["Taxis"].type = node.attr["dtype"].type, types_pb2.DT_INT32
    for name in ("dtype", "validate_indices"):
        node.attr.pop(name, None)
    node.op = "GatherV2"
    node.input.insert(2, f"{axis.name}:output:0")


def _rename_calls(node: Any, names: Mapping[str, str]) -> bool:
    """Rename a node's calls of these functions; return whether there are any."""
    called = [function for value in node.attr.values() for function in (value.func, *value.list.func)]
    found = [function for function in called if function.name in names]
    for function in found:
        function.name = names[function.name]
    return bool(found)
