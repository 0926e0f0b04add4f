"""Finds tensors of a graph without numbers: texts, handles, lists of tensors, tokens for the order of a TensorArray."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: The index of the output of a TensorArray's operation that is its flow, a token for the array's state.
_FLOWS: Mapping[str, int] = {
    "TensorArrayV3": 1,
    "TensorArrayWriteV3": 0,
    "TensorArrayScatterV3": 0,
    "TensorArraySplitV3": 0,
}
#: Operations that return inputs unchanged: the index of the input for every output.
_PASSING: Mapping[str, int] = dict.fromkeys(
    ("Identity", "Enter", "RefEnter", "Exit", "RefExit", "Switch", "RefSwitch", "Merge", "RefMerge"), 0
)


def output_types(node: Any) -> list[int]:
    """Return the DataType of each output.

    One float for TF.js's own operations and for calls of functions by their name.
    """
    from .internals import op_def_registry, types_pb2

    op_def = op_def_registry.get(node.op)
    if op_def is None:
        return [types_pb2.DT_FLOAT]
    types: list[int] = []
    for output in op_def.output_arg:
        if output.type_list_attr:
            types += node.attr[output.type_list_attr].list.type
        else:
            dtype = node.attr[output.type_attr].type if output.type_attr else output.type
            types += [dtype] * (node.attr[output.number_attr].i if output.number_attr else 1)
    return types


def opaque_tensors(nodes: Mapping[str, Any], order: Iterable[str]) -> frozenset[str]:
    """Return short names (``node``, ``node:1``) of tensors without numbers, found along `order` (topological)."""
    from .internals import types_pb2

    handles = {types_pb2.DT_VARIANT, types_pb2.DT_RESOURCE, types_pb2.DT_STRING}
    opaque: set[str] = set()
    for name in order:
        node = nodes[name]
        types = output_types(node)
        passed = node.op in _PASSING and bool(node.input) and node.input[0].removesuffix(":0") in opaque
        for index, dtype in enumerate(types):
            if passed or dtype in handles or _FLOWS.get(node.op) == index:
                opaque.add(name if index == 0 else f"{name}:{index}")
    return frozenset(opaque)
