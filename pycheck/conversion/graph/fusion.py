"""Merges nodes that TF.js runs faster as one: constants into kernels, biases and activations into contractions.

The published converter has such passes too. These merge only if no other node reads the value between, and a node that
keeps its name keeps its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ...graphdef.body import Array, Body
from ...graphdef.internals import node_def_pb2
from ...graphdef.refs import node_of

_Doubles = npt.NDArray[np.float64]

#: TF.js's names of contractions with a bias and an activation.
_FUSED = {
    "Conv2D": "_FusedConv2D",
    "DepthwiseConv2dNative": "FusedDepthwiseConv2dNative",
    "MatMul": "_FusedMatMul",
}
_ACTIVATIONS = ("Relu", "Relu6", "Elu")
_BATCH_NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")


def fuse(body: Body) -> None:
    """Fold constants after contractions, recognize PReLU, and fuse bias and activation, in this order."""
    _fold_affine_chains(body)
    _recognize_prelu(body)
    _fuse_contractions(body)
    body.prune()


@dataclass(slots=True)
class _Affine:
    """The function y = scale * x + offset for each channel that a chain of nodes computes; in double precision."""

    scale: _Doubles
    offset: _Doubles


def _fold_affine_chains(body: Body) -> None:
    """Turn a contraction and the constant sums, products and batch norms after it into contraction and bias."""
    kernels: dict[tuple[str, bytes], str] = {}
    readers = _OnlyReaders(body)
    for node in list(body.nodes.values()):
        if node.op not in _FUSED or not _is_float32(node) or not _channels_last(node):
            continue
        kernel = body.constant(node.input[1])
        if kernel is None:
            continue
        affine, chain = _follow_chain(body, readers, node, _channel_count(node, kernel))
        if not chain or (len(chain) == 1 and chain[0].op == "BiasAdd"):
            continue
        if np.isfinite(affine.scale).all() and np.isfinite(affine.offset).all():
            _replace_chain(body, node, kernel, affine, chain[-1], kernels)


def _follow_chain(body: Body, readers: _OnlyReaders, node: Any, channels: int) -> tuple[_Affine, list[Any]]:
    """Return the nodes after `node` that multiply or add constants for each channel, and their combined function."""
    affine = _Affine(np.ones(channels), np.zeros(channels))
    chain: list[Any] = []
    last = node
    while (reader := readers.of(last)) and (step := _affine_step(body, reader, last.name, channels)):
        affine = _Affine(affine.scale * step.scale, affine.offset * step.scale + step.offset)
        chain.append(reader)
        last = reader
    return affine, chain


def _affine_step(body: Body, node: Any, source: str, channels: int) -> _Affine | None:
    """Return the function of `node` on `source` for each channel; None if it is not affine."""
    one, zero = np.ones(channels), np.zeros(channels)
    if node.op in _BATCH_NORMS:
        return _batch_norm_step(body, node, source)
    if node.op not in ("BiasAdd", "Add", "AddV2", "Sub", "Mul") or not _channels_last(node):
        return None
    left, right = node.input
    other = right if left == source else left
    if node.op == "Sub" and left != source:
        return None
    value = _per_channel(body.constant(other), channels)
    if value is None:
        return None
    if node.op == "Mul":
        return _Affine(value, zero)
    return _Affine(one, -value if node.op == "Sub" else value)


def _batch_norm_step(body: Body, node: Any, source: str) -> _Affine | None:
    if node.input[0] != source or node.attr["is_training"].b or not _channels_last(node):
        return None
    if any(ref.startswith(f"{node.name}:") for other in body.nodes.values() for ref in other.input):
        return None  # a node reads its statistics
    parameters = [body.constant(ref) for ref in node.input[1:5]]
    gamma, beta, mean, variance = (None if value is None else value.astype(np.float64) for value in parameters)
    if gamma is None or beta is None or mean is None or variance is None:
        return None
    scale = gamma / np.sqrt(variance + np.float64(node.attr["epsilon"].f))
    return _Affine(scale, beta - mean * scale)


def _replace_chain(
    body: Body, node: Any, kernel: Array, affine: _Affine, last: Any, kernels: dict[tuple[str, bytes], str]
) -> None:
    """Scale the kernel, turn the chain's last node into the bias, and rename the contraction, whose value changed."""
    folded = node_def_pb2.NodeDef()
    folded.CopyFrom(node)
    folded.name = body.free_name(f"{node.name}/folded")
    if np.any(affine.scale != 1):
        key = (node.input[1], affine.scale.tobytes())
        if key not in kernels:
            scaled = (kernel.astype(np.float64) * _kernel_scale(node, kernel, affine.scale)).astype(np.float32)
            kernels[key] = body.add_constant(f"{node_of(node.input[1])}/folded", scaled)
        folded.input[1] = kernels[key]
    bias = body.add_constant(f"{last.name}/bias", affine.offset.astype(np.float32))
    sum_node = node_def_pb2.NodeDef(name=last.name, op="BiasAdd", input=[folded.name, bias])
    sum_node.attr["T"].type = tf.float32.as_datatype_enum
    sum_node.attr["data_format"].s = b"NHWC"
    body.nodes[folded.name] = folded
    body.nodes[last.name] = sum_node


