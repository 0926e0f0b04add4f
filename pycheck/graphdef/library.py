"""The functions that a graph carries: which are called, and what they are named."""

from __future__ import annotations

import hashlib
from typing import Any

GraphDef = Any  # tensorflow.core.framework.graph_pb2.GraphDef
NodeDef = Any


def keep_reachable_functions(graph_def: GraphDef) -> None:
    """Drop functions that nothing calls: gradients, and the fused kernels that Keras 2 keeps for other devices."""
    functions = {function.signature.name: function for function in graph_def.library.function}
    reachable: set[str] = set()
    pending = [name for node in graph_def.node for name in _called(node)]
    while pending:
        name = pending.pop()
        if name in functions and name not in reachable:
            reachable.add(name)
            pending.extend(called for node in functions[name].node_def for called in _called(node))
    kept = [function for name, function in functions.items() if name in reachable]
    del graph_def.library.function[:]
    graph_def.library.function.extend(kept)
    del graph_def.library.gradient[:]


def rename_functions(graph_def: GraphDef, suffix: str) -> None:
    """Append `suffix` to every function's name: names are global in a process, which may hold the first graph too."""
    names = {function.signature.name: function.signature.name + suffix for function in graph_def.library.function}
    bodies = [graph_def.node, *(function.node_def for function in graph_def.library.function)]
    for node in (node for body in bodies for node in body):
        node.op = names.get(node.op, node.op)
        for reference in _function_references(node):
            reference.name = names.get(reference.name, reference.name)
    for function in graph_def.library.function:
        function.signature.name = names[function.signature.name]


def _called(node: NodeDef) -> list[str]:
    return [node.op, *(reference.name for reference in _function_references(node))]


def _function_references(node: NodeDef) -> list[Any]:
    """The node's attributes that name functions: branches, loop bodies, calls."""
    references: list[Any] = []
    for value in node.attr.values():
        kind = value.WhichOneof("value")
        references.extend([value.func] if kind == "func" else value.list.func if kind == "list" else ())
    return references


def digest(message: Any) -> str:
    """A short hash of a protocol buffer's contents."""
    return hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()[:12]
