"""Converts lookup tables to TF.js's form: in the graph by name, filled by a second graph before the first runs.

TF.js 4.22 finds a table by the name of the node that a lookup reads (`getTensor` in operations/executors/utils.ts of
tfjs-converter), if the graph of `modelInitializer` in model.json created a table of that name. The result of a lookup
has one axis in TF.js, for keys of any shape. The bodies of loops and branches cannot use tables: graph_executor.ts
gives their executors no resource manager.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from google.protobuf.json_format import MessageToDict

from ...graphdef.body import Array, Body, Program, constant_value
from ...graphdef.internals import graph_pb2
from ...graphdef.refs import node_of

_LOOKUPS = "LookupTable"
_HANDLE = tf.resource.as_datatype_enum


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its node and its content."""

    name: str
    keys: Array
    values: Array


def filled_tables(graph_def: Any) -> dict[str, Table]:
    """Return the tables that a frozen graph fills, by their nodes.

    With new names, because freezing numbers them at random.
    """
    nodes = {node.name: node for node in graph_def.node}
    found: dict[str, Table] = {}
    for node in graph_def.node:
        if node.op == "InitializeTableV2":
            table, keys, values = (node_of(ref) for ref in node.input[:3])
            name = "lookup_table" if not found else f"lookup_table_{len(found)}"
            found[table] = Table(name, constant_value(nodes[keys]), constant_value(nodes[values]))
    return found


def place_tables(program: Program, tables: Mapping[str, Table]) -> None:
    """Give the tables their names, and remove all nodes between a table and its readers."""
    for node in program.main.nodes.values():
        if node.op.startswith(_LOOKUPS):
            node.input[:] = [_behind_identity(program.main, ref) for ref in node.input]
    program.main.prune()
    for old, table in tables.items():
        if old in program.main.nodes:
            node = program.main.nodes.pop(old)
            node.name = table.name
            program.main.nodes[node.name] = node
            program.main.redirect(old, node.name)


def _behind_identity(body: Body, ref: str) -> str:
    """Return the source of a handle; any other tensor unchanged."""
    source = ref
    while (node := body.nodes[node_of(source)]).op == "Identity" and node.attr["T"].type == _HANDLE:
        source = node.input[0]
    return source


def initializer(tables: Mapping[str, Table], program: Program) -> tuple[dict[str, Any], list[tuple[str, Array]]]:
    """Return the JSON of the graph that fills the tables of a program, and the weights that it needs."""
    used = {node.name: node for node in program.main.nodes.values() if node.op == "HashTableV2"}
    graph, weights = graph_pb2.GraphDef(versions=program.versions.versions), list[tuple[str, Array]]()
    for table in tables.values():
        if table.name not in used:
            continue
        source = graph.node.add()
        source.CopyFrom(used[table.name])
        fill = graph.node.add(name=f"{table.name}/fill", op="InitializeTableV2", input=[table.name])
        for part, array, attr in (("keys", table.keys, "Tkey"), ("values", table.values, "Tval")):
            dtype = source.attr["key_dtype" if part == "keys" else "value_dtype"].type
            constant = graph.node.add(name=f"{table.name}/{part}", op="Const")
            constant.attr["dtype"].type = dtype
            constant.attr["value"].tensor.dtype = dtype
            constant.attr["value"].tensor.tensor_shape.dim.add(size=len(array))
            fill.input.append(constant.name)
            fill.attr[attr].type = dtype
            weights.append((constant.name, array))
    return (MessageToDict(graph) if weights else {}), weights


def shaped_like_keys(site: Any, inputs: Any) -> Any:
    """Look up keys in one axis, and reshape the result to the shape of the keys."""
    table, keys, default = inputs
    flat = tf.reshape(keys, [-1])
    found = tf.raw_ops.LookupTableFindV2(table_handle=table, keys=flat, default_value=default)
    return tf.reshape(found, tf.shape(keys))
