"""Calls the user's own code: `predict` of a Keras model, or the signature of a SavedModel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..system.quiet import without_native_noise
from ..types import Array, Tensors
from .callable import Target, Traced, is_keras3, is_tf_keras, name_outputs
from .layer_calls import LayerCalls, recording


@dataclass(frozen=True, slots=True)
class OwnPredict:
    """A callable that takes tensors by the names of the inputs, and returns arrays by the names of the outputs."""

    target: Target
    names: tuple[str, ...]  # names of the inputs
    outputs: frozenset[str]  # names of the compared outputs
    is_keras: bool
    assigns: bool  # whether predict changes the model's own variables
    at_once: int | None = None  # samples that Keras computes together eagerly; None for all

    @classmethod
    def of(cls, traced: Traced, at_once: int | None = None) -> OwnPredict | None:
        """Make it for a model; None for a TF.js model, or a Keras model with several arguments."""
        target = traced.target
        if target is None:
            return None
        is_keras = is_keras3(target.owner) or is_tf_keras(target.owner)
        if is_keras and target.pack is None:
            return None
        names = tuple(spec.name for spec in traced.signature.inputs)
        outputs = frozenset(spec.name for spec in traced.signature.outputs)
        return cls(target, names, outputs, is_keras, is_keras and _assigns(traced.function), at_once)

    @property
    def title(self) -> str:
        """Return its name in a report."""
        return "model.predict" if self.is_keras else "the signature"

    @property
    def is_overridden(self) -> bool:
        """Tell whether the class of the model has its own `predict` or `predict_step`."""
        if not self.is_keras:
            return False
        methods = (getattr(type(self.target.owner), name) for name in ("predict", "predict_step"))
        return any(not method.__module__.startswith(("keras.", "tf_keras.")) for method in methods)

    def __call__(self, tensors: Tensors, *, eagerly: bool = True) -> dict[str, Array]:
        """Run one batch.

        With `eagerly`, Keras does not compile a graph, which takes far longer and gives the same numbers. In eager
        mode, Keras keeps the results of all layers until the last one ends, so it gets `at_once` samples at a time. A
        model whose samples influence one another then gives different numbers. Any error of the model is raised.
        """
        flat = self._flat(tensors)
        if not self.is_keras:
            with without_native_noise():  # the graph optimizer prints errors about the cost of some operations
                return self._named(self.target.call(flat))
        assert self.target.pack is not None
        packed, size = self.target.pack(flat), max((len(tensor) for tensor in flat), default=1)
        if eagerly and self.at_once:
            size = min(size, self.at_once)
        with without_native_noise(), _running(self.target.owner, eagerly):
            return self._named(self.target.owner.predict(packed, batch_size=size, verbose=0))

    def called(self, tensors: Tensors) -> dict[str, Array]:
        """Call the model itself, without its own `predict`."""
        return self._named(self.target.call(self._flat(tensors)))

    def layer_values(self, tensors: Tensors) -> Mapping[str, Array]:
        """Return the result of every layer call, by the names of `LayerCalls`, in the order in which calls end."""
        calls = LayerCalls()
        if self.is_keras:
            with recording(self.target.owner, calls):
                self.target.call(self._flat(tensors))
        return calls.values

    def _flat(self, tensors: Tensors) -> list[Any]:
        import tensorflow as tf

        specs = zip(self.names, self.target.specs, strict=True)
        return [tf.constant(tensors[name], dtype=spec.dtype) for name, spec in specs]

    def _named(self, result: Any) -> dict[str, Array]:
        given = name_outputs(result, self.target.output_names)
        named = {name: np.asarray(value) for name, value in given.items() if name in self.outputs}
        return {name: value.astype(np.float32) if value.dtype.kind == "V" else value for name, value in named.items()}


@contextmanager
def _running(model: Any, eagerly: bool) -> Iterator[None]:
    """Set one of Keras's two ways to predict within this context, and restore the model's setting afterwards."""
    before = model._run_eagerly if hasattr(model, "_run_eagerly") else model.run_eagerly
    function = model.predict_function
    model.predict_function, model.run_eagerly = None, eagerly
    try:
        yield
    finally:
        model.run_eagerly, model.predict_function = before, function


def _assigns(function: Any) -> bool:
    """Tell whether a ConcreteFunction writes to a variable, also in a function that it calls."""
    graph_def = function.graph.as_graph_def()
    bodies = [graph_def.node, *(inner.node_def for inner in graph_def.library.function)]
    return any(node.op.startswith("Assign") for body in bodies for node in body)
