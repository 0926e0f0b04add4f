"""Implements TF.js's optimizers in NumPy and float64, to test whether they explain a difference.

Source: tfjs-core 4.22, src/optimizers/*_optimizer.ts, applyGradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..types import Array
from .recipe import Optimizer


class TfjsRule:
    """The state of one optimizer. `epsilon` is that of a TF.js backend: 1e-7, or 1e-4 on WebGL."""

    def __init__(self, optimizer: Optimizer, epsilon: float) -> None:
        self._name = optimizer.name
        self._rate = optimizer.learning_rate
        self._settings = dict(optimizer.settings)
        self._epsilon = optimizer.epsilon if optimizer.epsilon is not None else epsilon
        self._steps = 0
        self._first: list[Any] = []
        self._second: list[Any] = []

    def apply(self, gradients: Sequence[Array], weights: Sequence[Array]) -> list[Array]:
        """Return the weights after one step; the first weights have gradients, the others do not change."""
        self._steps += 1
        if not self._first:
            start = self._settings.get("initial_accumulator_value", 0.0)
            self._first = [np.full(g.shape, start) for g in gradients]
            self._second = [np.zeros(g.shape) for g in gradients]
        with np.errstate(all="ignore"):
            return [self._update(i, g, w) for i, (g, w) in enumerate(zip(gradients, weights, strict=False))]

    def _update(self, i: int, g: Any, w: Any) -> Any:
        s: dict[str, Any] = self._settings
        rate, epsilon = self._rate, self._epsilon
        if self._name == "sgd":
            return w - rate * g
        if self._name == "momentum":
            self._first[i] = s["momentum"] * self._first[i] + g
            return w - rate * (g + s["momentum"] * self._first[i] if s["nesterov"] else self._first[i])
        if self._name == "rmsprop":
            self._first[i] = s["rho"] * self._first[i] + (1 - s["rho"]) * g * g
            self._second[i] = s["momentum"] * self._second[i] + rate * g / np.sqrt(self._first[i] + epsilon)
            return w - self._second[i]
        if self._name == "adagrad":
            self._first[i] = self._first[i] + g * g
            return w - rate * g / np.sqrt(self._first[i] + epsilon)
        if self._name == "adadelta":
            # TF.js uses the accumulated gradient of the step before, Keras the new one.
            updates = np.sqrt(self._second[i] + epsilon) / np.sqrt(self._first[i] + epsilon) * g
            self._first[i] = s["rho"] * self._first[i] + (1 - s["rho"]) * g * g
            self._second[i] = s["rho"] * self._second[i] + (1 - s["rho"]) * updates * updates
            return w - rate * updates
        self._first[i] = s["beta_1"] * self._first[i] + (1 - s["beta_1"]) * g
        unbiased = 1 - s["beta_1"] ** self._steps
        if self._name == "adamax":
            self._second[i] = np.maximum(s["beta_2"] * self._second[i], np.abs(g))
            return w - rate / unbiased * (self._first[i] / (self._second[i] + epsilon))
        # Adam: TF.js adds epsilon to the root of the corrected moment, Keras to that of the uncorrected one.
        self._second[i] = s["beta_2"] * self._second[i] + (1 - s["beta_2"]) * g * g
        second = self._second[i] / (1 - s["beta_2"] ** self._steps)
        return w - rate * (self._first[i] / unbiased) / (np.sqrt(second) + epsilon)
