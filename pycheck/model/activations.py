"""How large the values inside of a model are, which decides how many samples fit into memory together."""

from __future__ import annotations

from math import prod

import tensorflow as tf

from ..artifact.large_constants import without_large_constants
from .graph import FrozenGraph

_NO_VALUES = frozenset({"Const", "Placeholder", "Shape", "NoOp"})


def largest_activation(frozen: FrozenGraph) -> int:
    """Return the number of elements, for one sample, of the largest value that the model computes.

    Values whose size depends on the size of the inputs count as if free axes were of size 1.
    """
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
    return max((prod(size or 1 for size in shape) for shape in shapes if shape[0] is None), default=1)
