"""Seeded failures: a small model, data and a recipe that break a training, with what breaks, where, and what cures it.

``python -m tests.training.failures`` runs all of them, with their cures, and prints the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Data = tuple[Any, Any]


@dataclass(frozen=True)
class Failure:
    """`step`, `what` and `name` are of the first moment that is not finite in Python, None where all is finite.

    `operation` is the type of the first operation that made it; `code` is among the findings; `cure` works.
    """

    name: str
    make: Callable[[], tuple[Any, Any, Any]]
    recipe: Mapping[str, Any]
    code: str
    cure: str | None
    step: int | None = None
    what: str | None = None
    at: str | None = None
    operation: str | None = None
    more: frozenset[str] = field(default_factory=frozenset)


def dense(inputs: int, *layers: Any, seed: int = 0) -> Any:
    """A Sequential model; a layer is (units, activation, kernel, bias) with what is not given left out."""
    import keras

    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.layers.Input((inputs,), name="x")])
    for index, (units, activation, *values) in enumerate(layers):
        kernel = keras.initializers.Constant(values[0]) if values else "glorot_uniform"
        bias = keras.initializers.Constant(values[1]) if len(values) > 1 else "zeros"
        model.add(
            keras.layers.Dense(
                units, activation=activation, kernel_initializer=kernel, bias_initializer=bias, name=f"dense_{index}"
            )
        )
    return model


def column(*values: float) -> Any:
    return np.array(values, np.float32)[:, None]


def noise(count: int, width: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def sums(x: Any) -> Any:
    return x.sum(axis=1, keepdims=True).astype(np.float32)


def linear() -> tuple[Any, Any, Any]:
    x = column(1000, 2000, 3000, 4000)
    return dense(1, (1, None, 0.5)), x, x / 200


def unlike_columns() -> tuple[Any, Any, Any]:
    x = noise(32, 2) * np.array([1.0, 1e4], np.float32)
    return dense(2, (1, None, 0.1)), x, sums(x)


def fast_momentum() -> tuple[Any, Any, Any]:
    x = noise(32, 3) * 100
    return dense(3, (1, None, 0.1)), x, sums(x)


def deep_linear() -> tuple[Any, Any, Any]:
    x = noise(32, 4)
    return dense(4, (16, None), (16, None), (1, None)), x, sums(x)


def units() -> tuple[Any, Any, Any]:
    x = noise(32, 4)
    return dense(4, (16, "relu"), (1, None)), x, sums(x)


def bright_pixels() -> tuple[Any, Any, Any]:
    import keras

    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Input((6, 6, 1), name="x"),
        keras.layers.Conv2D(4, 3, activation="relu", name="conv"),
        keras.layers.Flatten(name="flat"),
        keras.layers.Dense(1, name="dense"),
    ]
    x = np.random.default_rng(1).integers(0, 256, size=(16, 6, 6, 1)).astype(np.float32)
    return keras.Sequential(layers), x, x.mean(axis=(1, 2)) / 255


def sigmoid_of(*values: float, y: float = 1.0) -> Callable[[], tuple[Any, Any, Any]]:
    """A sigmoid of the input itself."""
    return lambda: (dense(1, (1, "sigmoid", 1.0)), column(*values), np.full((len(values), 1), y, np.float32))


def output_of(activation: str | None, *values: float, targets: tuple[float, ...]) -> Callable[[], tuple[Any, Any, Any]]:
    return lambda: (dense(1, (1, activation, 1.0)), column(*values), column(*targets))


def beyond_float32() -> tuple[Any, Any, Any]:
    return dense(1, (1, None, 1e37)), column(100, 1), column(1, 1)


def pair_of_outputs(targets: Any, kernel: float = 0.0) -> Callable[[], tuple[Any, Any, Any]]:
    return lambda: (dense(2, (2, None, kernel)), noise(8, 2), np.asarray(targets, np.float32))


def with_value(value: float, sample: int, where: str) -> Callable[[], tuple[Any, Any, Any]]:
    def make() -> tuple[Any, Any, Any]:
        x = noise(64, 3)
        y = sums(x)
        (x if where == "x" else y)[sample, 0] = value
        return dense(3, (4, "tanh"), (1, None)), x, y

    return make


def outlier() -> tuple[Any, Any, Any]:
    x = np.random.default_rng(0).random((64, 10)).astype(np.float32)
    x[0, 0] = 1e10
    return dense(10, (16, "relu"), (1, None)), x, np.random.default_rng(1).random((64, 1)).astype(np.float32)


def far_target() -> tuple[Any, Any, Any]:
    x = noise(16, 2)
    y = sums(x)
    y[3] = 3e19
    return dense(2, (1, None)), x, y


def wrong_labels(*labels: float) -> Callable[[], tuple[Any, Any, Any]]:
    return lambda: (dense(1, (1, "sigmoid", 0.5)), noise(len(labels), 1), column(*labels))


def saturated(activation: str, size: float) -> Callable[[], tuple[Any, Any, Any]]:
    def make() -> tuple[Any, Any, Any]:
        x = np.random.default_rng(0).random((64, 10)).astype(np.float32) * size
        y = np.random.default_rng(1).random((64, 1)).astype(np.float32)
        return dense(10, (16, activation), (1, None)), x, y

    return make


def deep_sigmoid() -> tuple[Any, Any, Any]:
    x = noise(32, 4)
    return dense(4, *[(8, "sigmoid") for _ in range(12)], (1, None)), x, sums(x)


def constant_column() -> tuple[Any, Any, Any]:
    import keras

    keras.utils.set_random_seed(0)
    x = noise(16, 3)
    x[:, 1] = 2.0
    layers = [
        keras.layers.Input((3,), name="x"),
        keras.layers.BatchNormalization(epsilon=0.0, name="norm"),
        keras.layers.Dense(1, name="dense"),
    ]
    return keras.Sequential(layers), x, sums(x)


MSE = {"loss": "mse", "steps": 12}
OF_HAND = "mean(-y * log(p) - (1 - y) * log(1 - p))"
RATE = "learning-rate-too-high"
ZERO = "loss-of-zero-probability"
ORIGIN = "nan-gradient-origin"
OVERFLOW = "float32-overflow-in-loss"
DIVISION = "division-by-zero"

FAILURES = [
    # A rate too high.
    Failure("linear regression", linear, {**MSE, "optimizer": "sgd:0.1"}, RATE, "stable-learning-rate",
            3, "loss", None, "Square", frozenset({"exploding-gradient", OVERFLOW, "input-scale"})),
    Failure("unlike columns", unlike_columns, {**MSE, "optimizer": "sgd:0.1"}, RATE, "standardized-inputs",
            3, "loss", None, "Square", frozenset({"input-scale"})),
    Failure("momentum", fast_momentum, {**MSE, "optimizer": "momentum:0.5"}, RATE, "stable-learning-rate",
            5, "loss", None, "Square"),
    Failure("deep linear", deep_linear, {**MSE, "optimizer": "sgd:2"}, RATE, "stable-learning-rate",
            3, "activation", "dense_2", "MatMul"),
    Failure("bright pixels", bright_pixels, {**MSE, "optimizer": "sgd:10"}, RATE, "stable-learning-rate"),
    # And with an optimizer that scales each step by itself: all stays finite, and the loss grows.
    Failure("Adam", deep_linear, {**MSE, "optimizer": "adam:1"}, RATE, "stable-learning-rate"),
    Failure("Adamax", units, {**MSE, "optimizer": "adamax:10"}, RATE, "stable-learning-rate"),
    Failure("RMSprop", units, {**MSE, "optimizer": "rmsprop:10"}, RATE, "stable-learning-rate"),
    Failure("Adagrad", units, {**MSE, "optimizer": "adagrad:100"}, RATE, "stable-learning-rate"),
    # The logarithm of zero.
    Failure("certain and wrong", sigmoid_of(-120), {"loss": "mean(-y * log(p))", "optimizer": "sgd:0.1", "steps": 4},
            ZERO, "guarded-loss", 0, "loss", None, "Log"),
    Failure("certain of 1", sigmoid_of(40, y=0.0), {"loss": OF_HAND, "optimizer": "sgd:0.1", "steps": 4},
            ZERO, "guarded-loss", 0, "loss", None, "Log"),
    Failure("certain and right", sigmoid_of(-120, y=0.0), {"loss": OF_HAND, "optimizer": "sgd:0.1", "steps": 4},
            ZERO, "guarded-loss", 0, "loss", None, "Log"),
    Failure("a relu that is off", output_of("relu", -1, -2, targets=(1, 1)),
            {"loss": "mean(-y * log(p))", "optimizer": "sgd:0.1", "steps": 4}, ZERO, "guarded-loss",
            0, "loss", None, "Log"),
    Failure("Poisson of a negative mean", output_of(None, -1, 2, targets=(1, 2)),
            {"loss": "mean(p - y * log(p))", "optimizer": "sgd:0.1", "steps": 4}, ZERO, "guarded-loss",
            0, "loss", None, "Log"),
    Failure("divergence with empty classes", pair_of_outputs([[0, 1]] * 8, 1.0),
            {"loss": "sum(y * log(y / (p * p)))", "optimizer": "sgd:0.01", "steps": 4}, ZERO, "guarded-loss",
            0, "loss", None, "Log"),
    # The root at zero.
    Failure("root of a perfect sample", output_of(None, 1, 2, targets=(1, 3)),
            {"loss": "mean(sqrt(square(y - p)))", "optimizer": "sgd:0.1", "steps": 4}, ORIGIN, "guarded-loss",
            0, "gradient", "dense_0/bias", "SqrtGrad"),
    Failure("distance from where it starts", pair_of_outputs(np.zeros((8, 2))),
            {"loss": "sqrt(sum(square(p - y)))", "optimizer": "sgd:0.1", "steps": 4}, ORIGIN, "guarded-loss",
            0, "gradient", "dense_0/bias", "SqrtGrad"),
    Failure("root of a relu that is off", output_of("relu", -1, 2, targets=(1, 1)),
            {"loss": "mean(square(y - sqrt(p)))", "optimizer": "sgd:0.1", "steps": 4}, ORIGIN, "guarded-loss",
            0, "gradient", "dense_0/bias", "SqrtGrad"),
    Failure("clipping a NaN by the global norm", output_of(None, 1, 2, targets=(1, 3)),
            {"loss": "mean(sqrt(square(y - p)))", "optimizer": "sgd:0.1", "steps": 4, "global_clipnorm": 1.0},
            "clip-cannot-help", "guarded-loss", 0, "gradient", "dense_0/bias", "SqrtGrad", frozenset({ORIGIN})),
    # The norm that is zero, and other divisions.
    Failure("cosine of a zero vector", pair_of_outputs(np.ones((8, 2))),
            {"loss": "-sum(y * p) / (sqrt(sum(p * p)) * sqrt(sum(y * y)))", "optimizer": "sgd:0.1", "steps": 4},
            DIVISION, "guarded-loss", 0, "loss", None, "RealDiv"),
    Failure("relative error of zero", output_of(None, 1, 2, targets=(0, 1)),
            {"loss": "mean(abs(y - p) / abs(y))", "optimizer": "sgd:1e-7", "steps": 4}, DIVISION, "guarded-loss",
            0, "loss", None, "RealDiv"),
    Failure("shares of nothing", pair_of_outputs(np.ones((8, 2))),
            {"loss": "sum(square(y - p / sum(p)))", "optimizer": "sgd:0.1", "steps": 4}, DIVISION, "guarded-loss",
            0, "loss", None, "RealDiv"),
    # The exponential.
    Failure("exponential loss", output_of(None, -200, 1, targets=(1, 1)),
            {"loss": "mean(exp(-y * p))", "optimizer": "sgd:0.001", "steps": 4}, OVERFLOW, "standardized-inputs",
            0, "loss", None, "Exp"),
    Failure("softplus by hand", output_of(None, 100, 1, targets=(1, 1)),
            {"loss": "mean(log(1 + exp(p)))", "optimizer": "sgd:0.001", "steps": 4}, OVERFLOW, "guarded-loss",
            0, "loss", None, "Exp"),
    Failure("softmax by hand", pair_of_outputs([[0, 1]] * 8, 300.0),
            {"loss": "mean(-y * log(exp(p) / sum(exp(p)) + 0.001))", "optimizer": "sgd:0.001", "steps": 4},
            OVERFLOW, "guarded-loss", 0, "loss", None, "Exp"),
    Failure("product beyond float32", beyond_float32, {"loss": "mae", "optimizer": "sgd:0.001", "steps": 4},
            "native-overflow", "standardized-inputs", 0, "activation", "dense_0", "MatMul"),
    # Outliers.
    Failure("outlier in the inputs", outlier, {**MSE, "optimizer": "sgd:0.01"}, "input-scale", "robust-scaled-inputs",
            1, "loss", None, "Square", frozenset({RATE})),
    Failure("outlier in the targets", far_target, {"loss": "mse", "optimizer": "sgd:0.01", "steps": 4},
            OVERFLOW, "scaled-targets", 0, "loss", None, "Square"),
    # NaN in one sample.
    Failure("NaN in one input", with_value(np.nan, 37, "x"), {**MSE, "optimizer": "sgd:0.1", "steps": 4},
            "nan-in-data", "without-nan", 1, "activation", "dense_0"),
    Failure("infinity in one input", with_value(np.inf, 37, "x"), {**MSE, "optimizer": "sgd:0.1", "steps": 4},
            "nan-in-data", "without-nan", 1, "gradient", "dense_0/kernel"),
    Failure("NaN in one target", with_value(np.nan, 5, "y"), {**MSE, "optimizer": "sgd:0.01", "steps": 4},
            "nan-in-data", "without-nan", 0, "loss"),
    # Targets out of range.
    Failure("labels of -1 and 2", wrong_labels(-1, 0, 1, 2, 0, 1), {"loss": "binary_crossentropy",
            "optimizer": "sgd:0.1", "steps": 8}, "target-range", "targets-in-range"),
    Failure("hinge of 0 and 1", output_of(None, -0.3, 0.5, 0.2, -0.7, targets=(0, 1, 1, 0)),
            {"loss": "hinge", "optimizer": "sgd:0.1", "steps": 8}, "target-range", "targets-in-range"),
    Failure("negative counts", output_of("softplus", 0.1, 0.2, 0.3, 0.4, targets=(-1, 2, 1, 3)),
            {"loss": "poisson", "optimizer": "sgd:0.1", "steps": 8}, "target-range", "targets-in-range"),
    # Saturation.
    Failure("saturated sigmoid", saturated("sigmoid", 100.0), {**MSE, "optimizer": "sgd:0.1"},
            "saturated-activation", "standardized-inputs"),
    Failure("saturated tanh", saturated("tanh", 1000.0), {**MSE, "optimizer": "sgd:0.01"},
            "saturated-activation", "standardized-inputs"),
    Failure("twelve sigmoids", deep_sigmoid, {**MSE, "optimizer": "sgd:0.1"}, "vanishing-gradient",
            "other-activation"),
    # Nothing to divide by.
    Failure("constant column", constant_column, {**MSE, "optimizer": "sgd:0.1", "steps": 4}, DIVISION,
            "larger-epsilon", 0, "activation", "norm"),
]  # fmt: skip


def main() -> None:
    """Run all of them and print the table."""
    import os
    import sys

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from .lab import Lab

    wanted = sys.argv[1:]
    with Lab("chromium:cpu") as lab:
        for failure in FAILURES:
            if wanted and not any(word in failure.name for word in wanted):
                continue
            trained = lab.train(*failure.make(), **failure.recipe)
            training = trained.report.training
            assert training is not None
            bad = training.curves[0].first_nonfinite
            origins = [o.op for check in training.passes for o in check.origins]
            cure = lab.cured(trained, failure.cure) if failure.cure else None
            seen = (bad.step, bad.what, bad.name) if bad else (None, None, None)
            right = seen == (failure.step, failure.what, failure.at) and failure.code in trained.codes
            right &= failure.operation in (None, *origins[:1]) and failure.more <= trained.codes
            right &= cure is not None and cure.worked
            page = training.curves[2].first_nonfinite
            print(
                f"{'ok ' if right else 'BAD'} {failure.name}: {seen} page {page and page.step} {origins[:2]} "
                f"{sorted(trained.codes)} {cure and (cure.name, cure.worked, cure.losses)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
