"""The trainings of five articles on NaN in TensorFlow and TF.js, in code of our own and with the same mathematics.

``python -m tests.training.seeds`` trains all of them on three backends and prints the table of docs/seeds.md;
``python -m tests.training.seeds --transcripts`` prints what `pycheck train --try-remedies` says of each that breaks,
from NaN to proven cure; words behind it choose by name. Examples that train nothing are in test_seeds.py and in
js_harness/test/seeds.test.js.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .failures import column, dense

BACKENDS = ("chromium:cpu", "chromium:wasm", "chromium:webgl")


@dataclass(frozen=True)
class Seed:
    """`claims_nan` is what the article says, None of a variation of ours that it does not have.

    `first` are the first steps that are not finite in native:float32, native:float64, cpu, wasm and webgl; one number
    is for all of them. `codes` are among the findings, `cures` work, and `no_cures` do not.
    """

    name: str
    make: Callable[[], tuple[Any, Any, Any]]
    recipe: dict[str, Any]
    claims_nan: bool | None
    first: int | tuple[int | None, ...] | None = None
    codes: frozenset[str] = frozenset()
    cures: tuple[str, ...] = ()
    no_cures: tuple[str, ...] = ()

    @property
    def first_by_runtime(self) -> tuple[int | None, ...]:
        """In the order of a training's curves."""
        return self.first if isinstance(self.first, tuple) else (self.first,) * (2 + len(BACKENDS))


# --- linear regression on 1000 to 4000


def unscaled() -> tuple[Any, Any, Any]:
    x = column(1000, 2000, 3000, 4000)
    return dense(1, (1, None, 0.5)), x, column(5, 10, 15, 20)


def scaled() -> tuple[Any, Any, Any]:
    model, x, y = unscaled()
    return model, (x - x.mean()) / x.std(), y


# --- a Keras model on 100 samples of 10 columns


def random(size: float = 1.0) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return (rng.random((100, 10)) * size).astype(np.float32), rng.random((100, 1)).astype(np.float32)


def saturating() -> tuple[Any, Any, Any]:
    return dense(10, (128, "sigmoid"), (1, None)), *random(100.0)


def unsaturated() -> tuple[Any, Any, Any]:
    x, y = random()
    return dense(10, (128, "relu"), (1, None)), 2 * x - 1, y


def with_outlier() -> tuple[Any, Any, Any]:
    x, y = random()
    x[0, 0] = 1e10
    return dense(10, (64, "relu"), (1, None)), x, y


def winsorized() -> tuple[Any, Any, Any]:
    """The outlier becomes the largest of the other 99 % of its column, and columns are standardized."""
    model, x, y = with_outlier()
    x = np.minimum(x, np.quantile(x, 0.98, axis=0))
    return model, ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32), y


def inputs_beyond_one() -> tuple[Any, Any, Any]:
    return dense(1, (1, "sigmoid")), column(-1, 0, 0.5, 1, 2), column(0, 0, 1, 1, 0)


def targets_beyond_one() -> tuple[Any, Any, Any]:
    model, x, y = inputs_beyond_one()
    return model, y, x


# --- a cost function


def given_outputs(*rows: Sequence[float]) -> Callable[[], tuple[Any, Any, Any]]:
    """Two probabilities a sample, which the model, an identity to begin with, gives as they are."""

    def make() -> tuple[Any, Any, Any]:
        import keras

        keras.utils.set_random_seed(0)
        identity = keras.layers.Dense(2, kernel_initializer=keras.initializers.Identity(), name="dense_0")
        model = keras.Sequential([keras.layers.Input((2,), name="x"), identity])
        return model, np.asarray(rows, np.float32), np.asarray([[1, 0], [0, 1]], np.float32)

    return make


def relu_network() -> tuple[Any, Any, Any]:
    return dense(10, (64, "relu"), (32, "relu"), (1, None)), *random()


def perfect_sample() -> tuple[Any, Any, Any]:
    return dense(1, (1, None, 1.0)), column(1, 2), column(1, 3)


# --- the gradient of a logarithm


