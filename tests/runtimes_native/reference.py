"""Layers computed by NumPy in float64, from their definitions and independent of TensorFlow.

Epsilons are the float32 values that the model really has.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
EPSILON = float(np.float32(1e-3))


def wide(weights: list[Any]) -> list[Array]:
    return [np.asarray(weight, np.float64) for weight in weights]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softmax(x: Array) -> Array:
    shifted = np.exp(x - x.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def conv2d(x: Array, kernel: Array, bias: Array) -> Array:
    """Stride 1, padding "valid"."""
    height, width = kernel.shape[:2]
    rows, columns = x.shape[1] - height + 1, x.shape[2] - width + 1
    result = np.zeros((len(x), rows, columns, kernel.shape[3]))
    for i, j in itertools.product(range(height), range(width)):
        result += x[:, i : i + rows, j : j + columns] @ kernel[i, j]
    return result + bias


def batch_norm(x: Array, gamma: Array, beta: Array, mean: Array, variance: Array, epsilon: float = EPSILON) -> Array:
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def layer_norm(x: Array, gamma: Array, beta: Array, epsilon: float = EPSILON) -> Array:
    centered = x - x.mean(-1, keepdims=True)
    return centered / np.sqrt((centered**2).mean(-1, keepdims=True) + epsilon) * gamma + beta


def lstm(x: Array, kernel: Array, recurrent: Array, bias: Array) -> Array:
    """The last hidden state; gates in Keras's order: input, forget, cell, output."""
    hidden = cell = np.zeros((len(x), recurrent.shape[0]))
    for step in range(x.shape[1]):
        i, f, g, o = np.split(x[:, step] @ kernel + hidden @ recurrent + bias, 4, axis=-1)
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
        hidden = sigmoid(o) * np.tanh(cell)
    return hidden


def gru(x: Array, kernel: Array, recurrent: Array, bias: Array) -> Array:
    """The last hidden state, reset_after=True; gates in Keras's order: update, reset, candidate."""
    hidden = np.zeros((len(x), recurrent.shape[0]))
    for step in range(x.shape[1]):
        xz, xr, xh = np.split(x[:, step] @ kernel + bias[0], 3, axis=-1)
        hz, hr, hh = np.split(hidden @ recurrent + bias[1], 3, axis=-1)
        update = sigmoid(xz + hz)
        hidden = update * hidden + (1 - update) * np.tanh(xh + sigmoid(xr + hr) * hh)
    return hidden


def resize_bilinear(x: Array, height: int, width: int) -> Array:
    """Half-pixel centers, edges clamped."""

    def along(array: Array, axis: int, size: int) -> Array:
        old = array.shape[axis]
        position = np.clip((np.arange(size) + 0.5) * old / size - 0.5, 0, old - 1)
        low = np.floor(position).astype(int)
        high = np.minimum(low + 1, old - 1)
        weight = (position - low).reshape([-1 if a == axis else 1 for a in range(array.ndim)])
        return np.take(array, low, axis) * (1 - weight) + np.take(array, high, axis) * weight

    return along(along(x, 1, height), 2, width)


def pool3d(x: Array, windows: Sequence[int], strides: Sequence[int], reduce: Any) -> Array:
    """Padding "same": windows that reach over an edge are cut there."""
    sizes = [-(-size // stride) for size, stride in zip(x.shape[1:4], strides, strict=True)]
    result = np.zeros((len(x), *sizes, x.shape[4]))
    for position in itertools.product(*map(range, sizes)):
        cut = []
        for place, size, count, window, stride in zip(position, x.shape[1:4], sizes, windows, strides, strict=True):
            before = max((count - 1) * stride + window - size, 0) // 2
            start = place * stride - before
            cut.append(slice(max(start, 0), min(start + window, size)))
        result[:, *position] = reduce(x[:, cut[0], cut[1], cut[2]], axis=(1, 2, 3))
    return result


def local_response_normalization(x: Array, radius: int, bias: float, alpha: float, beta: float) -> Array:
    result = np.empty_like(x)
    for channel in range(x.shape[-1]):
        window = x[..., max(channel - radius, 0) : channel + radius + 1]
        result[..., channel] = x[..., channel] / (bias + alpha * (window**2).sum(-1)) ** beta
    return result
