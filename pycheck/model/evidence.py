"""Reads evidence from a Keras model without running it: non-finite weights, and the epsilons of normalizations."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..artifact.evidence import nonfinite
from ..types import NonfiniteWeight, TrainingCall


def nonfinite_weights(keras_model: Any) -> tuple[NonfiniteWeight, ...]:
    """Return the weights of every layer with NaN or infinity; none if it is not a Keras model."""
    found = []
    for layer in layers_of(keras_model):
        own = [] if getattr(layer, "layers", None) else layer.weights
        for weight in own:
            name = getattr(weight, "path", None) or weight.name
            found.append(nonfinite("model", str(name), str(layer.name), np.asarray(weight)))
    return tuple(weight for weight in found if weight)


def epsilons(keras_model: Any) -> dict[str, float]:
    """Return the epsilons by layer name."""
    pairs = ((str(layer.name), getattr(layer, "epsilon", None)) for layer in layers_of(keras_model))
    return {name: float(value) for name, value in pairs if isinstance(value, int | float)}


def training_calls(keras_model: Any, in_training: Mapping[str, str]) -> tuple[TrainingCall, ...]:
    """Return the layers that the model calls with ``training=True``.

    `in_training` are those that did so when the model was called with ``training=False``, as predict does: in a
    functional model, Keras 3 passes that on to every layer, and ignores the argument of the layer's call. Layers that
    alter images have ``training=True`` as default, which Keras 3 writes into the file as if the user had set it.
    """
    asked: dict[str, str] = {}
    for model in (keras_model, *layers_of(keras_model)):
        for layer, arguments in _calls_in(model):
            if arguments.get("training") is True and not _trains_by_default(layer):
                asked[str(layer.name)] = type(layer).__name__
    models = {str(layer.name) for layer in layers_of(keras_model) if getattr(layer, "layers", None)}
    found = asked | dict(in_training)
    inner = {name: of for name, of in found.items() if name not in models}
    return tuple(TrainingCall(name, of, name in in_training) for name, of in (inner or found).items())


def _trains_by_default(layer: Any) -> bool:
    parameter = inspect.signature(layer.call).parameters.get("training")
    return parameter is not None and parameter.default is True


def _calls_in(model: Any) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """Yield the calls of a functional or sequential model: the layer and the keywords."""
    functional = getattr(model, "_functional", None) or model
    by_depth = getattr(functional, "_nodes_by_depth", None) or {}
    for node in (node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]):
        if (arguments := getattr(node, "arguments", None)) is not None:  # Keras 3
            yield node.operation, arguments.kwargs
        elif (keywords := getattr(node, "call_kwargs", None)) is not None:  # tf_keras
            yield node.layer, keywords


def configurations(keras_model: Any) -> dict[str, dict[str, Any]]:
    """Return the configuration of each layer, by its name."""
    return {str(layer.name): _configuration(layer) for layer in layers_of(keras_model)}


def _configuration(layer: Any) -> dict[str, Any]:
    try:
        return dict(layer.get_config())
    except Exception:  # the user's code may raise any error; the layer's arguments are then unknown
        return {}


def layers_of(model: Any) -> Iterator[Any]:
    """Return every layer, including those of nested models and wrapped layers."""
    for layer in getattr(model, "layers", None) or ():
        yield layer
        yield from layers_of(layer)
        if (wrapped := getattr(layer, "layer", None)) is not None:
            yield wrapped
            yield from layers_of(wrapped)