def three_points(*kernel: float) -> Callable[[], tuple[Any, Any, Any]]:
    return lambda: (dense(1, (1, None, *kernel)), column(1, 2, 3), column(1, 0, 1))


def three_points_by_keras(*kernel: float) -> Callable[[], tuple[Any, Any, Any]]:
    return lambda: (dense(1, (1, "sigmoid", *kernel)), column(1, 2, 3), column(1, 0, 1))


# --- TF.js


def robust_scaled() -> tuple[Any, Any, Any]:
    """Each column less its median, by its interquartile range."""
    _, x, y = with_outlier()
    low, median, high = np.quantile(x, (0.25, 0.5, 0.75), axis=0)
    model, _, _ = relu_network()
    return model, ((x - median) / (high - low)).astype(np.float32), y


CROSS_ENTROPY = "mean(-y * log({p}) - (1 - y) * log(1 - {p}))"
UNCLIPPED = CROSS_ENTROPY.format(p="p")
CLIPPED = CROSS_ENTROPY.format(p="clip(p, 1e-7, 0.9999999)")
SIGMOID_BY_HAND = "-log(1 / (1 + exp(-p))) * y"
SGD_MSE = {"optimizer": "sgd:0.1", "loss": "mse", "steps": 20}
ADAM_MSE = {"optimizer": "adam:0.001", "loss": "mse"}
TOO_FAST = frozenset({"learning-rate-too-high", "exploding-gradient", "float32-overflow-in-loss"})
ZERO = frozenset({"loss-of-zero-probability"})
SINGLE_FROM_3 = (3, None, 3, 3, 3)
ADAM = {"optimizer": "adam:0.1", "steps": 10}

