"""Reads facts about a graph node from TensorFlow's registries: its tensor types, and whether the CPU has a kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from .internals import kernels, op_def_registry, types_pb2

AttrValue = Any  # tensorflow.core.framework.attr_value_pb2.AttrValue
NodeDef = Any  # tensorflow.core.framework.node_def_pb2.NodeDef

_PROMOTED: dict[int, int] = {
    types_pb2.DT_HALF: types_pb2.DT_DOUBLE,
    types_pb2.DT_BFLOAT16: types_pb2.DT_DOUBLE,
    types_pb2.DT_FLOAT: types_pb2.DT_DOUBLE,
    types_pb2.DT_COMPLEX64: types_pb2.DT_COMPLEX128,
}


def promote(dtype: int) -> int:
    """Return float64 for every float, complex128 for complex64, and other types unchanged."""
    return _PROMOTED.get(dtype, dtype)


def is_known(op: str) -> bool:
    """Tell whether `op` is one of TensorFlow's operations, rather than a function in the graph's library."""
    return op_def_registry.get(op) is not None


def full_attrs(node: NodeDef) -> dict[str, AttrValue]:
    """Return the attributes that the node's operation declares, with defaults for missing or empty ones."""
    declared = op_def_registry.get(node.op).attr
    defaults = {attr.name: attr.default_value for attr in declared if attr.HasField("default_value")}
    named = [attr.name for attr in declared if attr.name in node.attr]
    # Some published artifacts have "index_type": {} for a TopKV2, for which TensorFlow uses the default.
    return {**defaults, **{name: node.attr[name] for name in named if node.attr[name].WhichOneof("value")}}


def promoted_attrs(attrs: Mapping[str, AttrValue]) -> dict[str, AttrValue]:
    """Return `attrs` with every type promoted, also those in lists."""
    result = {}
    for name, value in attrs.items():
        copy = type(value)()
        copy.CopyFrom(value)
        if copy.WhichOneof("value") == "type":
            copy.type = promote(copy.type)
        for index, dtype in enumerate(copy.list.type if copy.WhichOneof("value") == "list" else ()):
            copy.list.type[index] = promote(dtype)
        result[name] = copy
    return result


def input_types(op: str, attrs: Mapping[str, AttrValue]) -> list[int]:
    """Return the type of each input, with lists flattened."""
    return _flat_types(op_def_registry.get(op).input_arg, attrs)


def output_types(op: str, attrs: Mapping[str, AttrValue]) -> list[int]:
    """Return the type of each output, with lists flattened."""
    return _flat_types(op_def_registry.get(op).output_arg, attrs)


def attr_types(attrs: Mapping[str, AttrValue]) -> list[int]:
    """Return every type among the attributes: of inputs, outputs and elements of tensor lists."""
    return [dtype for value in attrs.values() for dtype in _types(value)]


def flat_output_index(op: str, attrs: Mapping[str, AttrValue], name: str, index: int) -> int:
    """Return the index among all outputs of number `index` of the output argument `name`."""
    start = 0
    for arg in op_def_registry.get(op).output_arg:
        if arg.name == name:
            return start + index
        start += len(_arg_types(arg, attrs))
    raise KeyError(f"{op} has no output {name!r}.")


def is_stateful(op: str) -> bool:
    """Tell whether running `op` twice may differ from running it once."""
    return bool(op_def_registry.get(op).is_stateful)


def has_cpu_kernel(op: str, attrs: Mapping[str, AttrValue]) -> bool:
    """Tell whether `op` supports these types and has a CPU kernel for them."""
    for declared in op_def_registry.get(op).attr:
        allowed = declared.allowed_values.list.type
        if allowed and declared.name in attrs and not set(_types(attrs[declared.name])) <= set(allowed):
            return False
    return any(
        all(set(_types(attrs[name])) <= allowed for name, allowed in constraints if name in attrs)
        for constraints in _cpu_kernels(op)
    )


@cache
def _cpu_kernels(op: str) -> tuple[tuple[tuple[str, frozenset[int]], ...], ...]:
    """Return for each CPU kernel the types that it supports for each attribute it constrains."""
    registered = kernels.get_registered_kernels_for_op(op).kernel
    return tuple(
        tuple((item.name, frozenset(item.allowed_values.list.type)) for item in kernel.constraint)
        for kernel in registered
        if kernel.device_type in ("CPU", "DEFAULT") and not kernel.label
    )


def _types(value: AttrValue) -> Sequence[int]:
    kind = value.WhichOneof("value")
    return [value.type] if kind == "type" else list(value.list.type) if kind == "list" else []


def _flat_types(args: Sequence[Any], attrs: Mapping[str, AttrValue]) -> list[int]:
    return [dtype for arg in args for dtype in _arg_types(arg, attrs)]


def _arg_types(arg: Any, attrs: Mapping[str, AttrValue]) -> list[int]:
    if arg.type_list_attr:
        return list(attrs[arg.type_list_attr].list.type)
    dtype = attrs[arg.type_attr].type if arg.type_attr else arg.type
    return [dtype] * (attrs[arg.number_attr].i if arg.number_attr else 1)
