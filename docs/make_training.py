"""Writes the measured part of docs/training.md: how far Keras and TF.js differ, by optimizer and by loss.

``python docs/make_training.py`` trains a plain regression, a small convolutional and a small recurrent net with every
optimizer both sides have, and one layer with every loss, on cpu, wasm and webgl. It takes minutes, and fails if no
finding explains a difference.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from pycheck.training.recipe import LOSSES  # noqa: E402
from pycheck.types import RuntimeRecord, RuntimeStatus  # noqa: E402
from tests.training.failures import dense, noise, sums  # noqa: E402
from tests.training.lab import Lab, Trained  # noqa: E402

TARGET = ROOT / "docs" / "training.md"
BACKENDS = ("chromium:cpu", "chromium:wasm", "chromium:webgl")
OPTIMIZERS = (
    "sgd:0.05",
    "momentum:0.01",
    "rmsprop:0.005",
    "adagrad:0.05",
    "adadelta:0.5",
    "adam:0.005",
    "adamax:0.005",
)
#: This script writes the rest of the page after this heading.
MARK = "## Measured"
UNEXPLAINED = "not explained"
SPARSE = ("sparse_categorical_crossentropy",)


def regression() -> tuple[Any, Any, Any]:
    x = noise(64, 4)
    return dense(4, (8, "tanh"), (1, None)), x, sums(x)


def convolutional() -> tuple[Any, Any, Any]:
    import keras

    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1), name="x"),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    rng = np.random.default_rng(2)
    y = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 48)]
    return model, rng.normal(size=(48, 8, 8, 1)).astype(np.float32) + y[:, :1, None, None], y


def recurrent() -> tuple[Any, Any, Any]:
    import keras

    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.layers.Input((6, 3), name="x"), keras.layers.LSTM(6), keras.layers.Dense(1)])
    x = np.random.default_rng(3).normal(size=(48, 6, 3)).astype(np.float32)
    return model, x, x[:, -1].sum(axis=1, keepdims=True)


def outcome(trained: Trained) -> str:
    """Return a cell: whether the runtimes agree with Python, or the findings that explain the difference."""
    training = trained.report.training
    assert training is not None
    told: dict[str, list[str]] = {}
    for record in trained.report.runtimes[2:]:
        told.setdefault(_of_runtime(trained, record), []).append(record.id.kind)
    if len(told) == 1:
        return next(iter(told))
    return "; ".join(f"{', '.join(kinds)}: {text}" for text, kinds in told.items())


def _of_runtime(trained: Trained, record: RuntimeRecord) -> str:
    training = trained.report.training
    assert training is not None
    curves, reference = training.of(record.id), training.curves[1]
    if record.status is not RuntimeStatus.OK or curves is None:
        kernel = re.search(r"no kernel for (\w+)", record.error or "")
        return f"cannot train: no kernel for {kernel[1]}" if kernel else f"{UNEXPLAINED}: {record.error}"
    if curves.parted is None:
        return "agrees"
    why = [f.code for f in trained.report.findings if record.id in f.runtimes and f.code != "drift"]
    ours, theirs = reference.loss[-1], curves.loss[-1]
    apart = (
        f"{float(f'{100 * abs(theirs - ours) / abs(ours):.2g}'):g} % apart" if ours else f"{theirs:.2g} instead of 0"
    )
    return f"{', '.join(why) or UNEXPLAINED}, last loss {apart}"


def used(trained: Trained) -> float:
    """Return the largest share of its limit that a training that agrees uses."""
    training = trained.report.training
    assert training is not None
    curves = [c for c in training.curves[2:] if c.parted is None]
    return max((e or 0.0 for c in curves for e in (*c.loss_error, *c.gradient_error, *c.weight_error)), default=0.0)


def loss_data(name: str) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(32, 4)).astype(np.float32)
    classes = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 32)]
    if name in ("categorical_crossentropy", "kl_divergence", "categorical_hinge"):
        return dense(4, (3, "softmax")), x, classes
    if name == "sparse_categorical_crossentropy":
        return dense(4, (3, "softmax")), x, classes.argmax(axis=1).astype(np.int32)
    if name == "binary_crossentropy":
        return dense(4, (3, "sigmoid")), x, classes
    if name in ("hinge", "squared_hinge"):
        return dense(4, (3, "tanh")), x, 2 * classes - 1
    if name in ("poisson", "mean_squared_logarithmic_error"):
        return dense(4, (3, "softplus")), x, classes * 3
    return dense(4, (3, None)), x, rng.normal(size=(32, 3)).astype(np.float32)


def edge_data(name: str) -> tuple[Any, Any, Any]:
    """Return data that a loss clips or converts: certain and wrong answers, targets of 0, zero vectors.

    The model begins as an identity.
    """
    rows = {
        "binary_crossentropy": ("sigmoid", [[-40, 40], [2, -1]], [[1, 0], [1, 0]]),
        "categorical_crossentropy": ("softmax", [[-40, 40], [2, -1]], [[1, 0], [1, 0]]),
        "sparse_categorical_crossentropy": ("softmax", [[-40, 40], [2, -1]], [0, 0]),
        "kl_divergence": ("softmax", [[-40, 40], [2, -1]], [[1, 0], [1, 0]]),
        "poisson": (None, [[0, 1], [2, 3]], [[1, 1], [2, 2]]),
        "mean_squared_logarithmic_error": (None, [[-0.5, 1], [2, 0]], [[0, 1], [2, 3]]),
        "mean_absolute_percentage_error": (None, [[0.5, 1], [2, 0]], [[0, 1], [2, 3]]),
        "cosine_similarity": (None, [[1e-3, 0], [1, 2]], [[1, 0], [2, 1]]),
    }
    activation, x, y = rows.get(name, (None, [[-0.5, 1], [2, 0.1]], [[0, 1], [1, 0]]))
    return identity(activation), np.asarray(x, np.float32), np.asarray(y, np.int32 if name in SPARSE else np.float32)


def identity(activation: str | None) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    kernel = keras.initializers.Identity()
    layer = keras.layers.Dense(2, activation=activation, kernel_initializer=kernel, name="dense_0")
    return keras.Sequential([keras.layers.Input((2,), name="x"), layer])


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    models = {"regression": regression, "convolutional": convolutional, "recurrent": recurrent}
    rows, losses, largest = [], [], 0.0
    with Lab(*BACKENDS) as lab:
        for text in OPTIMIZERS:
            cells = []
            for kind, make in models.items():
                loss = "categorical_crossentropy" if kind == "convolutional" else "mse"
                trained = lab.train(*make(), optimizer=text, loss=loss, steps=steps)
                cells.append(outcome(trained))
                largest = max(largest, used(trained))
                print(text, kind, cells[-1], flush=True)
            rows.append(f"| {text} | {' | '.join(cells)} |")
        for name, theirs in LOSSES.items():
            cells = []
            for data, rate, count in ((loss_data(name), 0.05, 20), (edge_data(name), 0.001, 5)):
                trained = lab.train(*data, optimizer=f"sgd:{rate}", loss=name, steps=count)
                cells.append(outcome(trained))
                largest = max(largest, used(trained))
            print(name, *cells, sep=" | ", flush=True)
            losses.append(f"| {name} | {theirs} | {' | '.join(cells)} |")
    share = f"{100 * largest:.0f}"
    tables = f"""{MARK}

`python docs/make_training.py` measured this with Chromium and TF.js's defaults; WebGL ran on SwiftShader. A training
that *agrees* stayed within its limits, and used at most {share} % of them. For each difference, the tables name the
findings that explain it, and the difference of the last loss from Python's. Each finding is proven: Python gives the
same with TF.js's epsilon or formula.

Every optimizer, {steps} steps on cpu, wasm and webgl:

| optimizer | regression | convolutional net | recurrent net |
| --- | --- | --- | --- |
{chr(10).join(rows)}

Every loss, with one layer and SGD: 20 steps on ordinary data, and 5 steps on edge cases that a loss clips (a certain
and wrong answer, targets of 0, a vector near 0):

| Keras | TF.js | ordinary data | edge cases |
| --- | --- | --- | --- |
{chr(10).join(losses)}
"""
    text = TARGET.read_text(encoding="utf-8")
    TARGET.write_text(text.partition(MARK)[0] + tables, encoding="utf-8")
    if UNEXPLAINED in tables:
        sys.exit("No finding explains some of the differences: see the tables.")


if __name__ == "__main__":
    main()
