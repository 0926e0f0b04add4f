"""Finds nodes of a graph artifact that TF.js lacks or computes wrongly, from its JSON, without TensorFlow."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...graphdef.refs import node_of
from ...types import ArtifactFault
from ..document import Document
from ..kernel_faults import WITHOUT_KERNEL, NodeFacts, cure_of_missing, kernel_faults
from ..operations import known_operations
from ..weights import Array

_TYPES = {
    "DT_FLOAT": "float32", "DT_HALF": "float32", "DT_DOUBLE": "float32", "DT_BFLOAT16": "float32", "DT_INT32": "int32",
    "DT_INT64": "int64", "DT_INT16": "int16", "DT_INT8": "int8", "DT_UINT8": "uint8", "DT_BOOL": "bool",
    "DT_STRING": "string", "DT_COMPLEX64": "complex64",
}  # fmt: skip
#: The numbers of tensorflow/core/framework/types.proto, which some writers use instead of names.
_NUMBERED = {
    1: "DT_FLOAT", 2: "DT_DOUBLE", 3: "DT_INT32", 4: "DT_UINT8", 5: "DT_INT16", 6: "DT_INT8", 7: "DT_STRING",
    8: "DT_COMPLEX64", 9: "DT_INT64", 10: "DT_BOOL", 14: "DT_BFLOAT16", 19: "DT_HALF",
}  # fmt: skip
_CONVERT = "Convert the model with pycheck convert MODEL FOLDER, which only writes operations that TF.js has."
_CONVERT_LOOP = (
    "Convert the model with pycheck convert MODEL FOLDER: loops and branches then return the tensors that they write."
)


def graph_faults(document: Document, weights: Mapping[str, Array]) -> tuple[ArtifactFault, ...]:
    """Return a fault for every node, also of functions, that TF.js lacks, has no kernel for, or computes wrongly."""
    library = (document.topology.get("library") or {}).get("function") or []
    functions = {str(function["signature"]["name"]) for function in library}
    bodies = [("", document.topology.get("node") or [])]
    bodies += [(str(function["signature"]["name"]), function.get("nodeDef") or []) for function in library]
    sizes_are_fixed = all(_has_fixed_sizes(node) for node in bodies[0][1] if node["op"] == "Placeholder")
    found: list[ArtifactFault] = []
    for function, nodes in bodies:
        shapes = {str(node["name"]): _rank(node) for node in nodes}
        for node in nodes:
            facts = _facts(node, function, weights, shapes)
            found += _of_node(node, facts, functions, sizes_are_fixed=sizes_are_fixed)
    found += _unkept(library, dict(_bodies(node for _, nodes in bodies for node in nodes)))
    return tuple(_with_cure(fault, found) for fault in found)


def _with_cure(fault: ArtifactFault, faults: Iterable[ArtifactFault]) -> ArtifactFault:
    """Add the fix for all kernels that a backend does not have."""
    if fault.cure:
        return fault
    (backend,) = fault.backends
    return replace(
        fault, cure=cure_of_missing({f.op for f in faults if f.lacking and f.backends == (backend,)}, backend)
    )


def _of_node(
    node: Mapping[str, Any], facts: NodeFacts, functions: set[str], *, sizes_are_fixed: bool
) -> Iterator[ArtifactFault]:
    name, op = str(node["name"]), facts.op
    if op not in known_operations() | functions:
        yield ArtifactFault(name, op, f"TF.js has no operation {op}", _CONVERT, lacking=True)
        return
    lacking = tuple(backend for backend, operations in WITHOUT_KERNEL.items() if op in operations)
    for backend in lacking:
        fault = f"TF.js's {backend} backend has no kernel for {op}"
        yield ArtifactFault(name, op, fault, "", backends=(backend,), lacking=True)
    for wrong in kernel_faults(facts):
        cure = wrong.cure(sizes_are_fixed=sizes_are_fixed)
        yield ArtifactFault(name, op, wrong.fault, cure, backends=wrong.backends, broken=True)


def _facts(
    node: Mapping[str, Any], function: str, weights: Mapping[str, Array], ranks: Mapping[str, int | None]
) -> NodeFacts:
    types: dict[str, str] = {}
    attributes: dict[str, Any] = {}
    for key, attribute in (node.get("attr") or {}).items():
        if "type" in attribute:
            kind = attribute["type"]
            types[key] = _TYPES.get(_NUMBERED.get(kind, "") if isinstance(kind, int) else str(kind), "")
        else:
            attributes[key] = _value(attribute)
    refs = [node_of(str(ref)) for ref in node.get("input") or () if not str(ref).startswith("^")]
    constants = tuple(weights.get(ref, weights.get(f"{function}/{ref}")) for ref in refs)
    known = tuple(ranks.get(ref) if value is None else value.ndim for ref, value in zip(refs, constants, strict=True))
    return NodeFacts(str(node["op"]), types, attributes, constants, known)


def _value(attribute: Mapping[str, Any]) -> Any:
    """Return a node's attribute as a plain value: a number, a boolean, a text, or a list of numbers."""
    if "i" in attribute:
        return int(attribute["i"])
    if "b" in attribute:
        return bool(attribute["b"])
    if "f" in attribute:
        return float(attribute["f"])
    if "s" in attribute:
        text = attribute["s"]
        raw = bytes(text) if isinstance(text, list) else base64.b64decode(text)
        return raw.decode("utf-8", "replace")
    if "list" in attribute:
        return [int(item) for item in (attribute["list"] or {}).get("i") or ()]
    return None


