"""A loaded model: its signature, its function, its frozen graph, its predictions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import nullcontext
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import ConversionError
from ..system.memory import give_back
from ..system.quiet import without_native_noise
from ..types import InputHint, ModelInfo, Tensors
from .callable import Traced, trace_in_shapes
from .casts import casts_inside
from .graph import FrozenGraph, freeze, inputs_of_outputs
from .graph_facts import Activations, activations, coarsest_float
from .messages import one_line
from .own_predict import OwnPredict

#: The most bytes of the results of all layers, if Keras keeps them together.
_EAGER_BYTES = 1 << 28
_RANDOM = re.compile("Random|TruncatedNormal|Multinomial")


class Model:
    """The model in Python, in inference mode.

    `info` has its signature: names as in the model, the sample axis first. `keras_model` is the Keras 3 or tf_keras
    model, or None for a SavedModel and for a TF.js model. `frozen` is given if the model is a graph of constants from
    the start. `notes` are for the report; `timings_s` has the time of loading. It is not thread-safe.
    """

    def __init__(
        self,
        info: ModelInfo,
        traced: Traced,
        keras_model: Any = None,
        notes: tuple[str, ...] = (),
        frozen: FrozenGraph | None = None,
    ) -> None:
        self.info = info
        self.keras_model = keras_model
        self.notes = (*notes, *traced.notes)
        self.timings_s: Mapping[str, float] = {}
        self._traced = traced
        self._given_graph = frozen
        self._ran_before = False
        self._in_shapes: dict[tuple[tuple[int | None, ...], ...], Model] = {}

    @property
    def own(self) -> OwnPredict | None:
        """Return the user's own `predict`, or the signature of a SavedModel; None if there is neither."""
        signature, total = self.info.signature, self.activations.total
        apart = signature.fixed_batch is None and all(spec.has_sample_axis for spec in signature.outputs)
        return OwnPredict.of(self._traced, max(1, _EAGER_BYTES // (4 * total)) if apart else None)

    @property
    def training_calls(self) -> Mapping[str, str]:
        """Return the layers that run in training mode when the model predicts, with their classes."""
        return self._traced.training_calls

    @property
    def random_operations(self) -> tuple[str, ...]:
        """Return the operations of a Keras model that draw random numbers at each call."""
        graph = self._traced.function.graph
        types = sorted({op.type for op in graph.get_operations() if op.op_def.is_stateful and _RANDOM.search(op.type)})
        return tuple(types) if self.keras_model is not None else ()

    @cached_property
    def precision(self) -> str | None:
        """Return the coarsest float type below float32 in which the model computes.

        None if it is float32, or unknown.
        """
        try:
            return coarsest_float(self._frozen.graph_def)
        except ConversionError:  # a stage that needs the graph reports the error
            return None

    def in_shapes(self, tensors: Tensors, *, free_samples: bool = False) -> Model:
        """Trace the same Keras model for exactly the shapes of these inputs; the result is cached.

        With `free_samples` the number of samples is free, and the other sizes are fixed.
        """
        whole = (tuple(tensors[spec.name].shape) for spec in self.info.signature.inputs)
        shapes = tuple((None, *shape[1:]) if free_samples and shape else shape for shape in whole)
        if shapes not in self._in_shapes:
            traced = trace_in_shapes(self._traced, shapes)
            self._in_shapes[shapes] = Model(self.info, traced, self.keras_model, self.notes)
        return self._in_shapes[shapes]

    def frozen(self) -> FrozenGraph:
        """Freeze the model to one graph with constants for variables; the result is cached.

        ConversionError for state that cannot become a constant.
        """
        return self._frozen

    @property
    def inputs_of_outputs(self) -> Mapping[str, tuple[str, ...]]:
        """Return the inputs that each output depends on; none without a frozen graph."""
        try:
            return inputs_of_outputs(self._frozen)
        except ConversionError:  # a stage that needs the graph reports the error
            return {}

    @property
    def casts_inside(self) -> Mapping[str, tuple[str, ...]]:
        """Return the integer types of casts within loops and branches before outputs; none without a frozen graph."""
        try:
            return casts_inside(self._frozen)
        except ConversionError:  # a stage that needs the graph reports the error
            return {}

    @property
    def layer_tensors(self) -> Mapping[str, str]:
        """Return the result of every call of a Keras layer, by its name (see `LayerCalls`), as a tensor of `frozen`.

        Results that freezing removed are left out; none if the model has no Keras layers.
        """
        known = {node.name for node in self._frozen.graph_def.node}
        return {name: tensor for name, tensor in self._traced.layer_tensors.items() if tensor.split(":")[0] in known}

    @property
    def input_hints(self) -> Mapping[str, InputHint]:
        """Return the hints of the graph for the inputs (tables, scales, masks); empty without a frozen graph."""
        return self._hints

    @cached_property
    def activations(self) -> Activations:
        """Return the sizes of the values inside of the model for one sample; of size 1 if unknown."""
        try:
            return activations(self._frozen)
        except (ConversionError, ValueError):  # a stage that needs the graph reports the error
            return Activations()

    def predict(self, tensors: Tensors) -> dict[str, np.ndarray[Any, Any]]:
        """Compute outputs by name from inputs by name; each (samples, ...), in the model's own precision.

        bfloat16, which NumPy lacks, becomes float32, which holds it exactly.
        """
        import tensorflow as tf

        flat = [tf.constant(tensors[spec.name], dtype=spec.dtype) for spec in self.info.signature.inputs]
        with nullcontext() if self._ran_before else without_native_noise():  # XLA prints a message once
            named = self._traced.function(*flat)
        self._ran_before = True
        outputs = {spec.name: named[spec.name] for spec in self.info.signature.outputs}
        return {
            name: (tf.cast(value, tf.float32) if value.dtype == tf.bfloat16 else value).numpy()
            for name, value in outputs.items()
        }

    @cached_property
    def _frozen(self) -> FrozenGraph:
        if self._given_graph:
            return self._given_graph
        signature = self.info.signature
        try:
            return freeze(
                self._traced.function,
                tuple(spec.name for spec in signature.inputs),
                tuple(spec.name for spec in signature.outputs),
            )
        except ConversionError as error:
            if not self.training_calls:
                raise
            layers = ", ".join(f"{name} ({of})" for name, of in self.training_calls.items())
            raise ConversionError(
                f"{error.message} Called with training=True: {layers}.",
                "Call the layer without training=True, and save the model again.",
            ) from error
        finally:
            give_back()

    @cached_property
    def _hints(self) -> Mapping[str, InputHint]:
        from .expected import input_hints

        try:
            return input_hints(self._frozen, self.info.signature, self.layer_tensors)
        except ConversionError:  # a stage that needs the graph reports the error
            return {}
        except Exception as error:  # TensorFlow may raise any error; the run continues without hints
            self.notes = (*self.notes, f"the expected values of the inputs are unknown: {one_line(error)}")
            return {}
