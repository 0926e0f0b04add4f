"""Makes the sample models and their inputs: small, seeded, trained just enough that their answers are not noise.

``python models/make_models.py`` writes all samples beside this file; ``--mobilenet PATH`` writes a MobileNetV2
with random weights instead, too large to keep in the repository. What each sample shows is in README.md.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # one order of summation, whatever the processor
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
import tensorflow as tf
import tf_keras

FOLDER = Path(__file__).parent
SAMPLE_COUNT = 48
TRAINING_COUNT = 512

Array = np.ndarray[Any, np.dtype[Any]]


def seeded(seed: int) -> np.random.Generator:
    """Seed Python, NumPy and TensorFlow, count layer names from the start, and return a generator for the data."""
    keras.utils.clear_session()
    tf_keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    return np.random.default_rng(seed)


def train(model: Any, inputs: Any, targets: Any, loss: Any, epochs: int = 12) -> None:
    """Fit for a moment; the model keeps its optimizer, as users' files do."""
    package = tf_keras if isinstance(model, tf_keras.Model) else keras
    model.compile(optimizer=package.optimizers.Adam(0.01), loss=loss)
    model.fit(inputs, targets, batch_size=64, epochs=epochs, verbose=0, shuffle=False)


def images(rng: np.random.Generator, count: int, classes: int, side: int, channels: int) -> tuple[Array, Array]:
    """Noisy, shifted copies of one random smooth pattern a class: float32 of about -2 to 2, and the labels."""
    coarse = np.random.default_rng(7).normal(size=(classes, side // 4, side // 4, channels))
    patterns = coarse.repeat(4, axis=1).repeat(4, axis=2)
    labels = rng.integers(0, classes, count)
    shifted = [np.roll(patterns[k], rng.integers(-1, 2, 2), axis=(0, 1)) for k in labels]
    noisy = np.stack(shifted) + 0.4 * rng.normal(size=(count, side, side, channels))
    return noisy.astype(np.float32), labels


def cnn() -> tuple[keras.Model, Array]:
    """The plain case: an image classifier of layers that tfjs-layers has."""
    rng = seeded(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1), name="image"),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.SeparableConv2D(16, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.Conv2D(16, 3, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.1),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.1),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="cnn",
    )
    train(model, *images(rng, TRAINING_COUNT, 10, 16, 1), "sparse_categorical_crossentropy")
    return model, images(rng, SAMPLE_COUNT, 10, 16, 1)[0]


def keras2() -> tuple[tf_keras.Model, Array]:
    """A file as Keras 2 wrote it: a residual block of the MobileNet kind and a saturating head."""
    rng = seeded(2)
    tf_keras.utils.set_random_seed(2)
    layers = tf_keras.layers
    image = layers.Input((16, 16, 3), name="image")
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(image)
    x = layers.Conv2D(8, 3, strides=2, use_bias=False)(x)
    x = shortcut = layers.ReLU(max_value=6.0)(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.LeakyReLU(alpha=0.2)(layers.BatchNormalization()(x))
    x = layers.Conv2D(8, 1)(x)
    x = layers.Add()([shortcut, x])
    x = layers.Flatten()(layers.AveragePooling2D(2)(x))
    x = layers.Dense(16, activation="hard_sigmoid")(x)
    model = tf_keras.Model(image, layers.Dense(5, activation="softmax", name="kind")(x), name="keras2")
    train(model, *images(rng, TRAINING_COUNT, 5, 16, 3), "sparse_categorical_crossentropy")
    return model, images(rng, SAMPLE_COUNT, 5, 16, 3)[0]


def two_io() -> tuple[keras.Model, dict[str, Array]]:
    """Two inputs, one of them integer, and two outputs, all with names of their own."""
    rng = seeded(3)
    layers = keras.layers
    tokens = keras.Input((12,), dtype="int32", name="tokens")
    profile = keras.Input((6,), name="profile")
    text = layers.GlobalAveragePooling1D()(layers.Embedding(50, 8)(tokens))
    x = layers.Concatenate()([text, layers.Dense(8, activation="tanh")(profile)])
    x = layers.Dense(16, activation="elu")(x)
    score = layers.Dense(1, activation="sigmoid", name="score")(x)
    category = layers.Dense(5, activation="softmax", name="category")(x)
    model = keras.Model([tokens, profile], {"score": score, "category": category}, name="two_io")

    def data(count: int) -> dict[str, Array]:
        return {
            "tokens": rng.integers(0, 50, (count, 12)).astype(np.int32),
            "profile": rng.normal(size=(count, 6)).astype(np.float32),
        }

    inputs = data(TRAINING_COUNT)
    targets = {
        "score": (inputs["profile"][:, :1] + inputs["profile"][:, 1:2] > 0).astype(np.float32),
        "category": np.digitize(inputs["tokens"].mean(axis=1), [21.0, 23.5, 25.5, 28.0]),
    }
    train(model, inputs, targets, {"score": "binary_crossentropy", "category": "sparse_categorical_crossentropy"})
    return model, data(SAMPLE_COUNT)


def waves(rng: np.random.Generator, count: int, steps: int, channels: int) -> tuple[Array, Array]:
    """Sines of random speed with noise, shape (count, steps, channels), and the speed of each."""
    speed = rng.uniform(0.2, 1.2, (count, 1, 1))
    phase = rng.uniform(0, 2 * np.pi, (count, 1, channels))
    signal = np.sin(speed * np.arange(steps)[:, None] + phase) + 0.1 * rng.normal(size=(count, steps, channels))
    return signal.astype(np.float32), speed[:, 0, 0].astype(np.float32)


def recurrent() -> tuple[keras.Model, Array]:
    """LSTM and GRU with Keras's defaults, whose GRU (reset_after) tfjs-layers lacks: loops in a graph."""
    rng = seeded(4)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((24, 4), name="signal"),
            layers.LSTM(16, return_sequences=True),
            layers.GRU(16),
            layers.Dense(2, name="speed"),
        ],
        name="recurrent",
    )
    signal, speed = waves(rng, TRAINING_COUNT, 24, 4)
    train(model, signal, np.stack([speed, 1 - speed], axis=1), "mse")
    return model, waves(rng, SAMPLE_COUNT, 24, 4)[0]


