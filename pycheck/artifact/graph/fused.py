"""Expands the fused operations of TF.js into plain ones, for which TensorFlow has kernels in every precision.

Their meaning is defined in tfjs-converter's executors (convolution_executor.ts, matrices_executor.ts): a contraction,
then a bias, then an activation. The last of the plain nodes keeps the fused node's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...graphdef.internals import node_def_pb2, op_def_registry, types_pb2

_CONTRACTIONS: Mapping[str, str] = {
    "_FusedConv2D": "Conv2D",
    "_FusedMatMul": "MatMul",
    "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
    "DepthwiseConv2d": "DepthwiseConv2dNative",  # a second name in TF.js
}
#: Operations that TensorFlow lacks, or that have no kernel for float64.
EXPANDED = frozenset({*_CONTRACTIONS, "Prelu"})

_ATTRS: Mapping[str, tuple[str, ...]] = {
    "Conv2D": ("T", "strides", "padding", "explicit_paddings", "data_format", "dilations"),
    "MatMul": ("T", "transpose_a", "transpose_b"),
    "DepthwiseConv2dNative": ("T", "strides", "padding", "explicit_paddings", "data_format", "dilations"),
}
_PLAIN_ACTIVATIONS = frozenset({"Relu", "Relu6", "Elu", "Selu", "Sigmoid", "Tanh", "Softplus"})
_LEAKY_SLOPE = 0.2  # the default of LeakyRelu's attribute, which graphs leave out


def expand_fused(graph_def: Any) -> None:
    """Replace every fused node, in place, in the graph and in its functions. ValueError names an unknown activation."""
    _expand(graph_def.node, in_function=False)
    for function in graph_def.library.function:
        expanded = _expand(function.node_def, in_function=True)

        def renamed(ref: str, expanded: frozenset[str] = expanded) -> str:
            name, *output = ref.split(":")
            return f"{name}:output:0" if output and name in expanded else ref

        for node in function.node_def:
            node.input[:] = [renamed(ref) for ref in node.input]
        for name, ref in function.ret.items():
            function.ret[name] = renamed(ref)


def _expand(nodes: Any, in_function: bool) -> frozenset[str]:
    """Replace the fused nodes among `nodes`; return their names."""
    result: list[Any] = []
    expanded: set[str] = set()
    for node in nodes:
        if node.op in EXPANDED:
            expanded.add(node.name)
            result += _Expansion(node, in_function).nodes
        else:
            copy = node_def_pb2.NodeDef()
            copy.CopyFrom(node)
            result.append(copy)
    del nodes[:]
    nodes.extend(result)
    return frozenset(expanded)


class _Expansion:
    """The plain nodes of one fused node, in order."""

    def __init__(self, node: Any, in_function: bool) -> None:
        self._fused = node
        self._in_function = in_function
        self.nodes: list[Any] = []
        data = [ref for ref in node.input if not ref.startswith("^")]
        self._controls = [ref for ref in node.input if ref.startswith("^")]
        result = self._prelu(data[0], data[1]) if node.op == "Prelu" else self._contraction(data)
        self._add("Identity", [result], name=node.name)

    def _contraction(self, data: list[str]) -> str:
        node = self._fused
        op = _CONTRACTIONS[node.op]
        result = self._add(op, data[:2], attrs={key: node.attr[key] for key in _ATTRS[op] if key in node.attr})
        arguments = iter(data[2:])
        for step in (item.decode() for item in node.attr["fused_ops"].list.s):
            if step == "BiasAdd":
                result = self._bias_add(result, self._next(step, arguments))
            elif step == "Prelu":
                result = self._prelu(result, self._next(step, arguments))
            else:
                result = self._activation(step, result)
        return result

    def _next(self, step: str, arguments: Any) -> str:
        argument = next(arguments, None)
        if argument is None:
            raise ValueError(f"The node {self._fused.name} ({self._fused.op}) has no input for its {step}.")
        return str(argument)

    def _bias_add(self, data: str, bias: str) -> str:
        keep = {"data_format": self._fused.attr["data_format"]} if "data_format" in self._fused.attr else {}
        return self._add("BiasAdd", [data, bias], attrs=keep)

    def _prelu(self, data: str, alpha: str) -> str:
        """Compute alpha x if x < 0, else x, which keeps NaN."""
        negative = self._add("Less", [data, self._add("ZerosLike", [data])])
        return self._add("SelectV2", [negative, self._add("Mul", [alpha, data]), data])

    def _activation(self, op: str, data: str) -> str:
        if op in ("Linear", "Identity"):
            return data
        if op == "LeakyRelu":
            attrs = self._fused.attr
            name = self._add("LeakyRelu", [data])
            self.nodes[-1].attr["alpha"].f = attrs["leakyrelu_alpha"].f if "leakyrelu_alpha" in attrs else _LEAKY_SLOPE
            return name
        if op not in _PLAIN_ACTIVATIONS:
            raise ValueError(f"The node {self._fused.name} ({self._fused.op}) fuses {op}, which TF.js does not have.")
        return self._add(op, [data])

    def _add(self, op: str, inputs: list[str], name: str = "", attrs: Mapping[str, Any] | None = None) -> str:
        node = node_def_pb2.NodeDef(name=name or f"{self._fused.name}/fused_{len(self.nodes)}", op=op, input=inputs)
        # Published artifacts have Prelu nodes without a type, because TF.js has these operations only in float32.
        node.attr["T"].type = self._fused.attr["T"].type or types_pb2.DT_FLOAT
        for key, attr in (attrs or {}).items():
            node.attr[key].CopyFrom(attr)
        if not self.nodes:
            node.input.extend(self._controls)
        self.nodes.append(node)
        # In a function, the name of a tensor consists of its node and the node's output.
        return f"{node.name}:{op_def_registry.get(op).output_arg[0].name}:0" if self._in_function else str(node.name)
