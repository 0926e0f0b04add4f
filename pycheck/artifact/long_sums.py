"""Runs an artifact in Python with the rounding errors of long sums that are computed one term after the other.

The kernels of browsers add the terms of a product or a mean in sequence, and Python's add them in blocks. For n terms t
with the sum y, each addition rounds the partial sum. The partial sums grow evenly to y, and walk at random around that
with the root mean square of the terms. So the error has the standard deviation

    u sqrt(n / 18) * sqrt(y**2 + 1.5 * sum(t**2))

with float32's unit roundoff u, if the rounding errors are independent and uniform (Higham, Accuracy and Stability of
Numerical Algorithms, 2002, section 4.2), and as large as the spacing of numbers is on average: half of ``(u * y)**2``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from ..graphdef.large_constants import without_large_constants
from ..graphdef.session import Session
from ..types import UNIT_ROUNDOFF, Array
from .executable import ArtifactGraph

#: Shorter sums have errors within the usual limits.
FEWEST_TERMS = 4096
_SCALE = "pycheck.long_sums.scale"
_PLAIN = {"_FusedConv2D": "Conv2D", "_FusedMatMul": "MatMul"}
_REDUCTIONS = frozenset({"Mean", "Sum"})
_OF_OPERATION = {
    "MatMul": ("transpose_a", "transpose_b"),
    "BatchMatMulV2": ("adj_x", "adj_y"),
    "Conv2D": ("strides", "padding", "explicit_paddings", "dilations", "data_format"),
    "Mean": ("keep_dims", "Tidx"),
    "Sum": ("keep_dims", "Tidx"),
}


class LongSums:
    """An artifact in float32 whose long sums have errors at random; `count` is the number of such operations."""

    def __init__(self, graph: ArtifactGraph) -> None:
        light = without_large_constants(graph.graph_def, ())
        long = dict(_long(light.graph_def))
        self.count = len(long)
        edited = type(light.graph_def)()
        edited.CopyFrom(light.graph_def)
        if long:
            _node(edited, _SCALE, "Placeholder", (), dtype=tf.float32, shape=tf.TensorShape([]))
        for node in [node for node in edited.node if node.name in long]:
            _disturb(edited, node, long[node.name])
        points = {point.name: point.tensor for point in graph.points}
        tensors = {**points, **graph.outputs, **graph.inputs, **({_SCALE: f"{_SCALE}:0"} if long else {})}
        self._session = Session(edited, tensors, light.arrays(edited))

    def run(self, feeds: Mapping[str, Array], fetches: Sequence[str], *, disturbed: bool) -> dict[str, Array]:
        """Compute points or outputs from points or inputs, by name; new errors each time if `disturbed`, else none."""
        import numpy as np

        scale = {_SCALE: np.asarray(float(disturbed))} if self.count else {}
        return self._session.run({**feeds, **scale}, fetches)

    def close(self) -> None:
        """Free the memory of TensorFlow."""
        self._session.close()


def _long(graph_def: Any) -> Iterator[tuple[str, int]]:
    """Yield the operations outside of functions that add many terms, with the number of these."""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    for op in graph.get_operations():
        if _PLAIN.get(op.type, op.type) in _OF_OPERATION and op.outputs[0].dtype == tf.float32:
            count = _term_count(op)
            if count is not None and count >= FEWEST_TERMS:
                yield op.name, count


def _term_count(op: Any) -> int | None:
    """Return the number of terms; None if it is open."""
    first, second = op.inputs[0].shape, op.inputs[1].shape
    kind = _PLAIN.get(op.type, op.type)
    if kind in _REDUCTIONS:
        axes = tf.get_static_value(op.inputs[1])
        sizes = None if axes is None or first.rank is None else [first[int(axis)] for axis in axes.reshape(-1)]
    elif kind == "Conv2D":
        sizes = second[:3] if second.rank else None
    else:
        turned = op.get_attr("transpose_b" if kind == "MatMul" else "adj_y")
        sizes = [second[-1 if turned else -2]] if second.rank else None
    return None if sizes is None or any(size is None for size in sizes) else math.prod(map(int, sizes))


def _disturb(graph: Any, node: Any, count: int) -> None:
    """Add the error to the result of an operation, whose name the sum then has."""
    name, kind = node.name, _PLAIN.get(node.op, node.op)
    node.name = exact = f"{name}/pycheck.exact"
    squared = 1 if kind in _REDUCTIONS else 2
    operands = []
    for number, operand in enumerate(node.input[:2]):
        if number < squared:
            _node(graph, f"{exact}/{number}", "Square", (operand,), T=tf.float32)
            operand = f"{exact}/{number}"
        operands.append(operand)
    attributes = {key: node.attr[key] for key in _OF_OPERATION[kind] if key in node.attr}
    _node(graph, f"{exact}/squares", kind, operands, T=tf.float32, **attributes)
    _node(graph, f"{exact}/square", "Square", (exact,), T=tf.float32)
    share = 1.5 / count if kind == "Mean" else 1.5
    _scaled(graph, f"{exact}/walk", f"{exact}/squares", share)
    _node(graph, f"{exact}/both", "AddV2", (f"{exact}/square", f"{exact}/walk"), T=tf.float32)
    _node(graph, f"{exact}/root", "Sqrt", (f"{exact}/both",), T=tf.float32)
    _scaled(graph, f"{exact}/deviation", f"{exact}/root", UNIT_ROUNDOFF["float32"] * math.sqrt(count / 18))
    _node(graph, f"{exact}/shape", "Shape", (exact,), T=tf.float32, out_type=tf.int32)
    _node(graph, f"{exact}/random", "RandomStandardNormal", (f"{exact}/shape",), T=tf.int32, dtype=tf.float32)
    _node(graph, f"{exact}/errors", "Mul", (f"{exact}/deviation", f"{exact}/random"), T=tf.float32)
    _node(graph, f"{exact}/chosen", "Mul", (f"{exact}/errors", _SCALE), T=tf.float32)
    _node(graph, name, "AddV2", (exact, f"{exact}/chosen"), T=tf.float32)


def _scaled(graph: Any, name: str, operand: str, factor: float) -> None:
    _node(graph, f"{name}/factor", "Const", (), dtype=tf.float32, value=tf.make_tensor_proto(factor, tf.float32))
    _node(graph, name, "Mul", (operand, f"{name}/factor"), T=tf.float32)


def _node(graph: Any, name: str, op: str, inputs: Sequence[str], **attributes: Any) -> None:
    node = graph.node.add(name=name, op=op, input=inputs)
    for key, value in attributes.items():
        if isinstance(value, tf.DType):
            node.attr[key].type = value.as_datatype_enum
        elif isinstance(value, tf.TensorShape):
            node.attr[key].shape.CopyFrom(value.as_proto())
        elif key == "value":
            node.attr[key].tensor.CopyFrom(value)
        else:
            node.attr[key].CopyFrom(value)
