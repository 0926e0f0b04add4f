"""Whether a model takes a batch of inputs at all, and which layer does not."""

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
    """What became of one batch: `failure` is what TensorFlow said, at the layer or node `place`; empty where it ran."""

    failure: str = ""
    place: str = ""
    is_empty: bool = False  # an output has no elements
    is_finite: bool = True

    @property
    def ran(self) -> bool:
        """Whether there are outputs."""
        return not self.failure


def attempt(model: Model, tensors: Tensors) -> Attempt:
    """Run one batch, a Keras model first by Keras itself: it refuses what the traced function would make empty."""
    if model.keras_model is not None and (failed := _of_keras(model, tensors)):
        return failed
    try:
        outputs = model.predict(tensors)
    except Exception as error:  # whatever TensorFlow says of shapes and values
        return Attempt(_said(error), _node_of(error))
    values = list(outputs.values())
    return Attempt(
        is_empty=any(value.size == 0 for value in values),
        is_finite=all(value.dtype.kind not in "fc" or bool(np.isfinite(value).all()) for value in values),
    )


def _of_keras(model: Model, tensors: Tensors) -> Attempt | None:
    """What fails when the model is called layer by layer, or traced in these shapes; None where nothing does.

    `predict` of Keras traces, and shape inference refuses sizes below 0 that a kernel takes for empty.
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
    except Exception as error:  # whatever a layer says of shapes and values
        return Attempt(_said(error), calls.layer or _node_of(error))
    return None


class _Failing(LayerCalls):
    """Notes the innermost layer that raised."""

    layer = ""

    def record(self, layer: Any, call: Callable[[], Any], *, in_training: bool = False) -> Any:
        """What the call gives."""
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
