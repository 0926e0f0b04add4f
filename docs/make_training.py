"""Writes the measured part of docs/training.md: how far Keras and TF.js differ, by optimizer and by loss.

``python docs/make_training.py`` trains a plain regression, a small convolutional and a small recurrent net with every
optimizer both sides have, and one step of a small model with every loss, on cpu, wasm and webgl. It takes minutes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from pycheck.training.recipe import LOSSES  # noqa: E402
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
#: What follows it in the page is written by this script.
MARK = "## Measured"


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
    """What happened, in a cell: the largest error used, or where each parts and what explains it."""
    training = trained.report.training
    assert training is not None
    parted = {str(c.runtime).partition(":")[2]: c.parted.step for c in training.curves[2:] if c.parted}
    if not parted:
        used = max(e or 0.0 for c in training.curves[2:] for e in (*c.loss_error, *c.gradient_error, *c.weight_error))
        return f"alike, {100 * used:.0f}% used"
    why = sorted({"epsilon-mismatch", "optimizer-formula", "target-range"} & trained.codes)
    where = ", ".join(f"{kind} at step {step}" for kind, step in parted.items())
    return f"parts: {where}; {', '.join(why) or 'not explained'}"


def loss_data(name: str) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(32, 4)).astype(np.float32)
    classes = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 32)]
    if name in ("categorical_crossentropy", "kl_divergence", "categorical_hinge"):
        return dense(4, (3, "softmax")), x, classes
    if name == "sparse_categorical_crossentropy":
        return dense(4, (3, "softmax")), x, classes.argmax(axis=1)
    if name == "binary_crossentropy":
        return dense(4, (3, "sigmoid")), x, classes
    if name in ("hinge", "squared_hinge"):
        return dense(4, (3, "tanh")), x, 2 * classes - 1
    if name in ("poisson", "mean_squared_logarithmic_error"):
        return dense(4, (3, "softplus")), x, classes * 3
    return dense(4, (3, None)), x, rng.normal(size=(32, 3)).astype(np.float32)


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    models = {"regression": regression, "convolutional": convolutional, "recurrent": recurrent}
    rows, losses = [], []
    with Lab(*BACKENDS) as lab:
        for text in OPTIMIZERS:
            name = text.partition(":")[0]
            cells = []
            for kind, make in models.items():
                loss = "categorical_crossentropy" if kind == "convolutional" else "mse"
                cells.append(outcome(lab.train(*make(), optimizer=text, loss=loss, steps=steps)))
                print(text, kind, cells[-1], flush=True)
            rows.append(f"| {name} | {' | '.join(cells)} |")
        for name, theirs in LOSSES.items():
            cell = outcome(lab.train(*loss_data(name), optimizer="sgd:0.05", loss=name, steps=20))
            print(name, cell, flush=True)
            losses.append(f"| {name} | {theirs} | {cell} |")
    tables = f"""{MARK}

{steps} steps on cpu, wasm and webgl, with TF.js's own defaults. "Used" is the largest error of what is allowed.

| optimizer | regression | convolutional net | recurrent net |
| --- | --- | --- | --- |
{chr(10).join(rows)}

20 steps of one layer with every loss, SGD:

| Keras | TF.js | cpu, wasm and webgl against Python |
| --- | --- | --- |
{chr(10).join(losses)}
"""
    text = TARGET.read_text(encoding="utf-8")
    TARGET.write_text(text.partition(MARK)[0] + tables, encoding="utf-8")


if __name__ == "__main__":
    main()
