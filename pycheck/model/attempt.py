"""Tests whether a model accepts a batch of inputs, and finds the layer that does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import PycheckError
from ..types import Tensors
from .callable import call_keras
from .layer_calls import LayerCalls, recording
from .loaded import Model
from .messages import one_line

_NODE = re.compile(r"\{\{node ([^}]+)\}\}")


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of one batch: `failure` is TensorFlow's message, at the layer or node `place`.

    Empty if the model ran.
    """

    failure: str = ""
    place: str = ""
    is_empty: bool = False  # whether an output has no elements
    is_finite: bool = True

    @property
    def ran(self) -> bool:
        """Tell whether there are outputs."""
        return not self.failure


def attempt(model: Model, tensors: Tensors) -> Attempt:
    """Run one batch.

    A Keras model runs in Keras first, which rejects sizes that give empty results in a traced function.
    """
    if model.keras_model is not None and (failed := _of_keras(model, tensors)):
        return failed
    try:
        outputs = model.predict(tensors)
    except Exception as error:  # TensorFlow may raise any error about shapes and values
        return Attempt(_said(error), _node_of(error))
    values = list(outputs.values())
    return Attempt(
        is_empty=any(value.size == 0 for value in values),
        is_finite=all(value.dtype.kind not in "fc" or bool(np.isfinite(value).all()) for value in values),
    )


def _of_keras(model: Model, tensors: Tensors) -> Attempt | None:
    """Return the error of a model that is called layer by layer, or traced with these shapes; None if there is none.

    `predict` of Keras traces the model, and shape inference rejects sizes below 0, which a kernel treats as empty.
    """
    import tensorflow as tf

    def call(*values: Any) -> Any:
        return call_keras(model.keras_model, values)

    flat = [tf.constant(tensors[spec.name], dtype=spec.dtype) for spec in model.info.signature.inputs]
    calls = _Failing()
    try:
        with recording(model.keras_model, calls):
            call(*flat)
            specs = [tf.TensorSpec(value.shape, value.dtype) for value in flat]
            tf.function(call, autograph=False).get_concrete_function(*specs)
    except Exception as error:  # a layer may raise any error about shapes and values
        return Attempt(_said(error), calls.layer or _node_of(error))
    return None


class _Failing(LayerCalls):
    """Records the innermost layer that raised an error."""

    layer = ""

    def record(self, layer: Any, call: Callable[[], Any], *, in_training: bool = False) -> Any:
        """Call a layer, and record it if it raises an error."""
        try:
            return call()
        except Exception:
            self.layer = self.layer or str(layer.name)
            raise


def _said(error: Exception) -> str:
    return error.message if isinstance(error, PycheckError) else one_line(error)


def _node_of(error: Exception) -> str:
    found = _NODE.search(str(error))
    return found[1] if found else ""
