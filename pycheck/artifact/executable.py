"""An executable artifact: a plain TensorFlow graph, and the points at which values can be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Point:
    """One value within an artifact that both TensorFlow and TF.js can return.

    Attributes:
        name: In graph artifacts the argument of ``GraphModel.execute``: the node, or ``node:1`` for its second output.
            In layers artifacts the layer, with ``outer/inner`` within nested models, ``@1`` after the name for the
            layer's second call, and ``:1`` after that for a call's second output.
        op: The operation (``_FusedConv2D``) or the class of the layer (``Conv2D``). A loop or a branch of TensorFlow 1
            is ``while`` or ``cond``: only values that leave it can be read, not those within it.
        inputs: Names of the points and of the artifact's inputs that it reads, without weights and repetitions.
        layer: The Keras layer that it came from, if the names show it.
        tensor: The tensor of `ArtifactGraph.graph_def` that holds the value.
        constant: Whether it depends on no input.
        activation: The last activation that it applies, also a fused one, by Keras's name (``relu``); else empty.
        merged: Layers before `layer` whose operations the converter merged into this one, if the names of its weights
            show it: for a fused convolution, batch normalization and ReLU the first two.
        loops: Nodes of loops and branches whose result is a list of tensors, which cannot be read: this point is the
            first that shows it in numbers. In isolation it runs them too.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    layer: str | None
    tensor: str
    constant: bool
    activation: str = ""
    merged: tuple[str, ...] = ()
    loops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GraphWeight:
    """A float weight with at least one axis: its readable name, its layer, its tensor in the graph, its shape.

    A number without an axis, such as an epsilon, is an argument of an operation and not a weight.
    """

    name: str
    layer: str | None
    tensor: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ArtifactGraph:
    """An artifact as a graph of TensorFlow's own operations, with weights decoded as TF.js decodes them.

    Attributes:
        graph_def: A tf.compat.v1.GraphDef without variables.
        inputs: The artifact's name of each input (`ArtifactInfo.inputs`) -> tensor of `graph_def`.
        outputs: The artifact's name of each output (`ArtifactInfo.outputs`) -> tensor of `graph_def`.
        points: In topological order; a fused node is one point. Inputs are not points.
        notes: Differences that are possible between TensorFlow's reading of the artifact and TF.js's.
        quantized: Names of the points that read weights which are quantized in the artifact.
        weights: The float weights outside of functions, such as the bodies of loops, in the order of the graph.
    """

    graph_def: Any
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    points: tuple[Point, ...]
    notes: tuple[str, ...] = ()
    quantized: frozenset[str] = frozenset()
    weights: tuple[GraphWeight, ...] = ()

    def point_of(self, name: str) -> str:
        """Return the point of an output; the output's own name if it is an input that is returned unchanged."""
        tensor = self.outputs.get(name)
        return next((point.name for point in self.points if point.tensor == tensor), name)
