"""Runs an artifact in Python with scaled weights, and computes a gradient for all weights at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import tensorflow as tf

from ..graphdef.gradients import safe_gradients
from ..graphdef.large_constants import without_large_constants
from ..graphdef.refs import node_of
from ..graphdef.session import OWN, held, hold_again, plain_execution
from ..system.memory import give_back_values
from ..system.quiet import without_native_noise
from .executable import ArtifactGraph, Point
from .weights import Array

_GATHERS = frozenset({"GatherV2", "Gather"})
#: Masks of scores before a softmax, such as -1e9; a mask that is larger by half hides the score as well.
_LEAST_OF_MASK = 1e8
_CLIPPING = frozenset({"Relu", "Relu6"})
_BATCH_NORM = "PycheckBatchNormalization"


class SensitivitySession:
    """An artifact in float32, each of whose weights is multiplied by a factor. It is not thread-safe.

    `outputs` are the artifact's names of the outputs to compute. The weights are in memory once; `graph` is not kept.
    `magnitudes` has the largest magnitude in each weight, without infinities and the numbers of masks; 0 if no number
    is left.
    """

    def __init__(self, graph: ArtifactGraph, outputs: Sequence[str]) -> None:
        self.weights = graph.weights
        self._tables = _tables(graph)
        self._ran_before = False
        self._directions: dict[str, Any] = {}
        self._slopes: dict[str, dict[str, Any]] = {}
        self._graph = tf.Graph()
        with self._placed():
            self._session = tf.compat.v1.Session(graph=self._graph, config=plain_execution())
            with tf.name_scope(OWN):
                self._factors = tf.compat.v1.placeholder(tf.float32, [len(self.weights)])
                self._each_factor = tf.unstack(self._factors) if self.weights else []
            self._outside, largest = self._import_scaled(graph)
        self.magnitudes = [largest[weight.tensor] for weight in self.weights]
        self._inputs = {name: self._tensor(tensor) for name, tensor in graph.inputs.items()}
        self._outputs = {name: self._tensor(graph.outputs[name]) for name in outputs}
        self._rows = [self._tensor(rows) for _, rows in self._tables]
        with self._placed():
            values = {point: self._tensor(point.tensor) for point in _clipped(graph)}
            self._living = {point: _living(value) for point, value in values.items() if _has_channels(value)}

    def run(self, feeds: Mapping[str, Array], factors: Array) -> dict[str, Array]:
        """Compute all outputs, for inputs by the artifact's names and a factor for each weight.

        TensorFlow's errors are raised.
        """
        with nullcontext() if self._ran_before else without_native_noise():  # compilers print a message once
            values: dict[str, Array] = self._session.run(self._outputs, self._fed(feeds) | {self._factors: factors})
        self._ran_before = True
        give_back_values()
        return values

    def differentiate(self) -> None:
        """Prepare `project`. LookupError if an operation has no gradient; `run` still works then.

        The gradient of a loop changes the loop itself, which a session that has run it does not allow.
        """
        values = [(self._held[name], value) for name, value in self._session.run(self._held).items()]
        self._session.close()
        with self._placed():
            try:
                with safe_gradients():
                    self._add_gradients()
            finally:
                self._session = tf.compat.v1.Session(graph=self._graph, config=plain_execution())
                hold_again(self._session, values)

    def _add_gradients(self) -> None:
        for name, output in self._outputs.items():
            if not output.dtype.is_floating:
                continue
            direction = tf.compat.v1.placeholder(output.dtype, output.shape)
            gradients = tf.compat.v1.gradients(output, self._each_factor, grad_ys=direction)
            pairs = zip(self.weights, gradients, strict=True)
            slopes = {weight.tensor: slope for weight, slope in pairs if slope is not None}
            if slopes:
                self._directions[name], self._slopes[name] = direction, slopes

    def differentiable(self, output: str) -> bool:
        """Tell whether `project` supports this output: a floating-point one that depends on a weight."""
        return output in self._slopes

    def project(self, feeds: Mapping[str, Array], output: str, direction: Array) -> dict[str, float]:
        """Compute the inner product of `direction` with the derivative of an output, by tensor of the weight.

        The derivative is that by the weight's factor, at 1. A weight without a derivative is absent.
        """
        fed = self._fed(feeds) | {self._directions[output]: direction, self._factors: np.ones(len(self.weights))}
        slopes = {tensor: float(value) for tensor, value in self._session.run(self._slopes[output], fed).items()}
        give_back_values()
        return slopes

    @property
    def has_tables(self) -> bool:
        """Tell whether a weight is used as a table."""
        return bool(self._tables)

    def rows(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Return the rows that these inputs select, each once, by tensor of the weight that is used as a table."""
        fed = self._fed(feeds) | {self._factors: np.ones(len(self.weights))}
        found: dict[str, Array] = {}
        for (table, _), rows in zip(self._tables, self._session.run(self._rows, fed), strict=True):
            found[table] = np.union1d(found.get(table, np.zeros(0, np.int64)), rows)
        return found

    @property
    def clipped(self) -> tuple[Point, ...]:
        """Return the points that a ReLU computes. Channels are counted along the last axis."""
        return tuple(self._living)

    def living(self, feeds: Mapping[str, Array]) -> dict[Point, tuple[Array, int]]:
        """Return for each clipped point the channels that are not always 0 on these inputs, and its value count."""
        fed = self._fed(feeds) | {self._factors: np.ones(len(self.weights))}
        found: dict[Point, tuple[Array, int]] = self._session.run(self._living, fed)
        give_back_values()
        return found

    def close(self) -> None:
        """Free the memory of TensorFlow."""
        self._session.close()

    def _fed(self, feeds: Mapping[str, Array]) -> dict[Any, Array]:
        tensors = ((self._inputs[name], value) for name, value in feeds.items())
        return {tensor: value.astype(tensor.dtype.as_numpy_dtype) for tensor, value in tensors}

    @contextmanager
    def _placed(self) -> Iterator[None]:
        """Place new operations in the session's graph, on the CPU."""
        with self._graph.as_default(), tf.device("/CPU:0"):
            yield

    def _import_scaled(self, graph: ArtifactGraph) -> tuple[dict[str, Any], dict[str, float]]:
        """Import the graph so that readers of a weight read it times its factor.

        Return, by tensor, the scaled tensor, and the magnitudes of the weights.
        """
        factors = {weight.tensor: factor for weight, factor in zip(self.weights, self._each_factor, strict=True)}
        light = without_large_constants(graph.graph_def, (), also=factors)
        for node in light.graph_def.node:
            predicts = node.op == "FusedBatchNormV3" and not node.attr["is_training"].b
            if predicts and node.attr["data_format"].s != b"NCHW":
                node.attr["_gradient_op_type"].s = _BATCH_NORM.encode()
        largest: dict[str, float] = {}

        def measured() -> Iterator[tuple[str, Array]]:
            for tensor, value in light.arrays(light.graph_def):
                largest[tensor] = _largest(value) if tensor in factors else 0.0
                yield tensor, value

        self._held = held(self._session, measured())
        with tf.name_scope(OWN):
            read = self._held | {tensor: self._held[tensor] * factor for tensor, factor in factors.items()}
        tf.import_graph_def(light.graph_def, name="", input_map=read)
        return read, largest

    def _tensor(self, name: str) -> Any:
        return self._outside[name] if name in self._outside else self._graph.get_tensor_by_name(name)


