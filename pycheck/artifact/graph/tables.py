"""Fills the lookup tables of a graph artifact as TF.js does: by the graph of `modelInitializer`, before lookups.

TF.js identifies a table in two ways (executor/graph_model.ts and operations/executors/utils.ts of tfjs-converter
4.22): by the name of its node, which the graph and its initializer then have in common; or by a `resourceId`, which an
input of the graph's signature and an output of the initializer's have in common. The published converter writes the
latter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...graphdef.internals import types_pb2
from ...graphdef.refs import node_of
from ..document import Document

TABLES = frozenset({"HashTable", "HashTableV2"})
_FILLS = frozenset({"InitializeTable", "InitializeTableV2", "LookupTableImport", "LookupTableImportV2"})
_PREFIX = "model_initializer/"


def join_initializer(document: Document, graph_def: Any, initializer: Any) -> None:
    """Add the nodes of the initializer to the graph, and order them before the readers of tables."""
    tables = {node.name for node in initializer.node if node.op in TABLES}
    fills = [f"^{_PREFIX}{node.name}" for node in initializer.node if node.op in _FILLS]
    handles = {name: name for name in tables} | _by_resource(document)
    for node in graph_def.node:
        if node.name in handles and (node.op in TABLES or node.op == "Placeholder"):
            _hand_on(node, _prefixed(handles[node.name]), fills)
    in_functions = [node for f in graph_def.library.function for node in f.node_def if node.op in TABLES]
    for node in in_functions:
        node.attr["shared_name"].s = node.name.encode()
    if in_functions:
        for node in graph_def.node:
            if any(attr.HasField("func") or attr.list.func for attr in node.attr.values()):
                node.input.extend(fills)
    for node in initializer.node:
        joined = graph_def.node.add()
        joined.CopyFrom(node)
        joined.name = _PREFIX + node.name
        joined.input[:] = [_prefixed(ref) for ref in node.input]
        if node.op in TABLES:
            joined.attr["shared_name"].s = node.name.encode()


def unfilled_tables(graph_def: Any, initializer: Any) -> list[str]:
    """Return the tables of a graph that its initializer does not fill."""
    known = {node.name for node in initializer.node}
    functions = [node for function in graph_def.library.function for node in function.node_def]
    return [node.name for node in (*graph_def.node, *functions) if node.op in TABLES and node.name not in known]


def _by_resource(document: Document) -> dict[str, str]:
    """Return the tensor of the initializer for each placeholder of a handle."""
    outputs = ((document.content.get("initializerSignature") or {}).get("outputs") or {}).values()
    given: Mapping[Any, str] = {port["resourceId"]: str(port["name"]) for port in outputs if "resourceId" in port}
    inputs = ((document.content.get("signature") or {}).get("inputs") or {}).values()
    return {node_of(str(port["name"])): given[port["resourceId"]] for port in inputs if port.get("resourceId") in given}


def _hand_on(node: Any, source: str, fills: list[str]) -> None:
    name = node.name
    node.Clear()
    node.name, node.op = name, "Identity"
    node.attr["T"].type = types_pb2.DT_RESOURCE
    node.input.extend([source, *fills])


def _prefixed(ref: str) -> str:
    return f"^{_PREFIX}{ref[1:]}" if ref.startswith("^") else _PREFIX + ref
