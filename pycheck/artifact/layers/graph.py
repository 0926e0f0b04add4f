"""Runs the plan of a layers artifact with Keras 2's layers, and freezes it to a graph with a point for each call.

tfjs-layers was written after Keras 2 and computes the same. For exceptions, the plan has tfjs-layers's reading
(defaults, ignored arguments) and `_LAYERS_OF_TFJS` its computation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import ArtifactFileError
from ...graphdef.refs import node_of
from ...system.keras2 import import_tf_keras
from ...system.quiet import without_native_noise
from ..document import Document
from ..executable import ArtifactGraph, Point
from ..graph.points import graph_weights
from ..weights import decode_weights
from .topology import LayerPlan, ModelPlan, Ref, read_plan
from .weights import assign_weights, assigned


def layers_graph(document: Document) -> ArtifactGraph:
    """Return the artifact as a frozen graph. ArtifactFileError: damaged, or unsupported by Keras 2's layers."""
    import tensorflow as tf

    from ...graphdef.freezing import frozen_graph

    plan = read_plan(document)
    specs = [input_spec(document, plan.layers[name]) for name in plan.inputs]
    program = _Program(document, plan)

    def run(*flat: Any) -> list[Any]:
        return program.run(flat)

    try:
        function = tf.function(run, input_signature=specs, autograph=False).get_concrete_function()
    except ArtifactFileError:
        raise
    except Exception as error:  # a layer may raise any error for an invalid shape or argument
        raise ArtifactFileError(
            f"Cannot run {document.file} with the layers of Keras 2: {_one_line(error)}."
        ) from error
    taken = assign_weights(document, program.leaves, decode_weights(document))
    coarse = {layer for layer, weights in taken.items() if not document.quantized_weights().isdisjoint(weights)}
    with without_native_noise():
        graph_def, given = frozen_graph(function)
    inputs = {port.tensor: tensor for port, tensor in zip(document.inputs, given, strict=True)}
    points = _points(graph_def, inputs, program.marks)
    tensors = {point.name: point.tensor for point in points}
    named = zip(document.outputs, program.outputs, strict=True)
    outputs = {port.tensor: tensors.get(name) or inputs[name] for port, name in named}
    quantized = frozenset(point.name for point in points if _plain_layer(point) in coarse)
    found = graph_weights(graph_def, _weight_names(function, program.leaves, taken))
    return ArtifactGraph(graph_def, inputs, outputs, points, (*plan.notes, *_mask_notes(plan)), quantized, found)


def _weight_names(
    function: Any, leaves: Sequence[tuple[str, Any]], taken: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, str]]:
    """Map nodes of the frozen graph to the name of the weight that became this constant, and its layer."""
    nodes = {id(outer): inner.op.name for outer, inner in function.graph.captures}
    return {
        nodes[id(variable.handle)]: (weight, layer)
        for variable, layer, weight in assigned(leaves, taken)
        if id(variable.handle) in nodes
    }


_RELU6_MAX = 6.0


@dataclass(frozen=True, slots=True)
class _Mark:
    """A computed value: the point's name, the layer, and the node of the graph that holds it."""

    name: str
    layer: str
    class_name: str
    node: str
    activation: str


class _Program:
    """Layers of Keras 2 and their calls; tracing may run it more than once."""

    def __init__(self, document: Document, plan: ModelPlan) -> None:
        self._document = document
        self._plan = plan
        self._layers: dict[str, Any] = {}
        self.leaves: list[tuple[str, Any]] = []
        self._make(plan, "")
        self.marks: list[_Mark] = []
        self.outputs: list[str] = []

    def run(self, flat: Sequence[Any]) -> list[Any]:
        """Compute all outputs from symbolic inputs in order; `marks` has every value between."""
        self.marks = []
        values, names = self._run(self._plan, flat, list(self._plan.inputs), "")
        self.outputs = names
        return values

    def _make(self, plan: ModelPlan, path: str) -> None:
        for layer in plan.layers.values():
            if layer.model:
                self._make(layer.model, f"{path}{layer.name}/")
            elif layer.class_name != "InputLayer":
                made = make_layer(self._document, layer)
                self._layers[path + layer.name] = made
                self.leaves.append((layer.name, made))

    def _run(
        self, plan: ModelPlan, given: Sequence[Any], given_names: Sequence[str], path: str
    ) -> tuple[list[Any], list[str]]:
        values: dict[Ref, tuple[Any, str]] = {}
        for name, value, point in zip(plan.inputs, given, given_names, strict=True):
            values[name, 0, 0] = value, point
        for call in plan.calls:
            layer = plan.layers[call.layer]
            arguments = [values[ref] for ref in call.inputs]
            where = f"{path}{layer.name}{f'@{call.number}' if call.number else ''}"
            tensors = [tensor for tensor, _ in arguments]
            if layer.model:
                results, names = self._run(layer.model, tensors, [name for _, name in arguments], f"{where}/")
            else:
                made = self._layers[_without_numbers(path) + layer.name]
                results, names = self._call(layer, made, where, tensors)
            for index, result in enumerate(zip(results, names, strict=True)):
                values[call.layer, call.index, index] = result
        found = [values[ref] for ref in plan.outputs]
        return [value for value, _ in found], [name for _, name in found]

    def _call(self, plan: LayerPlan, layer: Any, where: str, tensors: list[Any]) -> tuple[list[Any], list[str]]:
        import tensorflow as tf

        training = {"training": False} if layer._call_spec.expects_training_arg else {}
        try:
            results = tf.nest.flatten(layer(tensors[0] if len(tensors) == 1 else tensors, **training))
        except Exception as error:  # Keras may raise any error for a shape or a type
            shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors)
            raise ArtifactFileError(
                f"Cannot run {self._document.file}: its layer {where!r} ({plan.class_name}) fails on {shapes}: "
                f"{_one_line(error)}.",
                "An earlier layer may have a wrong padding, strides or size. Convert the model again.",
            ) from error
        marked, names = [], []
        for index, result in enumerate(results):
            name = f"{where}:{index}" if index else where
            value = tf.identity(result, name=f"point_{len(self.marks)}")
            if (mask := getattr(result, "_keras_mask", None)) is not None:
                value._keras_mask = mask
            self.marks.append(_Mark(name, where, plan.class_name, value.op.name, _activation(plan)))
            marked.append(value)
            names.append(name)
        return marked, names


