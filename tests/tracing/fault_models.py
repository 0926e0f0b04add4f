"""Models of different kinds whose artifacts are made faulty, each with inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Made = tuple[Any, dict[str, np.ndarray]]
SAMPLES = 6
MODELS: dict[str, Callable[[], Made]] = {}


def model(make: Callable[[], Any]) -> Callable[[], Made]:
    """Registers a model; every weight becomes a number of its own, since biases of 0 hide what scales them."""

    def made() -> Made:
        import keras

        keras.utils.set_random_seed(7)
        built = make()
        rng = np.random.default_rng(1)
        for weight in built.weights:
            value = np.asarray(weight)
            if value.dtype.kind != "f":
                continue
            name = (getattr(weight, "path", None) or weight.name).rsplit("/", 1)[-1].partition(":")[0]
            if name == "gamma" or "variance" in name:
                value = rng.uniform(0.5, 1.5, value.shape)
            elif not value.any() or name in ("bias", "beta") or "mean" in name:
                value = rng.normal(0, 0.2, value.shape)
            weight.assign(value.astype(np.float32))
        return built, {name: _values(rng, spec) for name, spec in _inputs(built)}

    MODELS[make.__name__] = made
    return made


def _inputs(built: Any) -> list[tuple[str, Any]]:
    names = getattr(built, "input_names", None) or [t._keras_history.operation.name for t in built.inputs]
    return list(zip(names, built.inputs, strict=True))


def _values(rng: np.random.Generator, spec: Any) -> np.ndarray:
    shape = (SAMPLES, *spec.shape[1:])
    if "int" in str(spec.dtype):
        return rng.integers(0, 11, shape).astype(np.int32)
    return rng.normal(0, 1, shape).astype(np.float32)


@model
def convolutional() -> Any:
    import keras
    from keras import layers as L

    return keras.Sequential(
        [
            L.Input((12, 12, 3), name="x"),
            L.Conv2D(6, 3, padding="same", activation="relu", name="first"),
            L.BatchNormalization(name="norm"),
            L.MaxPooling2D(name="pool"),
            L.DepthwiseConv2D(3, padding="same", activation="tanh", name="depthwise"),
            L.Conv2D(8, 3, padding="same", activation="silu", name="second"),
            L.GlobalAveragePooling2D(name="mean"),
            L.Dense(5, activation="softmax", name="scores"),
        ]
    )


@model
def residual() -> Any:
    import keras
    from keras import layers as L

    def block(x: Any, number: int) -> Any:
        y = L.Conv2D(6, 3, padding="same", use_bias=False, name=f"conv_{number}a")(x)
        y = L.ReLU(name=f"relu_{number}")(L.BatchNormalization(name=f"norm_{number}a")(y))
        y = L.BatchNormalization(name=f"norm_{number}b")(L.Conv2D(6, 3, padding="same", name=f"conv_{number}b")(y))
        return L.LeakyReLU(negative_slope=0.2, name=f"leaky_{number}")(L.Add(name=f"add_{number}")([x, y]))

    x = L.Input((10, 10, 2), name="x")
    y = L.Conv2D(6, 1, name="stem")(x)
    y = block(y, 1)
    y = L.SeparableConv2D(7, 3, strides=2, padding="same", name="separable")(y)
    return keras.Model(x, L.Dense(4, name="y")(L.GlobalMaxPooling2D(name="largest")(y)))


@model
def recurrent() -> Any:
    import keras
    from keras import layers as L

    x = L.Input((6, 4), name="x")
    y = L.LSTM(5, return_sequences=True, name="lstm")(x)
    y = L.Bidirectional(L.SimpleRNN(3, return_sequences=True), name="both_ways")(y)
    y = L.LayerNormalization(name="norm")(y)
    y = L.GRU(4, reset_after=False, name="gru")(y)
    return keras.Model(x, L.Dense(2, name="y")(y))


@model
def attention() -> Any:
    import keras
    from keras import layers as L

    ids = L.Input((7,), dtype="int32", name="ids")
    x = L.Embedding(11, 8, name="embedding")(ids)
    y = L.MultiHeadAttention(2, 4, name="attention")(x, x)
    x = L.LayerNormalization(epsilon=1e-5, name="norm_a")(L.Add(name="add_a")([x, y]))
    y = L.Dense(8, name="down")(L.Dense(12, activation="gelu", name="up")(x))
    x = L.LayerNormalization(epsilon=1e-5, name="norm_b")(L.Add(name="add_b")([x, y]))
    return keras.Model(ids, L.Dense(3, activation="softmax", name="scores")(L.GlobalAveragePooling1D(name="mean")(x)))


@model
def several_inputs_and_outputs() -> Any:
    import keras
    from keras import layers as L

    image, numbers = L.Input((8, 8, 2), name="image"), L.Input((5,), name="numbers")
    seen = L.Conv2D(4, 3, strides=2, padding="same", activation="elu", name="look")(image)
    seen = L.AveragePooling2D(2, name="soft")(seen)
    known = L.Dense(6, activation="sigmoid", name="know")(numbers)
    both = L.Concatenate(name="both")([L.Flatten(name="flat")(seen), known])
    trunk = L.Dense(8, activation="relu", name="trunk")(both)
    scores = L.Dense(3, activation="softmax", name="scores")(trunk)
    return keras.Model([image, numbers], [scores, L.Dense(1, activation="softplus", name="size")(trunk)])


@model
def decoder() -> Any:
    import keras
    from keras import layers as L

    x = L.Input((4, 4, 3), name="x")
    y = L.Conv2DTranspose(6, 3, strides=2, padding="same", activation="relu", name="grow")(x)
    y = L.UpSampling2D(name="double")(y)
    y = L.PReLU(shared_axes=[1, 2], name="prelu")(L.Conv2D(4, 3, padding="same", name="smooth")(y))
    return keras.Model(x, L.Conv2D(2, 1, activation="tanh", name="y")(y))


@model
def resized() -> Any:
    import keras
    from keras import layers as L

    x = L.Input((6, 6, 3), name="x")
    y = L.Conv2D(4, 3, padding="same", activation="relu", name="before")(x)
    y = L.UpSampling2D(interpolation="bilinear", name="larger")(y)
    y = L.Resizing(9, 9, name="odd")(y)
    return keras.Model(x, L.Conv2D(2, 3, name="y")(y))


@model
def sequence_convolution() -> Any:
    import keras
    from keras import layers as L

    x = L.Input((16, 3), name="x")
    y = L.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="relu", name="causal")(x)
    y = L.Conv1D(6, 3, strides=2, padding="same", name="strided")(L.MaxPooling1D(name="pool")(y))
    y = L.BatchNormalization(epsilon=1e-2, name="norm")(y)
    return keras.Model(x, L.Dense(3, name="y")(L.Flatten(name="flat")(L.ELU(name="elu")(y))))


@model
def nested() -> Any:
    import keras
    from keras import layers as L

    inner_in = L.Input((6,), name="inner_in")
    inner_out = L.Add(name="sum")([inner_in, L.Dense(6, activation="selu", name="inside")(inner_in)])
    inner = keras.Model(inner_in, inner_out, name="inner")
    tower = keras.Sequential(
        [L.Input((6,)), L.Dense(6, activation="tanh", name="one"), L.Dense(6, name="two")], name="tower"
    )
    x = L.Input((6,), name="x")
    return keras.Model(x, L.Dense(2, name="y")(L.Multiply(name="gate")([inner(x), tower(x)])))


@model
def keras_2() -> Any:
    import tf_keras
    from tf_keras import layers as L

    x = L.Input((10, 10, 3), name="x")
    y = L.Conv2D(5, 3, name="conv", use_bias=False)(x)
    y = L.ReLU(6.0, name="relu6")(L.BatchNormalization(name="norm")(y))
    y = L.Conv2D(5, 3, activation="swish", name="more")(y)
    return tf_keras.Model(x, L.Dense(3, activation="softmax", name="scores")(L.GlobalAveragePooling2D(name="mean")(y)))
