"""Lists the points of a graph artifact, which are its nodes as TF.js can return them, and its weights.

A loop or a branch of TensorFlow 1 becomes one point for each value that leaves it, and the inputs of that point are
all values that enter.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import tensorflow as tf

from ...graphdef.control_flow import ControlFlow, topological_order
from ...graphdef.opaque import opaque_tensors, output_types
from ...graphdef.refs import node_of
from ..executable import GraphWeight, Point
from .layer_names import LayerNames

_SILENT = frozenset({"Const", "NoOp", "Placeholder"})
_ACTIVATIONS = {op: op.lower() for op in ("Relu", "Relu6", "Sigmoid", "Softmax", "Softsign", "Tanh")}
_CONTRACTIONS = frozenset({"Conv2D", "DepthwiseConv2dNative", "MatMul"})
#: Operations that run functions, and operations through which values leave a loop or branch of TensorFlow 1.
_LEAVING = {"Exit": "while", "RefExit": "while", "Merge": "cond", "RefMerge": "cond"}
_CONTROLLING = frozenset({"While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase", *_LEAVING})


def graph_points(
    topology: Any, inputs: Collection[str], outputs: Collection[str], layers: Collection[str]
) -> tuple[Point, ...]:
    """Return one point for each value of a node that an output needs, in topological order.

    Args:
        topology: The GraphDef with the artifact's own nodes, including fused ones.
        inputs: The artifact's names of its inputs, which are tensor names.
        outputs: The artifact's names of its outputs, which are tensor names.
        layers: Names of the model's Keras layers; empty if they are not known.
    """
    nodes = {node.name: node for node in topology.node}
    order = topological_order(nodes, map(node_of, outputs))
    flow = ControlFlow.of(nodes, order)
    input_of_node = {node_of(name): name for name in inputs}
    read = {_short(ref) for name in order for ref in nodes[name].input} | {_short(ref) for ref in outputs}
    opaque = opaque_tensors(nodes, order)
    names = LayerNames(order, layers)
    constant: dict[str, bool] = dict.fromkeys(inputs, False)
    points: list[Point] = []
    for name in order:
        node = nodes[name]
        if name in input_of_node or node.op in _SILENT or name in flow.inside:
            continue
        sources, through = _sources(nodes, node, flow.inside, opaque, input_of_node)
        loops = tuple(n for n in through if nodes[n].op in _CONTROLLING and n not in flow.inside)
        op = _LEAVING.get(node.op, node.op)
        # A placeholder with a default that is not an input of the artifact counts as a constant.
        is_constant = all(constant.get(source, True) for source in sources)
        for index in range(len(output_types(node))):
            tensor = _short(f"{name}:{index}")
            constant[tensor] = is_constant
            if tensor not in opaque and (index == 0 or tensor in read):
                layer, activation = names.of(name), _activation(node)
                merged = _merged(nodes, node, names, layer)
                points.append(
                    Point(tensor, op, sources, layer, f"{name}:{index}", is_constant, activation, merged, loops)
                )
    return tuple(points)


def _sources(
    nodes: Mapping[str, Any],
    node: Any,
    inside: Collection[str],
    opaque: Collection[str],
    input_of_node: Mapping[str, str],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return points and inputs that a node reads, also through values that cannot be read, and the nodes between."""
    found: dict[str, None] = {}
    seen: dict[str, None] = {}
    pending: list[str] = list(reversed(node.input))
    while pending:
        ref = pending.pop()
        source = nodes[node_of(ref)]
        if source.name in input_of_node:
            found[input_of_node[source.name]] = None
        elif source.name in inside or _short(ref) in opaque:
            if source.name not in seen:
                seen[source.name] = None
                pending += reversed(source.input)
        elif source.op not in _SILENT and not ref.startswith("^"):
            found[_short(ref)] = None
    return tuple(found), tuple(seen)


def _merged(nodes: Mapping[str, Any], node: Any, names: LayerNames, layer: str | None) -> tuple[str, ...]:
    """Return other layers whose weights a contraction reads, fused or with a scale folded into its kernel."""
    if "fused_ops" not in node.attr and node.op not in _CONTRACTIONS:
        return ()
    weights = (node_of(ref) for ref in node.input if nodes[node_of(ref)].op == "Const")
    found = dict.fromkeys(owner for weight in weights if (owner := names.of(weight)) and owner != layer)
    return tuple(found)


def _activation(node: Any) -> str:
    fused = node.attr["fused_ops"].list.s if "fused_ops" in node.attr else ()
    return _ACTIVATIONS.get(fused[-1].decode() if fused else node.op, "")


def _short(ref: str) -> str:
    """Return a tensor's short name: ``node`` for output 0, ``node:1`` for output 1."""
    return ref.lstrip("^").removesuffix(":0")


def tensor_names(ports: Sequence[str]) -> dict[str, str]:
    """Map the artifact's names of its inputs or outputs to tensors of the graph."""
    return {port: port if ":" in port else f"{port}:0" for port in ports}


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
