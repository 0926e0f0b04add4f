"""Hands lookup tables to TF.js as it wants them: in the graph by name, filled by a second graph before the first runs.

TF.js 4.22 finds a table by the name of the node that a lookup reads (`getTensor` in operations/executors/utils.ts of
tfjs-converter), wherever the graph of `modelInitializer` in model.json made one of that name. So each lookup reads the
table itself, in the bodies of loops too. The result of a lookup has one axis in TF.js, whatever its keys have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from google.protobuf.json_format import MessageToDict
from tensorflow.core.framework import graph_pb2, node_def_pb2

from .graph_body import Array, Body, Program, constant_value, node_of

_LOOKUPS = "LookupTable"


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the node that stands for it in every body, and what it holds."""

    name: str
    keys: Array
    values: Array


def filled_tables(graph_def: Any) -> dict[str, Table]:
    """The tables that a frozen graph fills, by their nodes; named anew, since freezing numbers them at random."""
    nodes = {node.name: node for node in graph_def.node}
    found: dict[str, Table] = {}
    for node in graph_def.node:
        if node.op == "InitializeTableV2":
            table, keys, values = (node_of(ref) for ref in node.input[:3])
            name = "lookup_table" if not found else f"lookup_table_{len(found)}"
            found[table] = Table(name, constant_value(nodes[keys]), constant_value(nodes[values]))
    return found


def place_tables(program: Program, tables: Mapping[str, Table]) -> None:
    """Let each lookup read its table's node, in a copy of it in every body."""
    if not tables:
        return
    placed = {table: program.main.nodes[table] for table in tables if table in program.main.nodes}
    for table, source in placed.items():
        for body in program.bodies():
            node = node_def_pb2.NodeDef()
            node.CopyFrom(source)
            node.name = tables[table].name
            body.nodes[node.name] = node
    sources = _argument_sources(program)
    for body in program.bodies():
        for node in body.nodes.values():
            if node.op.startswith(_LOOKUPS):
                table = _resolved(program, sources, body, node_of(node.input[0]))
                if table in tables:
                    node.input[0] = tables[table].name
    for body in program.bodies():
        body.prune()


def initializer(tables: Mapping[str, Table], program: Program) -> tuple[dict[str, Any], list[tuple[str, Array]]]:
    """The JSON of the graph that fills the tables which the program reads, and the weights that it needs."""
    used = {node.name: node for body in program.bodies() for node in body.nodes.values() if node.op == "HashTableV2"}
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


def _argument_sources(program: Program) -> dict[tuple[str, str], list[tuple[Body, str]]]:
    """For each argument of a function, what its calls give: (the caller, its tensor)."""
    found: dict[tuple[str, str], list[tuple[Body, str]]] = {}
    for body in program.bodies():
        for node in body.nodes.values():
            for function, arguments in _calls(node):
                if function in program.functions:
                    for argument, ref in zip(program.functions[function].inputs, arguments, strict=False):
                        found.setdefault((function, argument), []).append((body, ref))
    return found


def _calls(node: Any) -> Iterator[tuple[str, list[str]]]:
    skipped = 1 if node.op in ("If", "StatelessIf", "Case", "StatelessCase") else 0
    for attr in node.attr.values():
        for called in [attr.func] if attr.HasField("func") else attr.list.func:
            yield called.name, list(node.input)[skipped:]


def _resolved(program: Program, sources: Mapping[Any, list[tuple[Body, str]]], body: Body, name: str) -> str:
    """The table's node that a handle is, through Identity and the arguments of functions."""
    while True:
        node = body.nodes[name]
        if (body.name, name) in sources:
            body, ref = sources[body.name, name][0]
            name = node_of(ref)
        elif node.op == "Identity":
            name = node_of(node.input[0])
        else:
            return name


def shaped_like_keys(site: Any, inputs: Any) -> Any:
    """The lookup of keys in one axis, and its result in the shape that they had."""
    table, keys, default = inputs
    flat = tf.reshape(keys, [-1])
    found = tf.raw_ops.LookupTableFindV2(table_handle=table, keys=flat, default_value=default)
    return tf.reshape(found, tf.shape(keys))
