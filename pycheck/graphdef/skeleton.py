"""A frozen graph without its large weights: the shapes of all tensors, and the values of small constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ..types import Array
from .internals import function_def_to_graph

#: Numbers with more bytes are weights, whose shape is enough; the keys of a table may be longer.
_MOST_BYTES, _MOST_KEY_BYTES = 1 << 18, 1 << 24
_KEY_TYPES = (tf.int64.as_datatype_enum, tf.int32.as_datatype_enum, tf.string.as_datatype_enum)


def skeleton(graph_def: Any) -> Any:
    """Return a tf.Graph whose large constants are placeholders of their shape, so that it is small and imports fast."""
    light = tf.compat.v1.GraphDef()
    light.versions.CopyFrom(graph_def.versions)
    light.library.CopyFrom(graph_def.library)
    for node in graph_def.node:
        tensor = node.attr["value"].tensor if node.op == "Const" else None
        if tensor is None or tensor.ByteSize() <= (_MOST_KEY_BYTES if tensor.dtype in _KEY_TYPES else _MOST_BYTES):
            light.node.add().CopyFrom(node)
            continue
        stripped = light.node.add(name=node.name, op="Placeholder")
        stripped.attr["dtype"].type = tensor.dtype
        stripped.attr["shape"].shape.CopyFrom(tensor.tensor_shape)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(light, name="")
    return graph


class Place:
    """A graph, or the body of a function that it calls: constants outside are also constant within."""

    def __init__(self, graph: Any, root: Place | None = None, given: Mapping[str, tuple[Place, Any]] | None = None):
        self.graph = graph
        self.root = root or self  # its graph has all functions by name
        self._given = dict(given or {})  # the caller's tensor by argument
        self._session: Any = None
        self._constants = self._find_constants()

    def inside(self, function: str, operands: Sequence[Any], fixed: Sequence[bool] | None = None) -> Place:
        """Return the body of a function that is called with these tensors; `fixed` are those that never change."""
        definition = self.root.graph._get_function(function).cached_definition
        with self.root.graph.as_default():
            body = function_def_to_graph(definition, input_shapes=[operand.shape for operand in operands])
        pairs = zip(body.inputs, operands, fixed or [True] * len(operands), strict=False)
        given = {inner.name: (self, outer) for inner, outer, stays in pairs if stays and self.is_constant(outer)}
        return Place(body, self.root, given)

    def value(self, tensor: Any) -> Array | None:
        """Return the constant value of the tensor; None if it depends on an input or a large weight."""
        if not self.is_constant(tensor):
            return None
        if (known := tf.get_static_value(tensor)) is not None:
            return np.asarray(known)
        if self._session is None:
            config = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
            self._session = tf.compat.v1.Session(graph=self.graph, config=config)
        given = {name: place.value(outer) for name, (place, outer) in self._given.items()}
        return np.asarray(self._session.run(tensor, given))

    def is_constant(self, tensor: Any) -> bool:
        """Tell whether a tensor depends only on small constants."""
        return tensor.name in self._constants

    def close(self) -> None:
        """Free the session."""
        if self._session is not None:
            self._session.close()

    def _find_constants(self) -> set[str]:
        found = set(self._given)
        for op in self.graph.get_operations():
            if op.type not in _VARYING and all(item.name in found for item in op.inputs):
                found |= {item.name for item in op.outputs if item.dtype not in (tf.resource, tf.variant)}
        return found


#: Operations without operands that are not constant, or that cannot run alone.
_VARYING = frozenset(
    {
        "Placeholder", "PlaceholderWithDefault", "While", "StatelessWhile", "If", "StatelessIf", "Enter", "Merge",
        "Exit", "NextIteration", "Switch", "RandomUniform", "RandomStandardNormal", "PartitionedCall",
        "StatefulPartitionedCall",
    }
)  # fmt: skip
