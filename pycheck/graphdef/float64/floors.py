"""Finds tensors of a promoted graph that still depend on operations in float32.

The reference of such a tensor has float32's rounding. Its difference from float32 does not measure the error of
float32. A decision (an index, a comparison, a kept box) does not depend on rounding and ends the dependency.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from ..op_types import full_attrs, is_known, output_types
from ..refs import index_of, node_of

GraphDef = Any  # tensorflow.core.framework.graph_pb2.GraphDef
NodeDef = Any

#: Attribute of a node of a promoted graph that runs its operation in float32; its value is the operation.
IN_FLOAT32 = "_pycheck_in_float32"

_NOTHING: frozenset[str] = frozenset()


def behind_float32(graph_def: GraphDef, tensors: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return those of `tensors` that depend on float32 operations, with these operations.

    `tensors` maps names to tensors of a promoted graph.
    """
    trail = _Trail(graph_def)
    found = {name: trail.of(ref) for name, ref in tensors.items()}
    return {name: tuple(sorted(operations)) for name, operations in found.items() if operations}


def float32_notes(in_float32: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the notes about outputs that `behind_float32` found."""
    by_operations: dict[tuple[str, ...], list[str]] = {}
    for output, operations in in_float32.items():
        by_operations.setdefault(operations, []).append(output)
    return tuple(
        f"the noise floor of {', '.join(outputs)} is assumed, not measured: "
        f"{' and '.join(operations)} ran in float32 before it"
        for operations, outputs in by_operations.items()
    )


def ran_in_float32(graph_def: GraphDef, tensors: Mapping[str, str]) -> frozenset[str]:
    """Return those of `tensors` whose own node runs in float32."""
    nodes = {node.name for node in graph_def.node if IN_FLOAT32 in node.attr}
    return frozenset(name for name, ref in tensors.items() if node_of(ref) in nodes)


class _Trail:
    def __init__(self, graph_def: GraphDef) -> None:
        self._nodes = {node.name: node for node in graph_def.node}
        self._bodies = {function.signature.name: function.node_def for function in graph_def.library.function}
        self._inside: dict[str, frozenset[str]] = {}
        self._reached: dict[str, tuple[frozenset[str], frozenset[str]]] = {}

    def of(self, ref: str) -> frozenset[str]:
        """Return the float32 operations that a tensor depends on."""
        start = node_of(ref)
        for name in self._in_order(start):
            self._reached[name] = self._reach(self._nodes[name])
        floats, others = self._reached.get(start, (_NOTHING, _NOTHING))
        return floats if _is_float(self._nodes[start], index_of(ref)) else others

    def _in_order(self, start: str) -> Iterable[str]:
        """Return every node that `start` depends on, and itself, operands first, without nodes already known."""
        pending, seen = [(start, False)], set[str]()
        while pending:
            name, is_ready = pending.pop()
            if is_ready:
                yield name
            elif name not in seen and name not in self._reached and name in self._nodes:
                seen.add(name)
                pending.append((name, True))
                pending += [(node_of(ref), False) for ref in _data(self._nodes[name])]

    def _reach(self, node: NodeDef) -> tuple[frozenset[str], frozenset[str]]:
        """Return the float32 operations for a node's floating-point outputs, and for its other outputs."""
        floats = self._marks([node])
        others = self._marks([node]) if node.op == "Cast" else _NOTHING
        for ref in _data(node):
            source = node_of(ref)
            if source in self._reached:  # except in a loop of TensorFlow 1, whose merge comes before its end
                is_float = _is_float(self._nodes[source], index_of(ref))
                behind = self._reached[source][0 if is_float else 1]
                floats |= behind
                others |= behind if not is_float or node.op == "Cast" else _NOTHING
        return floats, others

    def _marks(self, nodes: Sequence[NodeDef]) -> frozenset[str]:
        """Return operations that run in float32 in these nodes or in the functions that they call."""
        found = _NOTHING
        for node in nodes:
            if IN_FLOAT32 in node.attr:
                found |= {node.attr[IN_FLOAT32].s.decode()}
                continue
            for value in node.attr.values():
                called = [value.func] if value.WhichOneof("value") == "func" else list(value.list.func)
                for function in called:
                    found |= self._in_function(function.name)
            found |= self._in_function(node.op)
        return found

    def _in_function(self, name: str) -> frozenset[str]:
        if name not in self._inside:
            self._inside[name] = _NOTHING  # a recursive call adds no operations
            self._inside[name] = self._marks(self._bodies.get(name, ()))
        return self._inside[name]


def _data(node: NodeDef) -> list[str]:
    return [ref for ref in node.input if not ref.startswith("^")]


def _is_float(node: NodeDef, index: int) -> bool:
    """Tell whether an output is a floating-point number; True if its type is not known (variants, resources)."""
    if not is_known(node.op):
        return True
    types = output_types(node.op, full_attrs(node))
    if index >= len(types):
        return True
    dtype = tf.as_dtype(types[index])
    return not (dtype.is_integer or dtype.is_bool or dtype == tf.string)
