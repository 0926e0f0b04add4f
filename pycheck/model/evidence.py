"""What a Keras model tells without running it: weights that are no numbers, and the epsilons of its normalizations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..artifact.evidence import nonfinite
from ..types import NonfiniteWeight


def nonfinite_weights(keras_model: Any) -> tuple[NonfiniteWeight, ...]:
    """Weights with NaN or infinity, of every layer; none for a model that is no Keras model."""
    found = []
    for layer in layers_of(keras_model):
        own = [] if getattr(layer, "layers", None) else layer.weights
        for weight in own:
            name = getattr(weight, "path", None) or weight.name
            found.append(nonfinite("model", str(name), str(layer.name), np.asarray(weight)))
    return tuple(weight for weight in found if weight)


def epsilons(keras_model: Any) -> dict[str, float]:
    """By layer name."""
    pairs = ((str(layer.name), getattr(layer, "epsilon", None)) for layer in layers_of(keras_model))
    return {name: float(value) for name, value in pairs if isinstance(value, int | float)}


def layers_of(model: Any) -> Iterator[Any]:
    """Every layer, those of nested models and wrapped ones too."""
    for layer in getattr(model, "layers", None) or ():
        yield layer
        yield from layers_of(layer)
        if (wrapped := getattr(layer, "layer", None)) is not None:
            yield wrapped
            yield from layers_of(wrapped)
