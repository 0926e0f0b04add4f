"""Cuts one operation out of an artifact: a graph of one node, or a model of one layer, with unchanged weights."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ..errors import ArtifactFileError
from ..graphdef.refs import node_of
from .cut import Cut
from .document import Document
from .executable import Point
from .layers.cutting import cut_layer
from .weights import Array, raw_weights

_TYPES = {
    "float32": "DT_FLOAT",
    "int32": "DT_INT32",
    "int64": "DT_INT64",
    "uint8": "DT_UINT8",
    "int8": "DT_INT8",
    "bool": "DT_BOOL",
    "complex64": "DT_COMPLEX64",
}


def cut_out(document: Document, point: Point, operands: Mapping[str, Array]) -> Cut:
    """Cut out the operation of a point; `operands` are examples of its operands, by `Point.inputs`.

    ArtifactFileError says why it cannot run alone, such as a layer that reads a mask.
    """
    if document.format == "layers":
        return cut_layer(document, point, operands)
    return _cut_node(document, point, operands)


def _cut_node(document: Document, point: Point, operands: Mapping[str, Array]) -> Cut:
    """Cut out a node, and the nodes between it and its operands, such as lists of tensors or a loop of TensorFlow 1."""
    nodes = {node["name"]: node for node in document.topology["node"]}
    operand_of = {_short(name): name for name in point.inputs}
    kept = _between(nodes, node_of(point.name), operand_of)
    names = _names(point, kept)
    copies = []
    for node in (node for name, node in nodes.items() if name in kept):
        refs = [ref for ref in node.get("input", ()) if not ref.startswith("^")]
        inputs = [names[operand_of[_short(ref)]] if _short(ref) in operand_of else ref for ref in refs]
        copies.append({**node, "input": inputs})
    library = dict(_functions(document.topology.get("library"), copies))
    placeholders = [_placeholder(names[name], operands[name]) for name in point.inputs]
    topology = {"node": [*placeholders, *copies], "versions": document.topology.get("versions", {})}
    if library:
        topology["library"] = {"function": list(library.values())}
    signature = {
        "inputs": {name: _port(name, operands[operand]) for operand, name in names.items()},
        "outputs": {"output": {"name": point.name}},
    }
    weights = raw_weights(document, set(_weight_names(copies, library)))
    return Cut("graph", topology, signature, weights, names, point.name, _attributes(nodes[node_of(point.name)]))


def _between(nodes: Mapping[str, Any], root: str, operands: Mapping[str, str]) -> set[str]:
    """Return nodes that `root` needs, up to the operands; ArtifactFileError if one is an input of the artifact."""
    found = {root}
    pending = [root]
    while pending:
        for ref in nodes[pending.pop()].get("input", ()):
            name = node_of(ref)
            if ref.startswith("^") or _short(ref) in operands or name in found:
                continue
            if nodes[name]["op"] == "Placeholder":
                raise ArtifactFileError(f"Cannot isolate {root}: its input {name} has no value.")
            found.add(name)
            pending.append(name)
    return found


def _names(point: Point, kept: Collection[str]) -> dict[str, str]:
    """Return the name of a placeholder for each operand: that of the node if possible."""
    names: dict[str, str] = {}
    for operand in point.inputs:
        name = _short(operand).replace(":", "_")
        while name in kept or name in names.values():
            name += "_"
        names[operand] = name
    return names


def _short(ref: str) -> str:
    return ref.removesuffix(":0")


def _placeholder(name: str, value: Array) -> dict[str, Any]:
    port = _port(name, value)
    attr = {"dtype": {"type": port["dtype"]}, "shape": {"shape": port["tensorShape"]}}
    return {"name": name, "op": "Placeholder", "attr": attr}


def _port(name: str, value: Array) -> dict[str, Any]:
    if value.dtype.name not in _TYPES:
        raise ArtifactFileError(f"{name} has values of dtype {value.dtype}, which TF.js does not support.")
    return {"name": name, "dtype": _TYPES[value.dtype.name], "tensorShape": {"dim": [{"size": "-1"}] * value.ndim}}


def _functions(library: Any, nodes: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Return the functions that these nodes call, directly and indirectly."""
    known = {function["signature"]["name"]: function for function in (library or {}).get("function", ())}
    pending, seen = list(nodes), set[str]()
    while pending:
        node = pending.pop()
        called = [node["op"], *(attr["func"]["name"] for attr in node.get("attr", {}).values() if "func" in attr)]
        for name in called:
            if name in known and name not in seen:
                seen.add(name)
                pending += known[name].get("nodeDef", ())
                yield name, known[name]


def _weight_names(nodes: Sequence[Mapping[str, Any]], library: Mapping[str, Any]) -> Iterator[str]:
    yield from (str(node["name"]) for node in nodes if node["op"] == "Const")
    for name, function in library.items():
        for node in function.get("nodeDef", ()):
            if node["op"] == "Const":
                yield from (str(node["name"]), f"{name}/{node['name']}")


def _attributes(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node's attributes as plain values; TensorFlow's JSON has text in base64 and integers as text."""
    return {name: _plain(value) for name, value in sorted(node.get("attr", {}).items()) if not name.startswith("_")}


def _plain(value: Any) -> Any:
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((kind, content),) = value.items()
    if kind == "list":
        items = [(of, item) for of, listed in content.items() for item in listed]
        return [_plain({of: item}) for of, item in items]
    if kind == "s":
        return (bytes(content) if isinstance(content, list) else base64.b64decode(content)).decode(errors="replace")
    if kind == "i":
        return int(content)
    return content["name"] if kind == "func" else content