def _largest(weight: Array) -> float:
    values = np.abs(weight)
    return float(values[values < _LEAST_OF_MASK].max(initial=0.0))


def _tables(graph: ArtifactGraph) -> list[tuple[str, str]]:
    """Return weights that are indexed by rows, and the tensor of indices; each pair once."""
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


def _clipped(graph: ArtifactGraph) -> list[Point]:
    """Return points whose value is the result of a ReLU, possibly after identities.

    The first of each, without a dropout after it. ReLUs in pairs are left out, such as in the leaky relu(x) - a
    relu(-x), because they lose nothing together.
    """
    nodes = {node.name: node for node in graph.graph_def.node}
    read = {name: _behind(nodes, node.input[0]) for name, node in nodes.items() if node.op in _CLIPPING}
    count = Counter(_behind(nodes, ref) for node in nodes.values() if node.op != "Identity" for ref in node.input)
    negated = {name: _negated(nodes, name) for name in read.values()}
    both = {part for name, base in negated.items() if count[base] > 1 for part in (name, base)}
    points = [(point, _behind(nodes, point.tensor)) for point in graph.points if not point.constant]
    first: dict[str, Point] = {}
    for point, name in points:
        if name in read and read[name] not in both:
            first.setdefault(name, point)
    return list(first.values())


def _negated(nodes: Mapping[str, Any], name: str) -> str:
    """Return the node whose negation this is, maybe shifted by a constant, as Keras writes a threshold; else none."""
    node = nodes[name]
    behind = [_behind(nodes, ref) for ref in node.input]
    if node.op == "Neg":
        return behind[0]
    if node.op == "Sub" and nodes[behind[0]].op == "Const":
        return behind[1]
    if node.op in ("Add", "AddV2") and "Const" in (nodes[part].op for part in behind):
        return next((_negated(nodes, part) for part in behind if nodes[part].op == "Neg"), "")
    return ""


def _has_channels(value: Any) -> bool:
    return value.shape.rank is not None and value.shape.rank > 1 and bool(value.shape[-1])


def _living(value: Any) -> tuple[Any, Any]:
    """Tell which values are not 0; NaN counts as not 0."""
    others = list(range(value.shape.rank - 1))
    return tf.reduce_any(tf.not_equal(value, tf.zeros([], value.dtype)), others), tf.size(value) // value.shape[-1]


def _behind(nodes: Mapping[str, Any], ref: str) -> str:
    """Return the node that a reference means, through any identities."""
    name = node_of(ref)
    while nodes[name].op == "Identity":
        name = node_of(nodes[name].input[0])
    return name


def _batch_norm_gradient(operation: Any, *gradients: Any) -> list[Any]:
    """Compute the gradient of ``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, channels last.

    TensorFlow's own has none for the mean and the variance, which are ordinary weights in a prediction.
    """
    x, gamma, _, mean, variance = operation.inputs
    inverse = tf.math.rsqrt(variance + operation.get_attr("epsilon"))
    others = list(range(x.shape.rank - 1))
    to_beta = tf.reduce_sum(gradients[0], others)
    to_gamma = tf.reduce_sum(gradients[0] * (x - mean), others) * inverse
    to_variance = -0.5 * to_gamma * gamma * inverse * inverse
    return [gradients[0] * gamma * inverse, to_gamma, to_beta, -to_beta * gamma * inverse, to_variance]


tf.RegisterGradient(_BATCH_NORM)(_batch_norm_gradient)
