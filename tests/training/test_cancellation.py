"""A bias whose gradient is 0 by algebra is no vanishing gradient; a gradient that vanishes is still found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from .lab import Lab, Trained, seeded

pytestmark = pytest.mark.real

IMAGE, VECTOR, SEQUENCE = (12, 12, 2), (6,), (7, 5)


def chain(shape: tuple[int, ...], *make: Callable[[Any], Any]) -> Any:
    """A classifier of three classes with these layers in front."""
    import keras

    keras.utils.set_random_seed(1)
    inputs = keras.Input(shape)
    value = inputs
    for layer in make:
        value = layer(keras.layers)(value)
    flat = keras.layers.Flatten()(value)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="last")(flat))


def shared_by_classes() -> Any:
    """One bias that every class of the softmax gets."""
    import keras

    inputs = keras.Input((3, 5))
    score = keras.layers.Flatten()(keras.layers.Dense(1, name="shared")(inputs))
    return keras.Model(inputs, keras.layers.Softmax()(score))


def called_twice() -> Any:
    """A bias whose gradient is the sum of those of two calls."""
    import keras

    inputs, layer = keras.Input(VECTOR), keras.layers.Dense(4, name="shared")
    calls = [layer(inputs), layer(keras.layers.Activation("tanh")(inputs))]
    both = keras.layers.Concatenate()([keras.layers.BatchNormalization()(call) for call in calls])
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(both))


def keras2() -> Any:
    import tf_keras

    k = tf_keras.layers
    return tf_keras.Sequential(
        [k.Input(IMAGE), k.Conv2D(4, 3, name="one"), k.BatchNormalization(), k.Flatten(), k.Dense(3, "softmax")]
    )


CANCELLED: dict[str, tuple[Callable[[], Any], set[str]]] = {
    "convolution": (
        lambda: chain(IMAGE, lambda k: k.Conv2D(4, 3, name="one"), lambda k: k.BatchNormalization()), {"one/bias"},
    ),
    "pooled and reshaped": (
        lambda: chain(
            IMAGE, lambda k: k.Conv2D(4, 3, name="one"), lambda k: k.MaxPooling2D(), lambda k: k.Reshape((25, 4)),
            lambda k: k.BatchNormalization(scale=False),
        ), {"one/bias"},
    ),
    "two convolutions": (
        lambda: chain(
            IMAGE, lambda k: k.Conv2D(4, 3, name="one"), lambda k: k.Conv2D(3, 3, name="two"),
            lambda k: k.BatchNormalization(),
        ), {"one/bias", "two/bias"},
    ),
    "depthwise": (
        lambda: chain(IMAGE, lambda k: k.DepthwiseConv2D(3, name="one"), lambda k: k.BatchNormalization()),
        {"one/bias"},
    ),
    "each channel by itself": (
        lambda: chain(IMAGE, lambda k: k.Conv2D(4, 3, name="one"), lambda k: k.GroupNormalization(groups=-1)),
        {"one/bias"},
    ),
    "dense, a shift before another": (
        lambda: chain(
            VECTOR, lambda k: k.Dense(8, name="one"), lambda k: k.BatchNormalization(), lambda k: k.ReLU(),
            lambda k: k.Dense(6, name="two"), lambda k: k.BatchNormalization(),
        ), {"one/bias", "two/bias"},
    ),
    "shared by the classes": (shared_by_classes, {"shared/bias"}),
    "called twice": (called_twice, {"shared/bias"}),
    "Keras 2": (keras2, {"one/bias"}),
}  # fmt: skip

VANISHING: dict[str, tuple[Callable[[], Any], set[str]]] = {
    "nine sigmoids": (
        lambda: chain(VECTOR, *[lambda k: k.Dense(4, "sigmoid", kernel_initializer="random_normal", name="one")]
                      + [lambda k: k.Dense(4, "sigmoid", kernel_initializer="random_normal")] * 8),
        {"one/kernel", "one/bias"},
    ),
    "a dead relu": (
        lambda: chain(VECTOR, lambda k: k.Dense(8, "relu", bias_initializer=minus(100.0), name="one")),
        {"one/kernel", "one/bias"},
    ),
    "saturated before a normalization": (
        lambda: chain(
            VECTOR, lambda k: k.Dense(8, name="one"), lambda k: k.Dense(4, "sigmoid", bias_initializer=minus(30.0)),
            lambda k: k.Dense(5), lambda k: k.BatchNormalization(),
        ), {"one/kernel", "one/bias"},
    ),
}  # fmt: skip


def minus(value: float) -> Any:
    import keras

    return keras.initializers.Constant(-value)


@pytest.fixture(scope="module")
def python() -> Iterator[Lab]:
    """Python alone: what has no gradient by algebra has none in any browser."""
    with Lab() as opened:
        yield opened


def trained(lab: Lab, model: Any, samples: int = 64) -> Trained:
    numbers = seeded(3)
    x = numbers.uniform(0.0, 1.0, (samples, *model.input_shape[1:])).astype(np.float32)
    y = np.eye(3, dtype=np.float32)[numbers.integers(0, 3, samples)]
    return lab.train(model, x, y, optimizer="sgd:0.01", loss="categorical_crossentropy", steps=1, batch_size=samples)


def vanished(trained: Trained) -> set[str]:
    found = [f for f in trained.report.findings if f.code == "vanishing-gradient"]
    return {name for finding in found for name in finding.evidence["variables"]}


def noted(trained: Trained) -> set[str]:
    assert trained.report.training is not None
    return {note.split()[0] for note in trained.report.training.notes if "cancel its effect on the loss" in note}


@pytest.mark.parametrize("name", CANCELLED)
def test_a_bias_that_what_follows_cancels_is_noted_and_has_no_vanishing_gradient(python: Lab, name: str) -> None:
    make, biases = CANCELLED[name]
    done = trained(python, make())
    assert (noted(done), vanished(done)) == (biases, set())


def test_parts_that_cancel_exactly_are_told_from_parts_that_are_0(python: Lab) -> None:
    """Of two samples a normalization gives opposite gradients, whose sum is exactly 0 in every precision."""
    done = trained(python, CANCELLED["dense, a shift before another"][0](), samples=2)
    assert {"one/bias", "two/bias"} <= noted(done)
    assert not vanished(done) & {"one/bias", "two/bias"}


@pytest.mark.parametrize("name", VANISHING)
def test_a_gradient_that_vanishes_is_found(python: Lab, name: str) -> None:
    make, variables = VANISHING[name]
    done = trained(python, make())
    assert variables <= vanished(done)
    assert not variables & noted(done)
