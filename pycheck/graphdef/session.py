"""Runs a graph exactly as written: any tensor can be fed or fetched, nothing is merged or computed in advance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import count
from typing import Any

import tensorflow as tf

from ..system.quiet import without_native_noise
from ..types import Array

_COUNT = count()
#: The bytes of values that are put into variables at a time, because each run of a session depends on the graph's size.
_TOGETHER_BYTES = 1 << 25
#: The scope of pycheck's own nodes: a graph keeps its own names at import, and TensorFlow renames collisions.
OWN = "pycheck.own"


class Session:
    """A graph in memory. `tensors` maps the names that callers use to tensors of `graph_def`.

    `constants` are values that stay outside of the graph, by the tensor that they replace.
    """

    def __init__(self, graph_def: Any, tensors: Mapping[str, str], constants: Iterable[tuple[str, Array]] = ()) -> None:
        self.tensors = dict(tensors)
        self._ran_before = False
        with tf.Graph().as_default() as loaded, tf.device("/CPU:0"):
            self._session = tf.compat.v1.Session(graph=loaded, config=plain_execution())
            self._outside = held(self._session, constants)
            tf.import_graph_def(graph_def, input_map=self._outside, name="")

    def run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        """Compute `fetches` from `feeds`, which are cast to the type of their tensor.

        TensorFlow's errors are raised.
        """
        fed = {}
        for name, value in feeds.items():
            tensor = self._tensor(name)
            fed[tensor] = value.astype(tensor.dtype.as_numpy_dtype)
        wanted = {name: self._tensor(name) for name in fetches}
        with nullcontext() if self._ran_before else without_native_noise():  # compilers print a message once
            values: dict[str, Array] = self._session.run(wanted, fed)
        self._ran_before = True
        return values

    def _tensor(self, name: str) -> Any:
        tensor = self.tensors[name]
        return self._outside[tensor] if tensor in self._outside else self._session.graph.get_tensor_by_name(tensor)

    def close(self) -> None:
        """Free the memory of TensorFlow."""
        self._session.close()


def held(session: Any, values: Iterable[tuple[str, Array]]) -> dict[str, Any]:
    """Return, by name, tensors of the session's graph (the default one).

    A variable holds each value once for all runs.
    """
    tensors: dict[str, Any] = {}

    def variables() -> Iterator[tuple[Any, Array]]:
        for name, value in values:
            variable = tf.raw_ops.VarHandleOp(dtype=value.dtype, shape=value.shape, shared_name=f"held/{next(_COUNT)}")
            tensors[name] = tf.raw_ops.ReadVariableOp(resource=variable, dtype=value.dtype)
            yield variable, value

    with tf.name_scope(OWN):
        _assign(session, variables())
    return tensors


def hold_again(session: Any, values: Iterable[tuple[Any, Array]]) -> None:
    """Give a second session of the same graph (the default one) the values of tensors that `held` returned."""
    _assign(session, ((tensor.op.inputs[0], value) for tensor, value in values))


def _assign(session: Any, values: Iterable[tuple[Any, Array]]) -> None:
    feeds: dict[Any, Array] = {}
    assigned: list[Any] = []
    for variable, value in values:
        given = tf.compat.v1.placeholder(value.dtype, value.shape)
        assigned.append(tf.raw_ops.AssignVariableOp(resource=variable, value=given))
        feeds[given] = value
        if sum(fed.nbytes for fed in feeds.values()) > _TOGETHER_BYTES:
            _run(session, assigned, feeds)
            feeds, assigned = {}, []
    if assigned:  # an empty graph cannot run
        _run(session, assigned, feeds)


def _run(session: Any, assigned: list[Any], feeds: Mapping[Any, Array]) -> None:
    with without_native_noise():  # it may be the first run of this process
        session.run(assigned, feeds)


def plain_execution() -> Any:
    """Return the configuration of a session that runs every operation as written, on the CPU."""
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
    config.graph_options.optimizer_options.opt_level = -1  # optimizer level L0
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return config