def _activation(plan: LayerPlan) -> str:
    if plan.class_name in ("ReLU", "Softmax"):
        return "relu6" if plan.config.get("max_value") == _RELU6_MAX else plan.class_name.lower()
    recurrent = plan.class_name in ("LSTM", "GRU", "SimpleRNN")  # the result of these is a product of activations
    activation = plan.config.get("activation")
    return activation if isinstance(activation, str) and not recurrent else ""


def _plain_layer(point: Point) -> str:
    """Return the layer's name in the file."""
    return (point.layer or point.name).rpartition("/")[2].partition("@")[0]


def _without_numbers(path: str) -> str:
    return "".join(f"{part.partition('@')[0]}/" for part in path.split("/")[:-1])


def make_layer(document: Document, plan: LayerPlan) -> Any:
    """Make a Keras 2 layer that computes like tfjs-layers; ArtifactFileError if Keras rejects an argument."""
    tf_keras = import_tf_keras()
    try:
        with tf_keras.saving.custom_object_scope(_objects_of_tfjs()):
            return tf_keras.layers.deserialize(
                {"class_name": plan.class_name, "config": dict(plan.config)}, use_legacy_format=True
            )
    except Exception as error:  # Keras may raise any error for an argument
        raise ArtifactFileError(
            f"Cannot build the layer {plan.name!r} ({plan.class_name}) of {document.file}: {_one_line(error)}."
        ) from error


def _objects_of_tfjs() -> Mapping[str, Any]:
    """Return activations and layers that Keras 2 lacks by tfjs-layers's name, or computes differently."""
    import tensorflow as tf
    import tf_keras

    class UpSampling2D(tf_keras.layers.UpSampling2D):  # type: ignore[misc]
        """Bilinear resizing without half-pixel centers."""

        def call(self, inputs: Any) -> Any:
            if self.interpolation != "bilinear" or self.data_format != "channels_last":
                return super().call(inputs)
            size = tf.shape(inputs)[1:3] * tf.constant(self.size)
            return tf.compat.v1.image.resize_bilinear(inputs, size, align_corners=False, half_pixel_centers=False)

    return {
        "UpSampling2D": UpSampling2D,
        "relu6": tf.nn.relu6,
        "gelu_new": lambda x: tf.nn.gelu(x, approximate=True),
        "log_softmax": tf.nn.log_softmax,
        "mish": lambda x: x * tf.tanh(tf.nn.softplus(x)),
    }


def input_spec(document: Document, plan: LayerPlan) -> Any:
    """Return the tf.TensorSpec of an InputLayer; ArtifactFileError if the file has no shape."""
    import tensorflow as tf

    shape = plan.config.get("batch_input_shape")
    if shape is None and plan.config.get("input_shape") is not None:
        shape = [plan.config.get("batch_size"), *plan.config["input_shape"]]
    if shape is None:
        raise ArtifactFileError(
            f"Cannot load {document.file}: the input {plan.name!r} has no batch_input_shape, which TF.js needs too.",
            "Convert the model with pycheck convert MODEL FOLDER",
        )
    return tf.TensorSpec(shape, plan.config.get("dtype") or "float32")


def _points(graph_def: Any, inputs: Mapping[str, str], marks: Iterable[_Mark]) -> tuple[Point, ...]:
    """Return the points; their inputs are found in the graph, because a mask may come from an earlier layer."""
    nodes = {node.name: node for node in graph_def.node}
    marks = list(marks)
    named = {node_of(tensor): name for name, tensor in inputs.items()} | {mark.node: mark.name for mark in marks}
    constant = dict.fromkeys(inputs, False)
    points = []
    for mark in marks:
        sources = _read_by(nodes, mark.node, named)
        constant[mark.name] = all(constant[source] for source in sources)
        tensor = f"{mark.node}:0"
        points.append(
            Point(mark.name, mark.class_name, sources, mark.layer, tensor, constant[mark.name], mark.activation)
        )
    return tuple(points)


def _read_by(nodes: Mapping[str, Any], node: str, named: Mapping[str, str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    seen: set[str] = set()
    pending = list(reversed(nodes[node].input))
    while pending:
        name = node_of(pending.pop())
        if name in named:
            found[named[name]] = None
        elif name not in seen:
            seen.add(name)
            pending += reversed(nodes[name].input)
    return tuple(found)


def _mask_notes(plan: ModelPlan) -> tuple[str, ...]:
    masking = [
        layer.name for layer in plan.layers.values() if layer.class_name == "Masking" or layer.config.get("mask_zero")
    ]
    if not masking:
        return ()
    return (
        f"masks from {', '.join(masking)} are propagated as in Keras 2, which differs from tfjs-layers for some layers",
    )


def _one_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