def attention() -> tuple[keras.Model, Array]:
    """One transformer block with an exact gelu, whose Erfc TF.js lacks: graph format after a rewrite."""
    rng = seeded(5)
    layers = keras.layers
    frames = keras.Input((16, 12), name="frames")
    x = layers.Dense(24)(frames)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(num_heads=2, key_dim=8)(x, x))
    x = layers.LayerNormalization()(x + layers.Dense(24)(layers.Dense(48, activation="gelu")(x)))
    x = layers.GlobalAveragePooling1D()(x)
    model = keras.Model(frames, layers.Dense(6, activation="softmax", name="pace")(x), name="attention")
    signal, speed = waves(rng, TRAINING_COUNT, 16, 12)
    train(model, signal, ((speed - 0.2) * 6).astype(int).clip(0, 5), "sparse_categorical_crossentropy")
    return model, waves(rng, SAMPLE_COUNT, 16, 12)[0]


def counts(rng: np.random.Generator, count: int) -> tuple[Array, Array]:
    """Twelve-bit converter counts of four loudness classes, shape (count, 128, 1), and the classes."""
    loudness = rng.integers(0, 4, count)
    amplitude = np.array([120.0, 500.0, 1200.0, 2000.0])[loudness][:, None]
    wave = amplitude * np.sin(0.3 * np.arange(128) + rng.uniform(0, 2 * np.pi, (count, 1)))
    noisy = np.clip(np.round(wave + 20 * rng.normal(size=wave.shape)), -2048, 2047)
    return noisy[..., None].astype(np.float32), loudness


def half_overflow() -> tuple[keras.Model, Array]:
    """Signal power of raw counts: up to 4.2e6 inside, harmless in float32, beyond the 65504 of half floats."""
    rng = seeded(6)
    layers = keras.layers
    signal = keras.Input((128, 1), name="counts")
    power = layers.Multiply(name="power")([signal, signal])
    x = layers.AveragePooling1D(16)(power)
    x = layers.Flatten()(layers.Rescaling(1e-6, name="to_unit")(x))
    x = layers.Dense(16, activation="relu")(x)
    model = keras.Model(signal, layers.Dense(4, activation="softmax", name="loudness")(x), name="half_overflow")
    train(model, *counts(rng, TRAINING_COUNT), "sparse_categorical_crossentropy", epochs=30)
    return model, counts(rng, SAMPLE_COUNT)[0]


def readings(rng: np.random.Generator, count: int, glitches: int) -> tuple[Array, Array]:
    """Four sensors over 32 steps, shape (count, 32, 4), and which of three levels they show.

    In the first `glitches` samples one reading is a sensor's full scale, 1000.
    """
    level = rng.integers(0, 3, count)
    values = (level - 1.0)[:, None, None] + 0.5 * rng.normal(size=(count, 32, 4))
    values[np.arange(glitches), rng.integers(0, 32, glitches), rng.integers(0, 4, glitches)] = 1000.0
    return values.astype(np.float32), level


