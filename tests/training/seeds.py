"""The examples of five articles on NaN in TensorFlow and TF.js, in code of our own and with the same mathematics.

``python -m tests.training.seeds`` runs all of them and prints what docs/seeds.md tells.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .failures import column, dense


@dataclass(frozen=True)
class Seed:
    """`claims_nan` is what the article says; `first` is the first step that is not finite in Python, as measured."""

    name: str
    make: Callable[[], tuple[Any, Any, Any]]
    recipe: dict[str, Any]
    claims_nan: bool
    first: int | None
    cures: tuple[str, ...] = ()


def unscaled() -> tuple[Any, Any, Any]:
    x = column(1000, 2000, 3000, 4000)
    return dense(1, (1, None, 0.5)), x, column(5, 10, 15, 20)


def scaled() -> tuple[Any, Any, Any]:
    model, x, y = unscaled()
    return model, (x - x.mean()) / x.std(), y


def random(size: float = 1.0) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return (rng.random((100, 10)) * size).astype(np.float32), rng.random((100, 1)).astype(np.float32)


def saturating() -> tuple[Any, Any, Any]:
    return dense(10, (128, "sigmoid"), (1, None)), *random(100.0)


def with_outlier() -> tuple[Any, Any, Any]:
    x, y = random()
    x[0, 0] = 1e10
    return dense(10, (64, "relu"), (1, None)), x, y


def inputs_beyond_one() -> tuple[Any, Any, Any]:
    return dense(1, (1, "sigmoid")), column(-1, 0, 0.5, 1, 2), column(0, 0, 1, 1, 0)


def three_points() -> tuple[Any, Any, Any]:
    return dense(1, (1, "sigmoid")), column(1, 2, 3), column(1, 0, 1)


def relu_network() -> tuple[Any, Any, Any]:
    return dense(10, (64, "relu"), (32, "relu"), (1, None)), *random()


SAFE = "mean(-y * log(clip(p, 1e-7, 0.9999999)) - (1 - y) * log(1 - clip(p, 1e-7, 0.9999999)))"

SEEDS = [
    Seed("regression 1: rate 0.1, inputs to 4000", unscaled, {"optimizer": "sgd:0.1", "loss": "mse", "steps": 20}, True,
         3, ("stable-learning-rate", "standardized-inputs", "clip-by-norm", "l2")),
    Seed("regression 2: scaled, rate 0.001", scaled, {"optimizer": "sgd:0.001", "loss": "mse", "steps": 20},
         False, None),
    Seed("regression 3: scaled, rate 0.1, L2", scaled,
         {"optimizer": "sgd:0.1", "loss": "mse", "steps": 20, "regularize": "l2:0.01"}, False, None),
    Seed("regression 3 without L2", scaled, {"optimizer": "sgd:0.1", "loss": "mse", "steps": 20}, True, None),
    Seed("regression 3 with L2, unscaled", unscaled,
         {"optimizer": "sgd:0.1", "loss": "mse", "steps": 20, "regularize": "l2:0.01"}, False, 3),
    Seed("Keras 1: sigmoid, inputs to 100", saturating, {"optimizer": "adam:0.001", "loss": "mse", "steps": 40},
         True, None),
    Seed("Keras 2: an outlier of 1e10", with_outlier, {"optimizer": "adam:0.001", "loss": "mse", "steps": 40},
         True, None),
    Seed("Keras 3: inputs beyond 0 to 1, cross-entropy", inputs_beyond_one,
         {"optimizer": "adam:0.001", "loss": "binary_crossentropy", "steps": 10}, True, None),
    Seed("cost 1: clipped cross-entropy by hand", three_points, {"optimizer": "adam:0.01", "loss": SAFE, "steps": 10},
         False, None),
    Seed("cost 3: Adam with clipnorm 1", relu_network,
         {"optimizer": "adam:0.001", "loss": "mse", "steps": 10, "clipnorm": 1.0}, False, None),
    Seed("gradient 1: -log(p) y", three_points, {"optimizer": "adam:0.1", "loss": "-log(p) * y", "steps": 10},
         True, None),
    Seed("gradient 2: Keras's cross-entropy", three_points,
         {"optimizer": "adam:0.1", "loss": "binary_crossentropy", "steps": 10}, False, None),
    Seed("gradient 3: with clip_by_global_norm", three_points,
         {"optimizer": "adam:0.1", "loss": "binary_crossentropy", "steps": 10, "global_clipnorm": 1.0}, False, None),
    Seed("TF.js 2: relu network, Adam", relu_network, {"optimizer": "adam:0.001", "loss": "mse", "steps": 25},
         False, None),
]  # fmt: skip


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from .lab import Lab

    with Lab("chromium:cpu") as lab:
        for seed in SEEDS:
            trained = lab.train(*seed.make(), **seed.recipe)
            training = trained.report.training
            assert training is not None
            bad = [c.first_nonfinite.step if c.first_nonfinite else None for c in training.curves]
            cures = {name: lab.cured(trained, name).worked for name in seed.cures}
            losses = [f"{curves.loss[0]:.4g} to {curves.loss[-1]:.4g}" for curves in training.curves]
            print(f"| {seed.name} | {'NaN' if seed.claims_nan else 'finite'} | {bad} | {losses[0]} | {losses[2]} | "
                  f"{', '.join(sorted(trained.codes))} | {cures or ''} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
