"""Executes a frozen graph on the CPU, by names of inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf

from ..types import Array, Tensors


class GraphFunction:
    """A graph as a function of named tensors.

    `inputs` and `outputs` map names to tensor names such as "x:0". Inputs are cast to the
    type of their placeholder, so that a float64 graph takes float32 inputs at their exact value.
    `constants` are values that stay outside of the graph, by the tensor that they replace.
    """

    def __init__(
        self,
        graph_def: Any,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
        constants: Iterable[tuple[str, Array]] = (),
    ) -> None:
        def imported() -> None:
            with tf.device("/CPU:0"):
                tf.import_graph_def(graph_def, name="")

        wrapped = tf.compat.v1.wrap_function(imported, [])
        feeds = [wrapped.graph.get_tensor_by_name(tensor) for tensor in inputs.values()]
        fetches = [wrapped.graph.get_tensor_by_name(tensor) for tensor in outputs.values()]
        self._dtypes = {name: feed.dtype for name, feed in zip(inputs, feeds, strict=True)}
        self._output_names = tuple(outputs)
        with tf.device("/CPU:0"):
            held = {tensor: tf.constant(value) for tensor, value in constants}
        self._held = tuple(held.values())
        self._function = wrapped.prune([*feeds, *map(wrapped.graph.get_tensor_by_name, held)], fetches)

    def __call__(self, tensors: Tensors) -> dict[str, Any]:
        """Return outputs by name. bfloat16, which NumPy lacks, becomes float32, which holds it exactly."""
        with tf.device("/CPU:0"):
            feeds = [
                tf.constant(tensors[name].astype(dtype.as_numpy_dtype), dtype) for name, dtype in self._dtypes.items()
            ]
            values = self._function(*feeds, *self._held)
        return {
            name: (tf.cast(value, tf.float32) if value.dtype == tf.bfloat16 else value).numpy()
            for name, value in zip(self._output_names, values, strict=True)
        }

    def attempt(self, tensors: Tensors) -> dict[str, Any] | None:
        """Return outputs by name; None if an operation rejects these values."""
        try:
            return self(tensors)
        except tf.errors.OpError:
            return None
