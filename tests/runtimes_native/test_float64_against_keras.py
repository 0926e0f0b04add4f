"""float64 of the graph agrees with Keras's own float64: the same architecture rebuilt with every dtype float64."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ..conftest import more
from .conftest import Both

pytestmark = pytest.mark.real

Run = Callable[..., Both]

#: Keras's rebuild has the exact 0.001 for an epsilon where the model has its float32 value.
EPSILON_EFFECT = 1e-9


def rebuilt_in_float64(keras: Any, model: Any) -> Any:
    def widened(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: widened(value) for key, value in item.items()}
        if isinstance(item, list):
            return [widened(value) for value in item]
        return "float64" if item == "float32" else item

    double = keras.models.model_from_json(json.dumps(widened(json.loads(model.to_json()))))
    double.set_weights([np.asarray(w, np.float64) if w.dtype == np.float32 else w for w in model.get_weights()])
    return double


def build(keras: Any, name: str) -> Any:
    layers = keras.layers

    def stack(*members: Any) -> Any:
        return keras.Sequential(list(members))

    def attention() -> Any:
        x = keras.Input((6, 8))
        y = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
        return keras.Model(x, layers.Dense(8, activation="gelu")(y))

    def convolutions() -> Any:
        return stack(
            keras.Input((16, 16, 4)),
            layers.SeparableConv2D(8, 3, padding="same", activation="swish"),
            layers.DepthwiseConv2D(3, strides=2, padding="same"),
            layers.Conv2D(8, 3, groups=2, padding="same", activation="relu6"),
            layers.Conv2D(8, 3, dilation_rate=2, padding="same"),
            layers.Conv2DTranspose(4, 3, strides=2, activation="elu"),
            layers.MaxPooling2D(2),
            layers.AveragePooling2D(3, 1, "same"),
            layers.GlobalAveragePooling2D(),
        )

    def masked_bidirectional() -> Any:
        return stack(
            keras.Input((None,), dtype="int32"),
            layers.Embedding(10, 5, mask_zero=True),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.Bidirectional(layers.GRU(3)),
        )

    builders = {
        "multi-head attention": attention,
        "convolutions": convolutions,
        "masked bidirectional": masked_bidirectional,
        "gru without reset_after": lambda: stack(keras.Input((7, 3)), layers.GRU(4, reset_after=False)),
        "convolutional lstm": lambda: stack(keras.Input((3, 5, 5, 2)), layers.ConvLSTM2D(3, 3)),
        "group normalization": lambda: stack(keras.Input((5, 5, 8)), layers.GroupNormalization(4)),
        "mobilenet v2": lambda: keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), classes=5),
    }
    return builders[name]()


@pytest.mark.parametrize(
    "name",
    [
        "multi-head attention",
        "convolutions",
        "masked bidirectional",
        "convolutional lstm",
        "group normalization",
        *more("mobilenet v2", "gru without reset_after"),
    ],
)
def test_the_graph_in_float64_is_the_model_in_float64(keras: Any, both: Run, name: str) -> None:
    model = build(keras, name)
    run = both(model, random_weights=name != "mobilenet v2")  # random statistics make 50 layers explode
    given = next(iter(run.inputs.values()))
    x = given if given.dtype.kind == "i" else given.astype(np.float64)
    expected = np.asarray(rebuilt_in_float64(keras, model)(x, training=False))
    assert expected.dtype == run.double.dtype == np.float64
    scale = np.abs(expected).max()
    assert np.abs(run.double - expected).max() <= EPSILON_EFFECT * scale
    assert 1e-9 * scale < np.abs(run.single - run.double).max() < 1e-4 * scale