SEEDS = [
    Seed("regression 1: rate 0.1, inputs to 4000", unscaled, SGD_MSE, True, SINGLE_FROM_3,
         TOO_FAST | {"input-scale"}, ("stable-learning-rate", "standardized-inputs", "clip-by-norm"), ("l2",)),
    Seed("regression 2: scaled, rate 0.001", scaled, {**SGD_MSE, "optimizer": "sgd:0.001"}, False),
    Seed("regression 3: scaled, rate 0.1, L2", scaled, {**SGD_MSE, "regularize": "l2:0.01"}, False),
    Seed("regression 3 without L2", scaled, SGD_MSE, None),
    Seed("regression 3 unscaled, with L2", unscaled, {**SGD_MSE, "regularize": "l2:0.01"}, None, SINGLE_FROM_3,
         TOO_FAST | {"input-scale"}, ("stable-learning-rate",)),
    Seed("Keras 1: sigmoid, inputs to 100", saturating, {**ADAM_MSE, "steps": 20}, True, None,
         frozenset({"saturated-activation"})),
    Seed("Keras 1 mitigated: relu, inputs from -1 to 1", unsaturated, {**ADAM_MSE, "steps": 20}, False),
    Seed("Keras 2: an outlier of 1e10", with_outlier, {**ADAM_MSE, "steps": 20}, True, None,
         frozenset({"input-scale"})),
    Seed("Keras 2 with SGD", with_outlier, {**SGD_MSE, "optimizer": "sgd:0.01"}, None, (1, None, 1, 1, 1),
         frozenset({"input-scale", "learning-rate-too-high"}), ("robust-scaled-inputs",)),
    Seed("Keras 2 mitigated: winsorized, standardized", winsorized, {**ADAM_MSE, "steps": 20}, False),
    Seed("Keras 3: inputs beyond 0 to 1, cross-entropy", inputs_beyond_one,
         {"optimizer": "adam:0.001", "loss": "binary_crossentropy", "steps": 10}, True),
    Seed("Keras 3 with targets beyond 0 to 1", targets_beyond_one,
         {"optimizer": "adam:0.001", "loss": "binary_crossentropy", "steps": 10}, None, None,
         frozenset({"target-range"})),
    Seed("cost 1: clipped cross-entropy by hand", given_outputs((0.9, 0.1), (0.2, 0.8)),
         {"optimizer": "sgd:0.01", "loss": CLIPPED, "steps": 5}, False),
    Seed("cost 1 unclipped, outputs of 0 and 1", given_outputs((1, 0), (0, 1)),
         {"optimizer": "sgd:0.01", "loss": UNCLIPPED, "steps": 5}, True, (0, 0, 0, 0, 1), ZERO, ("guarded-loss",)),
    Seed("cost 2: NaN in the loss made 0", given_outputs((1, 0), (0, 1)),
         {"optimizer": "sgd:0.01", "loss": f"nan_to_zero({UNCLIPPED[5:-1]})", "steps": 5}, False,
         (0, 0, 0, 0, None), ZERO | {"nan-masked"}, ("guarded-loss",)),
    Seed("cost 3: Adam with clipnorm 1", relu_network, {**ADAM_MSE, "steps": 10, "clipnorm": 1.0}, False),
    Seed("cost 3 where the gradient itself is NaN", perfect_sample,
         {"optimizer": "adam:0.001", "loss": "mean(sqrt(square(y - p)))", "steps": 5, "clipnorm": 1.0}, False,
         0, frozenset({"clip-cannot-help", "nan-gradient-origin"}), ("guarded-loss",)),
    Seed("gradient 1: -log(p) y, sigmoid by hand", three_points(), {**ADAM, "loss": SIGMOID_BY_HAND}, True),
    Seed("gradient 1 from a weight of -120", three_points(-120.0), {**ADAM, "loss": SIGMOID_BY_HAND}, True,
         (0, None, 0, 0, 0), ZERO, ("guarded-loss",)),
    Seed("gradient 2: Keras's cross-entropy", three_points_by_keras(), {**ADAM, "loss": "binary_crossentropy"}, False),
    Seed("gradient 2 from a weight of -120", three_points_by_keras(-120.0), {**ADAM, "loss": "binary_crossentropy"},
         False, None, ZERO | {"loss-formula"}),
    Seed("gradient 3: with clip_by_global_norm", three_points_by_keras(),
         {**ADAM, "loss": "binary_crossentropy", "global_clipnorm": 1.0}, False),
    Seed("gradient 3 with the loss of 1, from -120", three_points(-120.0),
         {**ADAM, "loss": SIGMOID_BY_HAND, "global_clipnorm": 1.0}, None, (0, None, 0, 0, 0),
         ZERO | {"clip-cannot-help"}, ("guarded-loss",)),
    Seed("TF.js 1: robust-scaled inputs, an outlier among them", robust_scaled, {**ADAM_MSE, "steps": 10}, False),
    Seed("TF.js 2: relu network, Adam", relu_network, {**ADAM_MSE, "steps": 25}, False),
]  # fmt: skip


def main() -> None:
    """Print the table or the transcripts."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pycheck.report import render

    from .lab import Lab

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transcripts", action="store_true", help="whole reports of those that break, with fixes")
    parser.add_argument("words", nargs="*", help="only seeds with one of these in their name")
    given = parser.parse_args()
    chosen = [s for s in SEEDS if not given.words or any(word in s.name for word in given.words)]
    with Lab(*BACKENDS) as lab:
        for seed in chosen:
            trained = lab.train(*seed.make(), **seed.recipe, try_remedies=given.transcripts)
            training = trained.report.training
            assert training is not None
            bad = tuple(c.first_nonfinite.step if c.first_nonfinite else None for c in training.curves)
            if given.transcripts:
                if any(step is not None for step in bad):
                    print(f"\n=== {seed.name}\n\n{render(trained.report, 'terminal')}", flush=True)
                continue
            steps = ", ".join("never" if step is None else str(step) for step in bad)
            claim = {True: "NaN", False: "finite", None: ""}[seed.claims_nan]
            losses = [f"{c.loss[0]:.4g} to {c.loss[-1]:.4g}" for c in (training.curves[0], training.curves[4])]
            cures = [f"{name}: {'works' if lab.cured(trained, name).worked else 'does not'}"
                     for name in (*seed.cures, *seed.no_cures)]  # fmt: skip
            print(f"| {seed.name} | {claim} | {steps} | {' | '.join(losses)} | {', '.join(sorted(trained.codes))} | "
                  f"{', '.join(cures)} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
