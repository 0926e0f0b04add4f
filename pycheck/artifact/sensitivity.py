"""Runs an artifact in Python with its weights scaled, and with the gradient that tells of all weights at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import tensorflow as tf

from ..quiet import without_native_noise
from .control_flow import node_of
from .executable import ArtifactGraph
from .session import plain_execution
from .weights import Array

_GATHERS = frozenset({"GatherV2", "Gather"})
#: What hides a score before a softmax, such as -1e9, hides it as well if it is larger by half.
_LEAST_OF_MASK = 1e8
_BATCH_NORM = "PycheckBatchNormalization"


class SensitivitySession:
    """An artifact in float32 whose weights are multiplied by a factor each. One thread at a time.

    `outputs` are the artifact's names of the outputs to look at. `project` needs `gradients`; with these the
    constructor raises LookupError if an operation has no gradient.
    """

    def __init__(self, graph: ArtifactGraph, outputs: Sequence[str], *, gradients: bool = False) -> None:
        self.weights = graph.weights
        self._tables = _tables(graph)
        self._ran_before = False
        self._directions: dict[str, Any] = {}
        self._slopes: dict[str, dict[str, Any]] = {}
        with tf.Graph().as_default() as loaded, tf.device("/CPU:0"):
            self._factors = tf.compat.v1.placeholder(tf.float32, [len(self.weights)])
            factors = tf.unstack(self._factors) if self.weights else []
            self._weights = _import_scaled(graph, factors)
            self._inputs = {name: loaded.get_tensor_by_name(tensor) for name, tensor in graph.inputs.items()}
            self._outputs = {name: loaded.get_tensor_by_name(graph.outputs[name]) for name in outputs}
            self._rows = [loaded.get_tensor_by_name(rows) for _, rows in self._tables]
            if gradients:
                self._differentiate(factors)
        self._session = tf.compat.v1.Session(graph=loaded, config=plain_execution())

    def magnitudes(self) -> list[float]:
        """The largest magnitude in each weight, without infinities and the numbers of masks; 0 if nothing is left."""
        values = (np.abs(self._session.run(weight)) for weight in self._weights)
        return [float(value[value < _LEAST_OF_MASK].max(initial=0.0)) for value in values]

    def run(self, feeds: Mapping[str, Array], factors: Array) -> dict[str, Array]:
        """All outputs, for inputs by the artifact's names and a factor for each weight. TensorFlow's own errors."""
        with nullcontext() if self._ran_before else without_native_noise():  # compilers announce themselves once
            values: dict[str, Array] = self._session.run(self._outputs, self._fed(feeds) | {self._factors: factors})
        self._ran_before = True
        return values

    def differentiable(self, output: str) -> bool:
        """Whether `project` knows this output: a floating-point one that depends on a weight."""
        return output in self._slopes

    def project(self, feeds: Mapping[str, Array], output: str, direction: Array) -> dict[str, float]:
        """The inner product of `direction` with the derivative of an output, by tensor of the weight.

        The derivative is that by the weight's factor, at 1. A weight without a derivative is absent.
        """
        fed = self._fed(feeds) | {self._directions[output]: direction, self._factors: np.ones(len(self.weights))}
        return {tensor: float(value) for tensor, value in self._session.run(self._slopes[output], fed).items()}

    @property
    def has_tables(self) -> bool:
        """Whether a weight is indexed as a table."""
        return bool(self._tables)

    def rows(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The rows that these inputs select, each once, by tensor of the weight that is indexed as a table."""
        fed = self._fed(feeds) | {self._factors: np.ones(len(self.weights))}
        found: dict[str, Array] = {}
        for (table, _), rows in zip(self._tables, self._session.run(self._rows, fed), strict=True):
            found[table] = np.union1d(found.get(table, np.zeros(0, np.int64)), rows)
        return found

    def close(self) -> None:
        """Free what TensorFlow holds."""
        self._session.close()

    def _fed(self, feeds: Mapping[str, Array]) -> dict[Any, Array]:
        tensors = ((self._inputs[name], value) for name, value in feeds.items())
        return {tensor: value.astype(tensor.dtype.as_numpy_dtype) for tensor, value in tensors}

    def _differentiate(self, factors: Sequence[Any]) -> None:
        for name, output in self._outputs.items():
            if not output.dtype.is_floating:
                continue
            direction = tf.compat.v1.placeholder(output.dtype, output.shape)
            gradients = tf.compat.v1.gradients(output, factors, grad_ys=direction)
            pairs = zip(self.weights, gradients, strict=True)
            slopes = {weight.tensor: slope for weight, slope in pairs if slope is not None}
            if slopes:
                self._directions[name], self._slopes[name] = direction, slopes


