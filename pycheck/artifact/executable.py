"""What an artifact is to whoever executes it: a plain TensorFlow graph and the points where it can be watched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Point:
    """One value inside an artifact that both TensorFlow and TF.js can be asked for.

    Attributes:
        name: In graph artifacts what ``GraphModel.execute`` takes: the node, or ``node:1`` for its second output.
            In layers artifacts the layer, with ``outer/inner`` inside of nested models, ``@1`` behind the name for
            the layer's second call, and ``:1`` behind that for a call's second output.
        op: The operation (``_FusedConv2D``) or the class of the layer (``Conv2D``). A loop or a branch of
            TensorFlow 1 is ``while`` or ``cond``: its inside cannot be asked for, only what leaves it.
        inputs: Names of the points and of the artifact's inputs that it reads, without weights; no name twice.
        layer: The Keras layer it came from, as far as names tell.
        tensor: The tensor of `ArtifactGraph.graph_def` that holds the value.
        constant: Whether it depends on no input.
        activation: What it applies last, also where that is fused into it, by Keras's name (``relu``); else empty.
        merged: Layers before `layer` whose operations the converter merged into this one, as far as the names of
            its weights tell: of a fused convolution, batch normalization and ReLU the first two.
        loops: Nodes of loops and branches whose result it is the first to show in numbers, where what leaves them
            is a list of tensors, which cannot be asked for. Run alone, it runs them too.
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
    """A float weight with at least one axis: its name for people, its layer, its tensor in the graph, its shape.

    A number without an axis, such as an epsilon, is an argument of an operation and no weight.
    """

    name: str
    layer: str | None
    tensor: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ArtifactGraph:
    """An artifact as a graph of TensorFlow's own operations, its weights decoded as TF.js decodes them.

    Attributes:
        graph_def: A tf.compat.v1.GraphDef without variables.
        inputs: The artifact's name of each input (`ArtifactInfo.inputs`) -> tensor of `graph_def`.
        outputs: The artifact's name of each output (`ArtifactInfo.outputs`) -> tensor of `graph_def`.
        points: In topological order; a fused node is one point. An input is no point.
        notes: Where TensorFlow's reading of the artifact may differ from TF.js's.
        quantized: Names of the points that read weights which the artifact keeps quantized.
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
        """The point that an output is; the output's own name where it is none, but an input handed on."""
        tensor = self.outputs.get(name)
        return next((point.name for point in self.points if point.tensor == tensor), name)
