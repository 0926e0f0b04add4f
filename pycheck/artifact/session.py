"""Runs a graph as it is written: any tensor can be given, any asked for, nothing is merged or computed ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import tensorflow as tf

from ..quiet import without_native_noise
from .weights import Array


class Session:
    """A graph in memory. `tensors` maps the names that callers use to tensors of `graph_def`."""

    def __init__(self, graph_def: Any, tensors: Mapping[str, str]) -> None:
        self.tensors = dict(tensors)
        self._ran_before = False
        with tf.Graph().as_default() as loaded, tf.device("/CPU:0"):
            tf.import_graph_def(graph_def, name="")
        self._session = tf.compat.v1.Session(graph=loaded, config=plain_execution())

    def run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        """Values of `fetches` from `feeds`, which are cast to the type of their tensor; TensorFlow's own errors."""
        loaded = self._session.graph
        fed = {}
        for name, value in feeds.items():
            tensor = loaded.get_tensor_by_name(self.tensors[name])
            fed[tensor] = value.astype(tensor.dtype.as_numpy_dtype)
        wanted = {name: loaded.get_tensor_by_name(self.tensors[name]) for name in fetches}
        with nullcontext() if self._ran_before else without_native_noise():  # compilers announce themselves once
            values: dict[str, Array] = self._session.run(wanted, fed)
        self._ran_before = True
        return values

    def close(self) -> None:
        """Free what TensorFlow holds."""
        self._session.close()


def plain_execution() -> Any:
    """The configuration of a session that runs every operation as it is written, on the CPU."""
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
    config.graph_options.optimizer_options.opt_level = -1  # L0
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return config