def _import_scaled(graph: ArtifactGraph, factors: Sequence[Any]) -> list[Any]:
    """Import the graph so that what reads a weight reads it times its factor; the weights themselves are returned."""
    weights = tf.compat.v1.GraphDef()
    places = {node_of(weight.tensor) for weight in graph.weights}
    rest = tf.compat.v1.GraphDef(library=graph.graph_def.library, versions=graph.graph_def.versions)
    for given in graph.graph_def.node:
        if given.name in places:
            weights.node.add().CopyFrom(given)
            node = rest.node.add(name=given.name, op=given.op)  # what reads it reads `weights`, so it may be empty
            node.attr["dtype"].CopyFrom(given.attr["dtype"])
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.zeros(0, np.float32)))
            continue
        node = rest.node.add()
        node.CopyFrom(given)
        if node.op == "FusedBatchNormV3" and not node.attr["is_training"].b and node.attr["data_format"].s != b"NCHW":
            node.attr["_gradient_op_type"].s = _BATCH_NORM.encode()
    names = [weight.tensor for weight in graph.weights]
    found = list(tf.import_graph_def(weights, name="weights", return_elements=names)) if names else []
    scaled = {name: value * factor for name, value, factor in zip(names, found, factors, strict=True)}
    tf.import_graph_def(rest, name="", input_map=scaled)
    return found


def _tables(graph: ArtifactGraph) -> list[tuple[str, str]]:
    """Weights of which whole rows are taken, and the tensor that says which; each pair once."""
    nodes = {node.name: node for node in graph.graph_def.node}
    weights = {node_of(weight.tensor): weight.tensor for weight in graph.weights}
    found: dict[tuple[str, str], None] = {}
    for node in graph.graph_def.node:
        if node.op not in _GATHERS or node.attr["batch_dims"].i:
            continue
        source = _behind(nodes, node.input[0])
        axis = nodes[_behind(nodes, node.input[2])] if node.op == "GatherV2" else None
        rows = axis is None or (axis.op == "Const" and not int(tf.make_ndarray(axis.attr["value"].tensor)))
        indices = node.input[1]
        if source in weights and rows and nodes[_behind(nodes, indices)].op != "Const":
            found[weights[source], indices if ":" in indices else f"{indices}:0"] = None
    return list(found)


def _behind(nodes: Mapping[str, Any], ref: str) -> str:
    """The node that a reference means, whatever identities lie between."""
    name = node_of(ref)
    while nodes[name].op == "Identity":
        name = node_of(nodes[name].input[0])
    return name


def _batch_norm_gradient(operation: Any, *gradients: Any) -> list[Any]:
    """The gradient of ``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, channels last.

    TensorFlow's own has none for the mean and the variance, which are weights like others when a model predicts.
    """
    x, gamma, _, mean, variance = operation.inputs
    inverse = tf.math.rsqrt(variance + operation.get_attr("epsilon"))
    others = list(range(x.shape.rank - 1))
    to_beta = tf.reduce_sum(gradients[0], others)
    to_gamma = tf.reduce_sum(gradients[0] * (x - mean), others) * inverse
    to_variance = -0.5 * to_gamma * gamma * inverse * inverse
    return [gradients[0] * gamma * inverse, to_gamma, to_beta, -to_beta * gamma * inverse, to_variance]


tf.RegisterGradient(_BATCH_NORM)(_batch_norm_gradient)
