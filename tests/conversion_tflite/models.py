"""Small Keras models, by what their conversion to a .tflite file must get right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pycheck.types import Array

layers = keras.layers


class Erfc(layers.Layer):
    """An operation that LiteRT lacks, and pycheck rewrites."""

    def call(self, x: Any) -> Any:
        return tf.math.erfc(x)


class Lengths(layers.Layer):
    """Operations on texts, which LiteRT lacks."""

    def call(self, x: Any) -> Any:
        return tf.cast(tf.strings.length(tf.strings.as_string(x)), tf.float32)


class Positive(layers.Layer):
    """A result whose size depends on the values."""

    def call(self, x: Any) -> Any:
        return tf.boolean_mask(x, x > 0)


def dense() -> Any:
    x = keras.Input((8,), name="the input")
    return keras.Model(x, layers.Dense(3, name="scores", activation="softmax")(layers.Dense(64, "relu")(x)))


def wide() -> Any:
    x = keras.Input((64,), name="x")
    return keras.Model(x, layers.Dense(4, name="small")(layers.Dense(64, activation="tanh", name="wide")(x)))


def convolution() -> Any:
    x = keras.Input((8, 8, 3), name="image")
    y = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(x)))
    return keras.Model(
        x, layers.Dense(4, activation="softmax", name="y")(layers.Flatten()(layers.DepthwiseConv2D(3)(y)))
    )


def echoed() -> Any:
    """A convolution whose input is an output too."""
    model = convolution()
    return keras.Model(model.input, {"y": model.output, "echo": model.input})


def recurrent(*, unroll: bool = False) -> Any:
    x = keras.Input((6, 4), name="x")
    return keras.Model(x, layers.Dense(2, name="y")(layers.LSTM(5, unroll=unroll)(x)))


def embedding() -> Any:
    tokens = keras.Input((5,), name="tokens", dtype="int64")
    return keras.Model(
        tokens, layers.Dense(2, name="y")(layers.GlobalAveragePooling1D()(layers.Embedding(20, 8)(tokens)))
    )


def several() -> Any:
    """Inputs and outputs whose order is not that of their names."""
    zeta, alpha = keras.Input((4,), name="zeta"), keras.Input((3,), name="alpha")
    first = layers.Dense(2, name="second_one")(layers.Concatenate()([zeta, alpha]))
    return keras.Model([zeta, alpha], {"z": layers.Dense(5, name="d")(alpha), "a": first})


def returned() -> Any:
    """An output that is an input, and one that is there twice."""
    x = keras.Input((4,), name="x")
    y = layers.Dense(3, name="y")(x)
    return keras.Model(x, {"echo": x, "first": y, "second": y})


def best() -> Any:
    """The index of the largest value, which is an int64."""
    x = keras.Input((6,), name="x")
    return keras.Model(x, keras.ops.argmax(layers.Dense(5)(x), axis=-1))


def lacking() -> Any:
    """An Erfc that is rewritten, beside one within a gelu, which the converter fuses."""
    x = keras.Input((4,), name="x")
    return keras.Model(x, Erfc(name="odd")(layers.Dense(4, activation="gelu")(x)))


def lengths() -> Any:
    x = keras.Input((4,), name="x")
    return keras.Model(x, Lengths(name="odd")(x))


def positive() -> Any:
    x = keras.Input((4,), name="x")
    return keras.Model(x, Positive(name="odd")(x))


MODELS: Mapping[str, Callable[[], Any]] = {
    make.__name__: make for make in (dense, convolution, recurrent, embedding, several, returned, best, lacking, wide)
}


def made(model: Any, samples: int) -> dict[str, Array]:
    """Return random inputs of a loaded model; integers are below 20."""
    random = np.random.default_rng(0)
    shapes = {spec.name: (samples, *(size or 1 for size in spec.shape[1:])) for spec in model.info.signature.inputs}
    return {
        spec.name: random.integers(0, 20, shapes[spec.name]).astype(spec.dtype)
        if spec.dtype.startswith("int")
        else random.normal(size=shapes[spec.name]).astype(spec.dtype)
        for spec in model.info.signature.inputs
    }
