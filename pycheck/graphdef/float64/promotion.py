"""Rewrites a float32 graph so that it computes in float64.

Every float type of every node, function and constant becomes float64 (complex64 becomes complex128), and constants
keep their exact values. The difference to the given graph is therefore only rounding. This includes half floats and
bfloat16: their error in Python is the model's noise floor, and a browser, which computes in float32, has a smaller
error. Integers stay unchanged.

If TensorFlow's CPU has no float64 kernel, the operation is computed by its formula in float64 (formulas.py) or,
without a formula, in float32 between two casts. The notes name and count these operations, and the nodes are marked
(floors.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from ..internals import attr_value_pb2, function_pb2, node_def_pb2, tensor_util
from ..library import digest, keep_reachable_functions, rename_functions
from ..op_types import (
    attr_types,
    flat_output_index,
    full_attrs,
    has_cpu_kernel,
    input_types,
    is_known,
    is_stateful,
    output_types,
    promote,
    promoted_attrs,
)
from .floors import IN_FLOAT32
from .formulas import FORMULAS
from .layouts import channels_last, needs_transposes

GraphDef = Any  # tensorflow.core.framework.graph_pb2.GraphDef
NodeDef = Any
FunctionDef = Any

_BY_FORMULA = "no float64 kernel, computed by its formula in float64"
_IN_FLOAT32 = "no float64 kernel, ran in float32"
_SAME_BITS = "kept in float32, because it reads the bits of float32"
_SAME_NUMBERS = "kept in float32, to draw the same random numbers"
_UNKNOWN = "unknown to TensorFlow, unchanged"
_CHANNELS_LAST = "float64 kernel for channels last, between transposes"  # exact; needs no note
_TOKENS = "float64 kernel, with float32 inputs and outputs that only set its order"  # TensorArray's flow; needs no note
_UNTOLD = (_TOKENS, _CHANNELS_LAST)

#: Operations that return values of a table unchanged, so that float32 has no rounding error.
_TABLES = ("HashTable", "LookupTable", "InitializeTable")

_PROTO_LIMIT_BYTES = 2**31 - 1
#: Function attributes by which Grappler would replace a function by a fused float32 one.
_SWAP_ATTRS = ("api_implements", "api_preferred_device")


def to_float64(graph_def: GraphDef) -> tuple[GraphDef, tuple[str, ...]]:
    """Return `graph_def` in float64, and notes for the report.

    Names of nodes and tensors stay valid; float32 placeholders and results become float64. The graph must not have
    variables. ValueError if the constants, doubled, exceed the size of a graph (2 GiB).
    """
    result = type(graph_def)()
    result.CopyFrom(graph_def)
    keep_reachable_functions(result)
    rename_functions(result, f"_float64_{digest(graph_def)}")
    _check_size(result)
    promotion = _Promotion({function.signature.name for function in result.library.function})
    promotion.convert_nodes(result.node, in_function=False)
    for function in result.library.function:
        promotion.convert_function(function)
    result.library.function.extend(promotion.added.values())
    return result, promotion.notes()


class _Promotion:
    """One rewrite: the functions it adds, and the counts of rewrites by operation and treatment."""

    def __init__(self, functions: set[str]) -> None:
        self._functions = functions
        self.added: dict[str, FunctionDef] = {}
        self._counts: Counter[tuple[str, str]] = Counter()

    def notes(self) -> tuple[str, ...]:
        return tuple(
            f"float64: {op}: {treatment} ({count} node{'s' * (count > 1)})"
            for (op, treatment), count in sorted(self._counts.items())
            if treatment not in _UNTOLD
        )

    def convert_function(self, function: FunctionDef) -> None:
        for arg in (*function.signature.input_arg, *function.signature.output_arg):
            arg.type = promote(arg.type)
        for name in _SWAP_ATTRS:
            function.attr.pop(name, None)
        renamed = self.convert_nodes(function.node_def, in_function=True)
        for node in function.node_def:
            node.input[:] = [renamed(ref) for ref in node.input]
        for name, ref in function.ret.items():
            function.ret[name] = renamed(ref)

    def convert_nodes(self, nodes: Any, in_function: bool) -> Callable[[str], str]:
        """Convert in place; return the references, within the same function body, to the replaced nodes."""
        original = {node.name: (node.op, full_attrs(node)) for node in nodes if in_function and is_known(node.op)}
        replaced = {node.name for node in nodes if self._convert_node(node)}

        def renamed(ref: str) -> str:
            name, *output = ref.split(":")
            if name not in replaced:
                return ref
            op, attrs = original[name]
            index = flat_output_index(op, attrs, output[0], int(output[1]))
            return f"{name}:output:{index}"

        return renamed

    def _convert_node(self, node: NodeDef) -> bool:
        """Promote the node; return True if it became a call of a function."""
        if not is_known(node.op):
            if node.op not in self._functions:
                self._counts[node.op, _UNKNOWN] += 1
            return False
        attrs = full_attrs(node)
        before = input_types(node.op, attrs) + output_types(node.op, attrs)
        if all(promote(dtype) == dtype for dtype in (*before, *attr_types(attrs))):
            return False
        treatment = _treatment(node.op, attrs)
        if treatment is None:
            for name, value in promoted_attrs(attrs).items():
                node.attr[name].CopyFrom(_promoted_value(value) if value.WhichOneof("value") == "tensor" else value)
            return False
        self._counts[node.op, treatment] += 1
        self._call_instead(node, attrs, treatment)
        return True

    def _call_instead(self, node: NodeDef, attrs: Mapping[str, Any], treatment: str) -> None:
        """Turn the node into a call of a function with promoted types, with the same name."""
        types_in = [promote(dtype) for dtype in input_types(node.op, attrs)]
        types_out = [promote(dtype) for dtype in output_types(node.op, attrs)]
        plain = _plain_node(node, attrs)
        stateful = is_stateful(node.op)
        plain.name = node.name if stateful else ""  # equal nodes share a function, also those of other graphs
        name = f"float64_{node.op}_{digest(plain)}"
        if name not in self.added:
            if treatment in (_BY_FORMULA, _CHANNELS_LAST):
                functions = _formula_function(name, node.op, attrs, treatment)
            else:
                functions = [_between_casts(name, node.op, attrs, treatment == _TOKENS)]
            self.added |= {function.signature.name: function for function in functions}
        call = node_def_pb2.NodeDef(
            name=node.name,
            op="StatefulPartitionedCall" if stateful else "PartitionedCall",
            input=node.input,
            device=node.device,
        )
        call.attr["Tin"].list.type.extend(types_in)
        call.attr["Tout"].list.type.extend(types_out)
        call.attr["f"].func.name = name
        if treatment == _IN_FLOAT32 and not any(word in node.op for word in _TABLES):
            call.attr[IN_FLOAT32].s = node.op.encode()
        node.CopyFrom(call)


def _treatment(op: str, attrs: Mapping[str, Any]) -> str | None:
    """Choose how to compute `op` in float64: None for its own float64 kernel."""
    if op == "Bitcast":
        return _SAME_BITS
    if any(word in op for word in ("Random", "TruncatedNormal", "Multinomial")):
        return _SAME_NUMBERS
    after = promoted_attrs(attrs)
    if op.startswith("TensorArray") and has_cpu_kernel(op, after):
        return _TOKENS
    if needs_transposes(op, attrs):
        return _CHANNELS_LAST
    types = input_types(op, after) + output_types(op, after)
    if all(promote(dtype) == dtype for dtype in types) and has_cpu_kernel(op, after):
        return None
    return _BY_FORMULA if op in FORMULAS else _IN_FLOAT32


def _promoted_value(value: Any) -> Any:
    """Convert a tensor attribute to the promoted type; the conversion in NumPy is exact, also for denormals."""
    if promote(value.tensor.dtype) == value.tensor.dtype:
        return value
    array = tensor_util.MakeNdarray(value.tensor)
    wide = array.astype(np.complex128 if array.dtype == np.complex64 else np.float64)
    return attr_value_pb2.AttrValue(tensor=tensor_util.make_tensor_proto(wide))


def _plain_node(node: NodeDef, attrs: Mapping[str, Any]) -> NodeDef:
    """Return the node without name, device and inputs, with defaults filled in: its function depends on these."""
    plain = node_def_pb2.NodeDef(op=node.op)
    for name, value in attrs.items():
        plain.attr[name].CopyFrom(value)
    return plain


def _formula_function(name: str, op: str, attrs: Mapping[str, Any], treatment: str) -> list[FunctionDef]:
    def formula(attrs: Mapping[str, Any], *inputs: Any) -> list[Any]:
        return channels_last(op, attrs, inputs) if treatment == _CHANNELS_LAST else FORMULAS[op](attrs, *inputs)

    specs = [tf.TensorSpec(None, tf.as_dtype(promote(dtype))) for dtype in input_types(op, attrs)]
    with tf.device(None):
        concrete = tf.function(lambda *inputs: formula(attrs, *inputs), autograph=False).get_concrete_function(*specs)
    function = function_pb2.FunctionDef()
    function.CopyFrom(concrete.function_def)
    function.signature.name = name
    return [*concrete.graph.as_graph_def().library.function, function]


def _between_casts(name: str, op: str, attrs: Mapping[str, Any], promoted: bool) -> FunctionDef:
    """Make a function of promoted types around `op`, which itself has promoted attributes or its own."""
    function = function_pb2.FunctionDef()
    function.signature.name = name
    inner_attrs = promoted_attrs(attrs) if promoted else attrs
    inner = node_def_pb2.NodeDef(name="operation", op=op, attr=inner_attrs)
    for index, dtype in enumerate(input_types(op, inner_attrs)):
        function.signature.input_arg.add(name=f"input_{index}", type=promote(dtype))
        inner.input.append(_cast(function, f"input_{index}", promote(dtype), dtype))
    function.node_def.append(inner)
    refs = _output_refs(op, inner_attrs, inner.name)
    for index, (dtype, ref) in enumerate(zip(output_types(op, inner_attrs), refs, strict=True)):
        function.signature.output_arg.add(name=f"output_{index}", type=promote(dtype))
        function.ret[f"output_{index}"] = _cast(function, ref, dtype, promote(dtype))
    function.signature.is_stateful = is_stateful(op)
    return function


def _cast(function: FunctionDef, ref: str, source: int, target: int) -> str:
    """Return a reference to `ref` in type `target`, through a new Cast node if the type differs."""
    if source == target:
        return ref
    node = function.node_def.add(name=f"cast_{len(function.node_def)}", op="Cast", input=[ref])
    node.attr["SrcT"].type, node.attr["DstT"].type = source, target
    return f"{node.name}:y:0"


def _output_refs(op: str, attrs: Mapping[str, Any], name: str) -> list[str]:
    """Return the references of a function body to each output of its node `name`."""
    from ..internals import op_def_registry

    refs: list[str] = []
    for arg in op_def_registry.get(op).output_arg:
        if arg.type_list_attr:
            count = len(attrs[arg.type_list_attr].list.type)
        else:
            count = attrs[arg.number_attr].i if arg.number_attr else 1
        refs.extend(f"{name}:{arg.name}:{index}" for index in range(count))
    return refs


def _check_size(graph_def: GraphDef) -> None:
    size = graph_def.ByteSize()
    if size * 2 > _PROTO_LIMIT_BYTES:
        raise ValueError(f"The graph has {size} bytes, and would exceed the limit of 2 GiB in float64.")
