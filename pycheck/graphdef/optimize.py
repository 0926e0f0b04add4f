"""Optimizes a graph with TensorFlow's optimizer, without its large weights: the optimizer makes about ten copies.

Only weights whose values the optimizer does not use are removed: contractions and table lookups of values that depend
on the model's inputs read them, and no constant factor is next to the contraction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import tensorflow as tf

from .body import PLACEHOLDERS, Array, Body, Program, constant_value, read_program
from .internals import cluster, config_pb2, device_properties_pb2, meta_graph_pb2, node_def_pb2, tf_optimizer
from .refs import node_of

#: Smaller weights stay in the graph: a thousand of them take 16 MB.
_LARGE_BYTES = 1 << 14

#: The index of the weight among the inputs of an operation, and that of the value that it applies to.
_WEIGHT_AND_VALUE = {
    "BatchMatMul": (1, 0),
    "BatchMatMulV2": (1, 0),
    "Conv2D": (1, 0),
    "Conv2DBackpropInput": (1, 2),
    "Conv3D": (1, 0),
    "DepthwiseConv2dNative": (1, 0),
    "Einsum": (1, 0),
    "Gather": (0, 1),
    "GatherV2": (0, 1),
    "MatMul": (1, 0),
}
#: The optimizer multiplies the weights of a convolution by constant factors before and after it.
_PRODUCTS = ("Mul", "Div", "RealDiv")

_Readers = Mapping[str, Collection[tuple[Any, int]]]


def hide_weights(body: Body) -> dict[str, Any]:
    """Replace each large weight by a placeholder of the same name, in place; return the weights by name.

    It also removes the Identity nodes between the weight and the operations, as the optimizer would.
    """
    readers, varying = body.consumers(), _varying(body)
    hidden: dict[str, Any] = {}
    for node in [node for node in body.nodes.values() if node.op == "Const" and _size_bytes(node) >= _LARGE_BYTES]:
        aliases = _with_identities(readers, node.name)
        uses = [(reader, at) for name in aliases for reader, at in readers.get(name, ()) if reader.op != "Identity"]
        if not uses or not {*aliases}.isdisjoint(map(node_of, body.outputs)):
            continue
        if not all(_is_plain_use(body, readers, varying, reader, at) for reader, at in uses) or _is_simple(node):
            continue
        for reader, at in uses:
            reader.input[at] = node.name
        for alias in aliases[1:]:
            del body.nodes[alias]
        body.nodes[node.name] = _placeholder(node)
        hidden[node.name] = node
    return hidden


def show_weights(body: Body, hidden: Mapping[str, Any]) -> None:
    """Replace the placeholders that still exist by their weights."""
    body.nodes |= {name: node for name, node in hidden.items() if name in body.nodes}


def _size_bytes(node: Any) -> int:
    dtype = tf.as_dtype(node.attr["dtype"].type)
    count = tf.TensorShape(node.attr["value"].tensor.tensor_shape).num_elements() or 0
    return count * dtype.size if dtype.is_floating else 0


def _with_identities(readers: _Readers, name: str) -> list[str]:
    """Return the node and the Identity nodes after it."""
    found = [name]
    for alias in found:  # the list grows during the loop
        found += [reader.name for reader, _ in readers.get(alias, ()) if reader.op == "Identity"]
    return found


def _varying(body: Body) -> set[str]:
    """Return the nodes that depend on an input of the graph, which no optimizer computes in advance."""
    found: set[str] = set()
    for name in body.ordered():
        node = body.nodes[name]
        if node.op in PLACEHOLDERS or not found.isdisjoint(map(node_of, node.input)):
            found.add(name)
    return found


def _is_plain_use(body: Body, readers: _Readers, varying: Collection[str], reader: Any, position: int) -> bool:
    weight, value = _WEIGHT_AND_VALUE.get(reader.op, (None, 0))
    if weight != position or node_of(reader.input[value]) not in varying:
        return False
    before = body.nodes[node_of(reader.input[value])]
    neighbours = [before, *(behind for behind, _ in readers.get(reader.name, ()))]
    return not any(node.op in _PRODUCTS and not _all_vary(node.input, varying) for node in neighbours)


def _all_vary(refs: Iterable[str], varying: Collection[str]) -> bool:
    return all(node_of(ref) in varying for ref in refs)


def _is_simple(node: Any) -> bool:
    """Tell whether a weight holds only zeros or only ones, which the optimizer uses."""
    value: Array = constant_value(node)
    first = value.flat[0]
    return bool(first in (0, 1) and (value == first).all())


def _placeholder(constant: Any) -> Any:
    node = node_def_pb2.NodeDef(name=constant.name, op="Placeholder")
    node.attr["dtype"].type = constant.attr["dtype"].type
    node.attr["shape"].shape.CopyFrom(constant.attr["value"].tensor.tensor_shape)
    return node


#: The passes fold constants, share and shorten expressions, and remove unused nodes; twice, because each may enable the
#: others. "remap" is left out: it chooses fused operations for the present processor, such as _MklLayerNorm, that no
#: browser has. `conversion/graph/fusion.py` does the rest of its work.
_OPTIMIZERS = ("pruning", "constfold", "arithmetic", "dependency") * 2


def optimize(program: Program) -> Program:
    """Return the program after optimization, including its functions. Names of its inputs and outputs stay.

    The given program cannot be used afterwards: its weights move to the result.
    """
    main = program.main
    hidden = hide_weights(main)
    meta_graph = meta_graph_pb2.MetaGraphDef(graph_def=program.graph_def())
    # These nodes stay. A signature would keep them too, but the optimizer would run the model on generated inputs.
    meta_graph.collection_def["train_op"].node_list.value.extend(dict.fromkeys(map(node_of, main.outputs)))
    config = config_pb2.ConfigProto()
    options = config.graph_options.rewrite_options
    options.optimizers[:] = _OPTIMIZERS
    options.min_graph_nodes = -1  # small graphs are optimized too
    # A described GPU instead of this machine's devices makes the result the same on every machine.
    device = device_properties_pb2.NamedDevice(name="/GPU:0")
    device.properties.type = "GPU"
    device.properties.environment["architecture"] = "4"
    optimized = tf_optimizer.OptimizeGraph(config, meta_graph, cluster=cluster.Cluster(devices=[device]))
    kept = {node.name for node in optimized.node}
    optimized.node.extend(main.nodes[name] for name in main.inputs if name not in kept)  # nodes that no output needs
    result = read_program(optimized, main.inputs, main.outputs)
    show_weights(result.main, hidden)
    return result