def _channel_count(node: Any, kernel: Array) -> int:
    if node.op == "DepthwiseConv2dNative":
        return int(kernel.shape[2] * kernel.shape[3])
    return int(kernel.shape[0] if node.op == "MatMul" and node.attr["transpose_b"].b else kernel.shape[-1])


def _kernel_scale(node: Any, kernel: Array, scale: _Doubles) -> _Doubles:
    """Reshape `scale` so that it multiplies the kernel's output channels."""
    if node.op == "DepthwiseConv2dNative":
        return scale.reshape(kernel.shape[2:])
    return scale[:, np.newaxis] if node.op == "MatMul" and node.attr["transpose_b"].b else scale


def _per_channel(value: Array | None, channels: int) -> _Doubles | None:
    """Return a constant that is broadcast along channels only, as one number for each; else None."""
    if value is None or value.dtype != np.float32 or value.ndim > 4 or value.size not in (1, channels):
        return None
    if value.size != 1 and value.shape[-1] != channels:
        return None
    if value.size == 1 and value.ndim > 1:
        return None
    return np.broadcast_to(value.reshape(-1).astype(np.float64), (channels,)).copy()


def _recognize_prelu(body: Body) -> None:
    """Replace relu(x) + c relu(-x), as both versions of Keras write PReLU, by TF.js's Prelu(x, -c)."""
    for node in list(body.nodes.values()):
        if node.op not in ("Add", "AddV2"):
            continue
        left, right = (body.nodes[node_of(ref)] for ref in node.input)
        relu, product = (left, right) if left.op == "Relu" else (right, left)
        if relu.op != "Relu" or product.op != "Mul":
            continue
        slope, negative = product.input
        if body.constant(slope) is None:
            slope, negative = negative, slope
        value, mirrored = body.constant(slope), body.nodes[node_of(negative)]
        if value is None or mirrored.op != "Relu":
            continue
        negation = body.nodes[node_of(mirrored.input[0])]
        if negation.op != "Neg" or negation.input[0] != relu.input[0]:
            continue
        alpha = body.add_constant(f"{node.name}/alpha", -value)
        prelu = node_def_pb2.NodeDef(name=node.name, op="Prelu", input=[relu.input[0], alpha])
        prelu.attr["T"].CopyFrom(node.attr["T"])
        body.nodes[node.name] = prelu


def _fuse_contractions(body: Body) -> None:
    readers = _OnlyReaders(body)
    for node in list(body.nodes.values()):
        if node.op not in _FUSED or not _is_float32(node) or not _channels_last(node):
            continue
        bias = readers.of(node)
        if bias is None or bias.op != "BiasAdd" or bias.input[0] != node.name or not _channels_last(bias):
            continue
        if body.nodes[node_of(bias.input[1])].op != "Const":
            continue  # the WASM backend reads the rank of a bias before its Reshape
        activation = readers.of(bias)
        if activation is not None and activation.op not in _ACTIVATIONS:
            activation = None
        last = activation or bias
        fused = node_def_pb2.NodeDef(name=last.name, op=_FUSED[node.op], input=[*node.input, bias.input[1]])
        for key, attr in node.attr.items():
            fused.attr[key].CopyFrom(attr)
        fused.attr["num_args"].i = 1
        fused.attr["fused_ops"].list.s.extend([b"BiasAdd", *([activation.op.encode()] if activation else [])])
        body.nodes[last.name] = fused
        for gone in (node, bias):
            if gone.name != last.name:
                del body.nodes[gone.name]


class _OnlyReaders:
    """The single readers of nodes.

    Computed once for each pass, which does not change readers of nodes still to come.
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        self._readers: dict[str, list[str]] = {node_of(ref): ["", ""] for ref in body.outputs}
        for node in body.nodes.values():
            for ref in node.input:
                self._readers.setdefault(node_of(ref), []).append(node.name)

    def of(self, node: Any) -> Any | None:
        """Return the node that alone reads `node`, once; None if there are several, or if the value is an output."""
        readers = self._readers.get(node.name, [])
        return self._body.nodes.get(readers[0]) if len(readers) == 1 else None


def _is_float32(node: Any) -> bool:
    return bool(node.attr["T"].type == tf.float32.as_datatype_enum)


def _channels_last(node: Any) -> bool:
    attr: Mapping[str, Any] = node.attr
    return "data_format" not in attr or attr["data_format"].s in (b"", b"NHWC", b"NDHWC")
