"""Computes the sizes of the values within a model, to find how many samples fit into memory together."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import tensorflow as tf

from ..graphdef.large_constants import without_large_constants
from .graph import FrozenGraph

_NO_VALUES = frozenset({"Const", "Placeholder", "Shape", "NoOp"})


@dataclass(frozen=True, slots=True)
class Activations:
    """The number of elements, for one sample, of the largest value that a model computes, and of all values together.

    If the size of a value depends on free dimensions of the inputs, these count as 1.
    """

    largest: int = 1
    total: int = 1


def activations(frozen: FrozenGraph) -> Activations:
    """Return the sizes of the values that the graph computes."""
    light = without_large_constants(frozen.graph_def, frozen.outputs.values())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(light.graph_def, name="")
    shapes = (
        tensor.shape.as_list()
        for operation in graph.get_operations()
        if operation.type not in _NO_VALUES
        for tensor in operation.outputs
        if tensor.shape.rank
    )
    sizes = [prod(size or 1 for size in shape) for shape in shapes if shape[0] is None]
    return Activations(max(sizes), sum(sizes)) if sizes else Activations()
