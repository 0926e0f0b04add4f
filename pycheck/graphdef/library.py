"""Removes and renames the functions of a graph's library."""

from __future__ import annotations

import hashlib
from typing import Any

GraphDef = Any  # tensorflow.core.framework.graph_pb2.GraphDef
NodeDef = Any


def keep_reachable_functions(graph_def: GraphDef) -> None:
    """Remove functions without a call: gradients, and fused kernels that Keras 2 keeps for other devices."""
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
    """Append `suffix` to every function's name, because names are global in a process that may hold both graphs."""
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
    """Yield the node's attributes that name functions: branches, loop bodies, calls."""
    references: list[Any] = []
    for value in node.attr.values():
        kind = value.WhichOneof("value")
        references.extend([value.func] if kind == "func" else value.list.func if kind == "list" else ())
    return references


def digest(message: Any) -> str:
    """Return a short hash of a protocol buffer's contents."""
    return hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()[:12]