def webgl_nan() -> tuple[keras.Model, Array]:
    """An exponential that a glitch overflows, and a relu that makes 0 of it in Python and NaN on WebGL."""
    rng = seeded(7)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((32, 4), name="readings"),
            layers.Dense(8, activation="exponential", name="load"),
            layers.Rescaling(-1.0, offset=1.0, name="headroom"),
            layers.ReLU(name="no_less_than_none"),
            layers.Conv1D(8, 5, activation="tanh"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(3, activation="softmax", name="level"),
        ],
        name="webgl_nan",
    )
    train(model, *readings(rng, TRAINING_COUNT, glitches=0), "sparse_categorical_crossentropy", epochs=30)
    return model, readings(rng, SAMPLE_COUNT, glitches=SAMPLE_COUNT // 3)[0]


#: Every sample by the stem of its files: how it is made, and the suffixes it is saved under.
SAMPLES: Mapping[str, tuple[Callable[[], tuple[Any, Any]], tuple[str, ...]]] = {
    "cnn": (cnn, (".keras", ".h5")),
    "keras2": (keras2, (".h5",)),
    "two_io": (two_io, (".keras",)),
    "recurrent": (recurrent, (".keras",)),
    "attention": (attention, (".keras",)),
    "half_overflow": (half_overflow, (".keras",)),
    "webgl_nan": (webgl_nan, (".keras",)),
}


def mobilenet_v2(seed: int = 8) -> keras.Model:
    """MobileNetV2 (224x224x3, 1000 classes) with random weights that behave like trained ones.

    As Keras initializes it, every batch normalization has mean 0 and variance 1, activations vanish with
    depth and the softmax is uniform. Here the statistics are those of a batch of images and the logits have
    a standard deviation of about 3.
    """
    seeded(seed)
    rng = np.random.default_rng(seed)
    model = keras.applications.MobileNetV2(weights=None, classifier_activation=None)
    normalizations = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momentum = normalizations[0].momentum
    for layer in normalizations:
        layer.gamma.assign(rng.uniform(0.7, 1.3, layer.gamma.shape))
        layer.beta.assign(rng.normal(0.0, 0.3, layer.beta.shape))
        layer.momentum = 0.0  # so that one training step sets the moving statistics to the batch's own
    logits = model(photographs(seed, 8), training=True)
    for layer in normalizations:
        layer.momentum = momentum
    head = model.layers[-1]
    head.kernel.assign(head.kernel * (3.0 / float(keras.ops.std(logits))))
    head.activation = keras.activations.softmax
    return model


def photographs(seed: int, count: int) -> Array:
    """Smooth random images, float32 of shape (count, 224, 224, 3) in -1 to 1."""
    coarse = np.random.default_rng(seed).uniform(-1, 1, (count, 28, 28, 3)).astype(np.float32)
    return np.asarray(tf.image.resize(coarse, (224, 224), method="bilinear"), np.float32)


def save_inputs(stem: Path, inputs: Array | Mapping[str, Array]) -> None:
    """Write ``<stem>_inputs.npz`` for named inputs, ``<stem>_inputs.npy`` for one."""
    if isinstance(inputs, Mapping):
        np.savez_compressed(stem.with_name(f"{stem.name}_inputs.npz"), **inputs)
    else:
        np.save(stem.with_name(f"{stem.name}_inputs.npy"), inputs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the samples go (default: beside this file)")
    parser.add_argument("--only", choices=SAMPLES, help="make this sample alone")
    parser.add_argument("--mobilenet", type=Path, metavar="PATH", help="write a MobileNetV2 (.keras or .h5) and inputs")
    options = parser.parse_args()
    if options.mobilenet:
        mobilenet_v2().save(options.mobilenet)
        save_inputs(options.mobilenet.with_suffix(""), photographs(9, 16))
        return
    tf.config.experimental.enable_op_determinism()
    for stem in [options.only] if options.only else SAMPLES:
        make, suffixes = SAMPLES[stem]
        model, inputs = make()
        for suffix in suffixes:
            model.save(options.folder / f"{stem}{suffix}")
        save_inputs(options.folder / stem, inputs)
        print(f"{stem}: {model.count_params()} parameters")


if __name__ == "__main__":
    main()
