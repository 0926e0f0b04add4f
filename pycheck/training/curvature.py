"""Measures the largest curvature that an optimizer encounters, and the learning rates that are stable there.

On a parabola of curvature h, an optimizer with rate r is a linear recurrence. It is stable if all of its roots are
within the unit circle. The gradient is h x, so the roots are those of

    z**2 - (1 + m - r h) z + m                         heavy ball, m = 0 for none:   r h < 2 (1 + m)
    z**2 - (1 + m) (1 - r h) z + m (1 - r h)           Nesterov's:                   r h < 2 (1 + m) / (1 + 2 m)
    z**2 - (1 + b - r (1 - b) h) z + b                 an averaged gradient:         r h < 2 (1 + b) / (1 - b)

An adaptive optimizer divides by a diagonal P that it has accumulated, and h is then the largest eigenvalue of
P**-1/2 H P**-1/2 with the Hessian H: 38 / r for Adam's b = 0.9 (Cohen et al., 2021, Gradient descent on neural networks
typically occurs at the edge of stability; 2022, Adaptive gradient methods at the edge of stability). P changes, and the
bound with it: if the gradient grows, so does its divisor. Sound trainings may therefore be above the bound too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..diagnosis.training import Stability
from ..types import Array, Curvature, Tensors
from .native import NativeTrainer
from .recipe import Optimizer

_MOST_ITERATIONS = 60
_CONVERGED = 1e-3
#: A gradient that is so much smaller than the largest one is rounding error of a gradient of 0.
_NO_GRADIENT = 2.0**-24

Vector = Sequence[Array]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All variables before a step, and the preconditioner of that step, one array for each trainable variable.

    `preconditioner` is None if the optimizer has none. It is infinite for a variable that has had no gradient yet.
    """

    weights: tuple[Array, ...]
    preconditioner: tuple[Array, ...] | None = None


class NotMeasuredError(Exception):
    """The error if a curvature could not be measured; the message gives the reason."""


def stability(optimizer: Optimizer) -> Stability | None:
    """Return the bound of the stable rates; None for adadelta, whose step is a multiple of its own earlier steps."""
    settings = optimizer.settings
    m, b = settings.get("momentum", 0.0), settings.get("beta_1")
    if optimizer.name == "adadelta":
        return None
    if b is not None:
        bound = 2 * (1 + b) / (1 - b) if b < 1 else math.inf
        return Stability(bound, "2 (1 + beta_1) / (1 - beta_1) / curvature")
    if settings.get("nesterov"):
        return Stability(2 * (1 + m) / (1 + 2 * m), "2 (1 + momentum) / (1 + 2 momentum) / curvature")
    return Stability(2 * (1 + m), "2 (1 + momentum) / curvature" if m else "2 / curvature")


def preconditioner(trainer: NativeTrainer, optimizer: Optimizer) -> tuple[Array, ...] | None:
    """Return the divisor of the optimizer's last step; None if the optimizer has none.

    As in keras/src/optimizers. For Adam and Adamax it includes the bias corrections of both moments.
    """
    kept = {"rmsprop": "_velocities", "adagrad": "_accumulators", "adam": "_velocities", "adamax": "_u"}
    if optimizer.name not in kept:
        return None
    state, settings = trainer.optimizer, optimizer.settings
    slots = [np.asarray(slot.numpy(), np.float64) for slot in getattr(state, kept[optimizer.name])]
    roots = [slot if optimizer.name == "adamax" else np.sqrt(slot) for slot in slots]
    step, epsilon = int(state.iterations.numpy()), float(state.epsilon)
    if optimizer.name in ("rmsprop", "adagrad"):
        divisors = [np.sqrt(slot + epsilon) for slot in slots]
    else:
        second = 1.0 if optimizer.name == "adamax" else np.sqrt(1.0 - settings["beta_2"] ** step)
        divisors = [(1.0 - settings["beta_1"] ** step) / second * (root + epsilon) for root in roots]
    least = _NO_GRADIENT * max(float(root.max(initial=0.0)) for root in roots)
    return tuple(np.where(root > least, divisor, np.inf) for root, divisor in zip(roots, divisors, strict=True))


def largest_curvature(trainer: NativeTrainer, step: int, at: Snapshot, inputs: Tensors, targets: Tensors) -> Curvature:
    """Compute the largest eigenvalue of the Hessian at a snapshot, by power iteration with a fixed seed.

    The Hessian is preconditioned if `at` has a preconditioner. NotMeasuredError if a number is not finite, or an
    operation has no second derivative.
    """
    scales = None if at.preconditioner is None else [1.0 / np.sqrt(divisor) for divisor in at.preconditioner]

    def product(vector: Vector) -> Vector:
        if scales is None:
            return trainer.hessian_vector(inputs, targets, vector)
        scaled = [v * scale for v, scale in zip(vector, scales, strict=True)]
        return [h * s for h, s in zip(trainer.hessian_vector(inputs, targets, scaled), scales, strict=True)]

    before = trainer.weights
    trainer.set_weights(at.weights)
    try:
        largest, iterations = _largest_eigenvalue(product, [w.shape for w in at.weights[: trainer.trainable_count]])
    except LookupError as error:  # TensorFlow raises it, without a narrower type, if there is no derivative
        if type(error) is not LookupError:
            raise
        raise NotMeasuredError(f"an operation has no second derivative: {error}") from error
    finally:
        trainer.set_weights(before)
    return Curvature(step, largest, iterations, scales is not None)


def _largest_eigenvalue(product: Callable[[Vector], Vector], shapes: Sequence[tuple[int, ...]]) -> tuple[float, int]:
    """Return the largest eigenvalue, and the number of products that it took.

    Power iteration finds the eigenvalue of the largest magnitude. If that is negative, the spectrum is shifted by it,
    so that the largest eigenvalue becomes the one of the largest magnitude.
    """
    found, iterations = _dominant(product, shapes, 0.0)
    if found >= 0.0:
        return found, iterations
    largest, more = _dominant(product, shapes, found)
    return largest, iterations + more


def _dominant(
    product: Callable[[Vector], Vector], shapes: Sequence[tuple[int, ...]], shift: float
) -> tuple[float, int]:
    """Find the eigenvalue that is farthest from `shift`."""
    rng = np.random.default_rng(0)
    vector: Vector = [np.asarray(rng.normal(size=shape)) for shape in shapes]
    eigenvalue = shift
    for iteration in range(1, _MOST_ITERATIONS + 1):
        norm = float(np.sqrt(sum(float(np.sum(v * v)) for v in vector)))
        if not norm:
            return shift, iteration
        vector = [v / norm for v in vector]
        multiplied = product(vector)
        found = sum(float(np.sum(v * h)) for v, h in zip(vector, multiplied, strict=True))
        if not np.isfinite(found):
            raise NotMeasuredError("the second derivative is not finite")
        if iteration > 2 and abs(found - eigenvalue) <= _CONVERGED * abs(found):
            return found, iteration
        eigenvalue, vector = found, [h - shift * v for v, h in zip(vector, multiplied, strict=True)]
    return eigenvalue, _MOST_ITERATIONS
