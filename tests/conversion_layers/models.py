"""Whole models, each with its inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Made = tuple[Any, ...]
MODELS: dict[str, Callable[[np.random.Generator], Made]] = {}


def model(make: Callable[[np.random.Generator], Made]) -> Callable[[np.random.Generator], Made]:
    MODELS[make.__name__] = make
    return make


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(0, 1, (3, *shape)).astype(np.float32)


def _ids(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(0, 7, (3, *shape)).astype(np.int32)


@model
def convolutional_network(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L

    net = keras.Sequential(
        [
            L.Input((12, 12, 3)),
            L.Conv2D(4, 3, padding="same", activation="relu"),
            L.BatchNormalization(),
            L.MaxPooling2D(),
            L.Conv2D(5, 3, activation="silu"),
            L.Flatten(),
            L.Dropout(0.3),
            L.Dense(6, activation="softmax"),
        ]
    )
    return net, [_normal(rng, 12, 12, 3)]


@model
def convolutional_network_quantized_to_float16(rng: np.random.Generator) -> Made:
    return *convolutional_network(rng), "float16"


@model
def residual_network_with_operators(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L
    from keras import ops

    x = L.Input((8, 8, 3))
    y = L.Conv2D(3, 3, padding="same", name="first conv")(x)
    z = ops.relu(x + y) * 2.0 - 1.0
    z = L.Add()([z, y, x])
    z = (1.0 - z) / 3.0
    z = ops.subtract(x2=y, x1=z) + y
    z = z - y
    z = ops.maximum(z, x) * ops.sigmoid(y)
    z = z + np.array([1.0, 2.0, 3.0], np.float32)
    z = ops.concatenate([z, -x], axis=-1)
    z = ops.leaky_relu(z, 0.1)
    pooled = ops.mean(z, axis=[1, 2])
    z = ops.transpose(z, (0, 3, 1, 2))
    z = ops.reshape(z, (-1, 6 * 64))
    return keras.Model(x, [pooled, L.Dense(4)(z), ops.square(z)]), [_normal(rng, 8, 8, 3)]


@model
def two_inputs_two_outputs(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L

    a, b = L.Input((5,), name="a"), L.Input((7, 2), name="b")
    h = L.Concatenate()([L.Dense(4, activation="tanh")(a), L.Flatten()(b)])
    return keras.Model([b, a], [L.Dense(3, name="scores")(h), L.Dense(1, name="size", activation="softplus")(h)]), [
        _normal(rng, 7, 2),
        _normal(rng, 5),
    ]


@model
def inputs_and_outputs_in_dicts(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L

    a, b = L.Input((5,), name="z"), L.Input((5,), name="a")
    h = L.Subtract()([a, b])
    net = keras.Model({"z": a, "a": b}, {"y": L.Dense(3)(h), "b": L.Dense(2)(h)})
    return net, [_normal(rng, 5), _normal(rng, 5)]


@model
def an_unused_input(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L

    a, b = L.Input((5,)), L.Input((4,))
    return keras.Model([a, b], L.Dense(3)(b)), [_normal(rng, 5), _normal(rng, 4)]


@model
def an_output_that_is_an_input_and_one_given_twice(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L

    a = L.Input((5,), name="given")
    y = L.Dense(3)(a)
    return keras.Model(a, [a, y, y]), [_normal(rng, 5)]


@model
def nested_models_with_equal_layer_names(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L

    def block(name: str) -> Any:
        x = L.Input((6,))
        return keras.Model(x, L.Add()([x, L.Dense(6, activation="relu", name="dense")(x)]), name=name)

    inner = keras.Sequential([L.Input((6,)), block("inner"), L.BatchNormalization(name="norm")], name="middle")
    return keras.Sequential([L.Input((6,)), block("outer"), inner, L.Dense(2, name="dense")]), [_normal(rng, 6)]


@model
def shared_layers_and_a_shared_model(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L

    a, b = L.Input((6,)), L.Input((6,))
    dense = L.Dense(6, activation="leaky_relu")
    tower = keras.Sequential([L.Input((6,)), L.Dense(6), L.BatchNormalization(), dense])
    left, right = tower(a), tower(b)
    return keras.Model([a, b], [L.Dot(1)([left, right]), dense(dense(tower(dense(left))))]), [
        _normal(rng, 6),
        _normal(rng, 6),
    ]


@model
def a_shared_layer_whose_later_call_is_possible_first(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L

    x = L.Input((4,))
    shared, other = L.Dense(4, name="shared"), L.Dense(4, name="other")
    late = shared(other(shared(L.Dense(4)(x))))
    early = other(x)
    return keras.Model(x, [L.Add()([late, early]), late, other(late), early]), [_normal(rng, 4)]


@model
def encoder_and_decoder_with_states(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L

    source, target = L.Input((5, 3)), L.Input((4, 2))
    _, h, c = L.LSTM(4, return_state=True)(source)
    decoded = L.LSTM(4, return_sequences=True)(target, initial_state=[h, c])
    gru = L.GRU(4, reset_after=False)(target, initial_state=h)
    both = L.Bidirectional(L.LSTM(4))(target, initial_state=[h, c, c, h])
    return keras.Model([source, target], [L.Dense(3)(decoded), gru, both]), [_normal(rng, 5, 3), _normal(rng, 4, 2)]


@model
def masked_text_classifier(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L

    net = keras.Sequential(
        [
            L.Input((6,), dtype="int32"),
            L.Embedding(7, 4, mask_zero=True),
            L.SpatialDropout1D(0.2),
            L.LSTM(5, return_sequences=True),
            L.LayerNormalization(),
            L.Bidirectional(L.LSTM(3)),
            L.Dense(2),
        ]
    )
    return net, [_ids(rng, 6)]


@model
def more_samples_than_tfjs_takes_in_one_batch(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L

    net = keras.Sequential(
        [
            L.Input((6,)),
            L.Embedding(7, 4, mask_zero=True),
            L.LSTM(5, return_sequences=True, dropout=0.2, recurrent_dropout=0.2),
            L.Bidirectional(L.GRU(3, reset_after=False, dropout=0.2)),
            L.Dense(2),
        ]
    )
    return net, [rng.integers(0, 7, (75, 6)).astype(np.float32)]


@model
def masked_sequence_tagger(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L

    x = L.Input((6,), dtype="int32")
    y = L.LSTM(5, return_sequences=True)(L.Embedding(7, 4, mask_zero=True)(x))
    return keras.Model(x, L.TimeDistributed(L.Dense(3, activation="softmax"))(y)), [_ids(rng, 6)]


@model
def masked_steps(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L

    x = _normal(rng, 6, 2)
    x[0, 4:] = -1.0
    x[1, :2] = -1.0
    net = keras.Sequential(
        [
            L.Input((6, 2)),
            L.Masking(mask_value=-1.0),
            L.SimpleRNN(4, return_sequences=True),
            L.GRU(3, reset_after=False),
        ]
    )
    return net, [x]


@model
def video_with_a_model_for_each_frame(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L

    frame = keras.Sequential(
        [L.Input((8, 8, 2)), L.Conv2D(3, 3, activation="relu"), L.MaxPooling2D(), L.Flatten(), L.Dense(4)]
    )
    return keras.Sequential([L.Input((3, 8, 8, 2)), L.TimeDistributed(frame), L.LSTM(3)]), [_normal(rng, 3, 8, 8, 2)]


@model
def an_image_of_any_size(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L

    net = keras.Sequential(
        [
            L.Input((None, None, 3)),
            L.Rescaling(1 / 2),
            L.ZeroPadding2D(1),
            L.Conv2D(4, 3, strides=2, activation="relu"),
            L.UpSampling2D(),
            L.BatchNormalization(),
            L.GlobalAveragePooling2D(),
            L.Dense(2),
        ]
    )
    return net, [_normal(rng, 9, 7, 3)]


@model
def names_that_tfjs_does_not_take(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L

    x = L.Input((3,), name="_pixel values")
    return keras.Model(x, L.Dense(2, name="größe (cm)")(L.Dense(2, name="my_layer__1")(x))), [_normal(rng, 3)]


@model
def a_fixed_batch_size(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L

    x = L.Input(batch_shape=(3, 4, 4, 1))
    return keras.Model(x, L.Dense(2)(L.Flatten()(x))), [_normal(rng, 4, 4, 1)]


@model
def mobilenet_v2(rng: np.random.Generator) -> Made:
    import keras

    net = keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None, classes=10)
    return net, [rng.uniform(-1, 1, (3, 96, 96, 3)).astype(np.float32)]


@model
def blocks_of_keras_applications(rng: np.random.Generator) -> Made:
    import keras
    from keras import layers as L
    from keras.src.applications.convnext import LayerScale, StochasticDepth
    from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

    x = L.Input((5, 5, 4))
    y = LayerScale(0.1, 4)(L.Conv2D(4, 3, padding="same", groups=4)(L.LayerNormalization(epsilon=1e-6)(x)))
    z = L.Add()([x, StochasticDepth(0.3)(y)])
    return keras.Model(x, CustomScaleLayer(0.17)([z, y])), [_normal(rng, 5, 5, 4)]


@model
def keras_2_convolutional_network(rng: np.random.Generator) -> Made:
    import tf_keras
    from tf_keras import layers as L

    net = tf_keras.Sequential(
        [
            L.Conv2D(4, 3, padding="same", activation="relu", input_shape=(12, 12, 3)),
            L.BatchNormalization(),
            L.MaxPooling2D(),
            L.Conv2D(5, 3, activation="swish"),
            L.Flatten(),
            L.Dense(6, activation="softmax"),
        ]
    )
    return net, [_normal(rng, 12, 12, 3)]


@model
def keras_2_functional_network(rng: np.random.Generator) -> Made:
    import tensorflow as tf
    import tf_keras
    from tf_keras import layers as L

    x = L.Input((8, 8, 3))
    inner = tf_keras.Sequential([L.Conv2D(3, 3, padding="same"), L.LeakyReLU()])
    y = inner(x)
    z = tf.nn.relu(x + y) * 2.0 - 1.0
    z = L.Add()([z, y, x]) - inner(z)
    z = tf.concat([z, -x], axis=-1)
    net = tf_keras.Model(x, [L.GlobalAveragePooling2D()(z), L.Dense(2)(L.Flatten()(z / 2.0))])
    return net, [_normal(rng, 8, 8, 3)]


@model
def keras_2_masked_text_classifier(rng: np.random.Generator) -> Made:
    import tf_keras
    from tf_keras import layers as L

    net = tf_keras.Sequential(
        [
            L.Embedding(7, 4, mask_zero=True, input_length=6),
            L.LSTM(5, return_sequences=True),
            L.TimeDistributed(L.Dense(4)),
            L.Bidirectional(L.LSTM(3)),
            L.Dense(2),
        ]
    )
    return net, [_ids(rng, 6).astype(np.float32)]


@model
def keras_2_encoder_and_decoder(rng: np.random.Generator) -> Made:
    import tf_keras
    from tf_keras import layers as L

    source, target = L.Input((5, 3)), L.Input((4, 2))
    _, h, c = L.LSTM(4, return_state=True)(source)
    decoded = L.LSTM(4, return_sequences=True)(target, initial_state=[h, c])
    return tf_keras.Model([source, target], L.Dense(3)(decoded)), [_normal(rng, 5, 3), _normal(rng, 4, 2)]