def _rank(node: Mapping[str, Any]) -> int | None:
    """Return the number of axes of a placeholder, if it says so."""
    sizes = _sizes(node)
    return None if sizes is None else len(sizes)


def _has_fixed_sizes(node: Mapping[str, Any]) -> bool:
    """Tell whether a placeholder gives all sizes; the first may be free, as the size of a batch."""
    sizes = _sizes(node)
    return sizes is not None and all(size >= 0 for size in sizes[1:])


def _sizes(node: Mapping[str, Any]) -> list[int] | None:
    """Return the sizes of a placeholder's axes, -1 for a free one, if it gives their number."""
    shape = ((node.get("attr") or {}).get("shape") or {}).get("shape")
    if node.get("op") != "Placeholder" or not isinstance(shape, Mapping) or shape.get("unknownRank"):
        return None
    return [int(dim.get("size", 0)) for dim in shape.get("dim") or ()]


LOOPS = ("StatelessWhile", "While")
#: By operation, the attributes that name the functions of its branches.
BRANCHES = dict.fromkeys(("If", "StatelessIf"), ("then_branch", "else_branch"))
#: Operations whose result shares its data with an operand, which may stay alive.
_VIEWS = {"ExpandDims", "Identity", "Reshape", "Squeeze", "TensorListGetItem"}
#: By operation, the index of the input that it writes into a list.
WRITES = {"TensorListPushBack": 1, "TensorListSetItem": 2}
#: Operations that make a list.
_MAKES = {"EmptyTensorList", "TensorListFromTensor", "TensorListReserve"}
_LOOP = "a loop, such as that of tf.map_fn,"
_BRANCH = "a branch of an if"


def _unkept(functions: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]) -> Iterator[ArtifactFault]:
    """Find tensors that a loop or a branch writes into a list and does not return: TF.js disposes them at its end.

    See tfjs-converter 4.22, executor/graph_executor.ts, _executeAsync; stacking the list fails. `kinds` says by name
    what a function is the body of.
    """
    for function in functions:
        kind = kinds.get(str(function["signature"]["name"]))
        if kind is None:
            continue
        nodes = {str(node["name"]): node for node in function.get("nodeDef") or []}
        returned = {node_of(str(ref)) for ref in (function.get("ret") or {}).values()}
        lists = {_list_of(name, nodes) for name in returned}
        for node in nodes.values():
            written = str(node["input"][WRITES[node["op"]]]).partition(":")[0] if node["op"] in WRITES else ""
            if written in nodes and written not in returned and nodes[written]["op"] not in _VIEWS:
                made = _list_of(str(node["name"]), nodes)
                if made in nodes and nodes[made]["op"] in _MAKES and made not in lists:
                    continue  # the list ends with the function
                fault = f"TF.js disposes what {kind} writes into a list and does not return"
                yield ArtifactFault(str(node["name"]), str(node["op"]), fault, _CONVERT_LOOP)


def _list_of(name: str, nodes: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the node or the argument that a list has before these writes."""
    while name in nodes and nodes[name]["op"] in (*WRITES, "Identity"):
        name = str(nodes[name]["input"][0]).partition(":")[0]
    return name


def _bodies(nodes: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the name of each function that is the body of a loop or a branch, and which of these it is."""
    for node in nodes:
        attr = node.get("attr") or {}
        if node["op"] in LOOPS:
            yield str((attr.get("body") or {}).get("func", {}).get("name", "")), _LOOP
        for key in BRANCHES.get(node["op"], ()):
            yield str((attr.get(key) or {}).get("func", {}).get("name", "")), _BRANCH
