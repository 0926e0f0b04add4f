"""Whole models, by what they try: each is built, converted, and run in TF.js beside TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers as L

ACTIVATIONS = [
    *("celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh"),
    *("leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu"),
    *("soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus"),
    *("tanh", "tanh_shrink"),
]


def chain(shape: tuple[int | None, ...], *layers: Any, dtype: str = "float32") -> Any:
    x = first = keras.Input(shape, dtype=dtype, name="x")
    for layer in layers:
        x = layer(x)
    return keras.Model(first, x)


class Apply(L.Layer):
    """A layer that is one function."""

    def __init__(self, function: Callable[[Any], Any], **options: Any) -> None:
        super().__init__(**options)
        self.function = function

    def call(self, x: Any) -> Any:
        return self.function(x)


def two_inputs_two_outputs() -> Any:
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    total = L.Dense(3, name="total")(left + right)
    product = L.Dense(2, activation="softmax", name="product")(L.Multiply()([left, right]))
    return keras.Model([right, left], [product, total])


def activations() -> Any:
    x = keras.Input((16,), name="x")
    return keras.Model(x, [L.Activation(name, name=f"the_{name}")(x) for name in ACTIVATIONS])


def self_attention() -> Any:
    x = keras.Input((6, 8), name="x")
    return keras.Model(x, L.LayerNormalization()(x + L.MultiHeadAttention(2, 4, name="attention")(x, x)))


def transformer() -> Any:
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = L.Embedding(20, 8)(tokens)
    x = L.LayerNormalization()(x + L.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True))
    x = L.LayerNormalization()(x + L.Dense(8)(L.Dense(16, activation="gelu")(x)))
    return keras.Model(tokens, L.Dense(3)(L.GlobalAveragePooling1D()(x)))


def other_attentions() -> Any:
    a, b = keras.Input((5, 4), name="a"), keras.Input((6, 4), name="b")
    layers = [L.Dot(2), L.Attention(), L.AdditiveAttention()]
    return keras.Model([a, b], [*(layer([a, b]) for layer in layers), L.GroupQueryAttention(4, 4, 2)(a, b)])


def nested() -> Any:
    inner = keras.Sequential([keras.Input((5,)), L.Dense(4, activation="relu"), L.Dense(3)], name="inner")
    x = keras.Input((5,), name="x")
    return keras.Model(x, L.Dense(2, name="outer")(inner(x)))


def read_before_batch_norm() -> Any:
    """A convolution that its batch norm is not alone to read, so that it cannot take the norm in."""
    x = keras.Input((8, 8, 3), name="x")
    convolved = L.Conv2D(4, 3, use_bias=False, name="convolved")(x)
    return keras.Model(x, [L.BatchNormalization(name="normalized")(convolved), convolved])


def shared_layers() -> Any:
    """A convolution and a batch norm that are called twice."""
    convolution, norm = L.Conv2D(4, 3), L.BatchNormalization()
    a, b = keras.Input((8, 8, 3), name="a"), keras.Input((8, 8, 3), name="b")
    return keras.Model([a, b], [norm(convolution(a)), L.ReLU()(norm(convolution(b)))])


def residual_product() -> Any:
    """A sum behind a product that is no bias."""
    x = keras.Input((4,), name="x")
    return keras.Model(x, [L.Dense(4, use_bias=False)(x) + x, L.ReLU()(L.Dense(4)(x) + x)])


def inverted_residuals() -> Any:
    """What MobileNetV2 repeats: a product by 1x1, by depth, by 1x1 without an activation, and the input added to it."""
    x = image = keras.Input((16, 16, 3), name="image")
    for strides in (2, 1):
        y = L.ReLU(6.0)(L.BatchNormalization()(L.Conv2D(18, 1, padding="same", use_bias=False)(x)))
        if strides == 2:
            y = L.ZeroPadding2D(((0, 1), (0, 1)))(y)
        by_depth = L.DepthwiseConv2D(3, strides=strides, padding="same" if strides == 1 else "valid", use_bias=False)
        y = L.ReLU(6.0)(L.BatchNormalization()(by_depth(y)))
        y = L.BatchNormalization()(L.Conv2D(6, 1, padding="same", use_bias=False)(y))
        x = L.Add()([x, y]) if strides == 1 else y
    return keras.Model(image, L.Dense(4, activation="softmax")(L.GlobalAveragePooling2D()(x)))


def mobilenet() -> Any:
    return keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None)


def constants_around() -> Any:
    """Contractions with constants of the channels before and behind a minus, and a factor."""
    constants = np.array([0.5, -1.0, 2.0, 3.0], np.float32)
    x = keras.Input((6, 6, 3))
    y = keras.ops.subtract(constants, L.Conv2D(4, 2)(x)) * constants
    y = keras.ops.subtract(L.Dense(4)(y), constants)
    return keras.Model(x, keras.ops.subtract(constants, L.Dense(4, use_bias=False)(y)))


def keras_2() -> Any:
    """A Keras 2 model with what the fusions look for: batch norms behind convolutions, PReLU, recurrence."""
    import tf_keras

    K = tf_keras.layers
    x = first = tf_keras.Input((10, 10, 3), name="image")
    x = K.ReLU()(K.BatchNormalization()(K.Conv2D(4, 3, use_bias=False)(x)))
    x = K.BatchNormalization()(K.DepthwiseConv2D(3)(x))
    x = K.PReLU(shared_axes=[1, 2], alpha_initializer="he_normal")(x)
    x = K.LSTM(4, return_sequences=True)(K.Reshape((36, -1))(x))
    x = K.Bidirectional(K.GRU(3))(x)
    return tf_keras.Model(first, K.Dense(4, activation="gelu", name="last")(x))


MODELS: dict[str, Callable[[], Any]] = {
    "activations": activations,
    "attentions besides MultiHeadAttention": other_attentions,
    "augmentation and dropout, gone in inference": lambda: chain(
        (8, 8, 3), L.RandomFlip(), L.RandomRotation(0.1), L.RandomZoom(0.1), L.Dropout(0.5)
    ),
    "batch norms behind convolutions": lambda: chain(
        (8, 8, 3),
        L.Conv2D(4, 3),
        L.BatchNormalization(),
        L.ReLU(),
        L.DepthwiseConv2D(3, use_bias=False),
        L.BatchNormalization(),
        L.ReLU(6.0),
    ),
    "bidirectional and simple recurrence": lambda: chain(
        (7, 3), L.Bidirectional(L.LSTM(4, return_sequences=True)), L.SimpleRNN(3)
    ),
    "categories": lambda: chain((4,), L.CategoryEncoding(5, output_mode="multi_hot"), dtype="int32"),
    "causal and transposed convolutions in 1d": lambda: chain(
        (12, 3),
        L.Conv1D(4, 3, padding="causal", dilation_rate=2),
        L.Conv1DTranspose(3, 3, strides=2),
        L.MaxPooling1D(),
        L.SeparableConv1D(4, 3),
        L.AveragePooling1D(2),
    ),
    "cnn": lambda: chain(
        (12, 12, 3),
        L.Conv2D(8, 3, activation="relu"),
        L.MaxPooling2D(),
        L.Conv2D(8, 3, padding="same", strides=2),
        L.AveragePooling2D(2),
        L.Flatten(),
        L.Dense(5, activation="softmax", name="scores"),
    ),
    "constants around contractions": constants_around,
    "convolutions in 3d": lambda: chain((6, 6, 6, 2), L.Conv3D(3, 3), L.MaxPooling3D(2), L.GlobalAveragePooling3D()),
    "convolutional recurrence": lambda: chain((3, 6, 6, 2), L.ConvLSTM2D(2, 3)),
    "depthwise and separable convolutions": lambda: chain(
        (9, 9, 4),
        L.DepthwiseConv2D(3, depth_multiplier=2, activation="relu6"),
        L.SeparableConv2D(6, 3, padding="same", activation="elu"),
    ),
    "dilated convolutions": lambda: chain(
        (10, 10, 3),
        L.Conv2D(4, 3, dilation_rate=2),
        L.DepthwiseConv2D(3, dilation_rate=2),
        L.Conv2D(3, 3, dilation_rate=2, padding="same"),
    ),
    "discretization": lambda: chain((4,), L.Discretization([-1.0, 0.0, 1.0])),
    "dynamic height and width": lambda: chain(
        (None, None, 3), L.Conv2D(4, 3, padding="same"), L.GlobalAveragePooling2D()
    ),
    "dynamic time": lambda: chain((None, 3), L.LSTM(4, return_sequences=True)),
    "einsum layers": lambda: chain(
        (6, 8),
        L.EinsumDense("abc,cd->abd", output_shape=(None, 5), bias_axes="d"),
        L.EinsumDense("abc,cde->abde", output_shape=(None, 2, 3)),
    ),
    "embedding with a mask": lambda: chain((7,), L.Embedding(10, 4, mask_zero=True), L.GRU(4), dtype="int32"),
    "group norm": lambda: chain((6, 6, 8), L.GroupNormalization(4)),
    "grouped convolution": lambda: chain((8, 8, 4), L.Conv2D(6, 3, groups=2)),
    "gru, reset after": lambda: chain((7, 3), L.GRU(5, reset_after=True)),
    "gru, reset before": lambda: chain((7, 3), L.GRU(5, reset_after=False)),
    "keras 2": keras_2,
    "layer norms": lambda: chain((6, 8), L.LayerNormalization(), L.RMSNormalization(), L.UnitNormalization()),
    "lstm": lambda: chain((7, 3), L.LSTM(5)),
    "lstm backwards, then unrolled": lambda: chain(
        (7, 3), L.LSTM(5, return_sequences=True, go_backwards=True), L.LSTM(4, unroll=True)
    ),
    "masking, unrolled": lambda: chain((7, 3), L.Masking(), L.LSTM(4, unroll=True)),
    "masking": lambda: chain((7, 3), L.Masking(), L.LSTM(4)),
    "mobilenet, two of its blocks": inverted_residuals,
    "nested models": nested,
    "normalization": lambda: chain((4,), L.Normalization(mean=[1.0, 2, 3, 4], variance=[1.0, 0.5, 2, 3])),
    "padding, cropping, permuting": lambda: chain(
        (8, 8, 3),
        L.ZeroPadding2D(1),
        L.Cropping2D(2),
        L.Permute((2, 1, 3)),
        L.Reshape((-1, 3)),
        L.GlobalMaxPooling1D(),
        L.RepeatVector(3),
    ),
    "prelu": lambda: chain(
        (8, 8, 3),
        L.Conv2D(4, 3),
        L.PReLU(shared_axes=[1, 2], alpha_initializer="he_normal"),
        L.DepthwiseConv2D(3),
        L.PReLU(alpha_initializer="he_normal"),
        L.LeakyReLU(),
    ),
    "product that somebody else reads": read_before_batch_norm,
    "product with a sum that is no bias": residual_product,
    "resizing, with a branch that computes nothing": lambda: chain(
        (9, 7, 3), L.Resizing(5, 6, pad_to_aspect_ratio=True)
    ),
    "resizing": lambda: chain(
        (9, 7, 3), L.Resizing(5, 6), L.Resizing(8, 8, interpolation="nearest"), L.CenterCrop(4, 4), L.Rescaling(0.5, 1)
    ),
    "self attention": self_attention,
    "shared layers": shared_layers,
    "time distributed": lambda: chain((5, 4), L.TimeDistributed(L.Dense(3, activation="relu"))),
    "transformer with a causal mask": transformer,
    "transposed convolution": lambda: chain((6, 6, 3), L.Conv2DTranspose(4, 3, strides=2, padding="same")),
    "two inputs, two outputs": two_inputs_two_outputs,
    "upsampling": lambda: chain((4, 5, 3), L.UpSampling2D(2), L.UpSampling2D(2, interpolation="bilinear")),
}


def randomize(model: Any) -> Any:
    """Weights that no initializer would give, so that one left out or taken twice shows."""
    rng = np.random.default_rng(0)
    for variable in model.weights:
        value = variable.numpy()
        if value.dtype.kind != "f":
            continue
        if "variance" in getattr(variable, "path", variable.name):
            variable.assign(rng.uniform(0.5, 2, value.shape))
        elif value.ndim <= 1:
            variable.assign(value + rng.normal(0, 0.2, value.shape))
    return model


class ControlFlow(tf.Module):
    """Loops and branches within one another, weights read inside, constants and inputs handed out as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(np.random.default_rng(0).normal(0, 0.5, (4, 4)).astype(np.float32))

    @tf.function(
        input_signature=[tf.TensorSpec([None, 4], tf.float32, "x"), tf.TensorSpec([None], tf.int32, "n")],
        autograph=False,
    )
    def serve(self, x: Any, n: Any) -> dict[str, Any]:
        def step(index: Any, y: Any) -> Any:
            y = tf.cond(
                tf.reduce_sum(y) > 0,
                lambda: tf.tanh(y @ self.kernel) + tf.range(4.0),
                lambda: y * 0.5 - tf.math.softplus(y),
            )
            return index + 1, y

        index, y = tf.while_loop(lambda index, _: index < tf.reduce_max(n), step, [0, x])
        branch = tf.cond(tf.reduce_mean(y) > 0, lambda: tf.nn.gelu(y), lambda: tf.ones([3, 4]))
        return {
            "branch": branch,
            "constant": tf.ones([1, 2]),
            "same": x,
            "steps": tf.fill([tf.shape(x)[0]], index),
            "y": y,
        }
