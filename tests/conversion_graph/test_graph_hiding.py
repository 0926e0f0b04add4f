"""An artifact is the same whether or not the optimizer sees the large weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.conversion import convert
from pycheck.graphdef import optimize as graph_optimize
from pycheck.model import load

pytestmark = pytest.mark.real


def _scaled_convolutions() -> Any:
    import keras
    import tensorflow as tf

    layers = keras.layers
    x = keras.Input((8, 8, 4))
    y = layers.Conv2D(6, 3, use_bias=False)(x * 0.5)
    y = layers.Lambda(lambda t: t * tf.constant(np.linspace(1.0, 2.0, 6, dtype=np.float32)))(y)
    y = layers.SeparableConv2D(5, 3)(layers.Conv2DTranspose(4, 2)(y))
    return keras.Model(x, layers.Conv2D(3, 2)(y / 3.0))


def _zeros_and_ones() -> Any:
    import keras

    x = keras.Input((8,))
    ones = keras.layers.Dense(6, kernel_initializer="ones")(x)
    return keras.Model(x, keras.layers.Dense(4)(x) + keras.layers.Dense(4, kernel_initializer="zeros")(ones))


def _shared() -> Any:
    import keras

    x = keras.Input((8,))
    dense, back = keras.layers.Dense(6, name="shared"), keras.layers.Dense(8)
    return keras.Model(x, dense(x) + dense(back(dense(x)) * 2.0))


def _constant_values() -> Any:
    import keras
    import tensorflow as tf

    table, other = (tf.constant(np.random.default_rng(n).normal(size=(6, 6)).astype(np.float32)) for n in range(2))
    x = keras.Input((6,))
    product = keras.layers.Lambda(
        lambda t: t @ tf.transpose(table) + tf.matmul(table, other)[:1] + tf.gather(table, [1, 2])[:1] + table[:1]
    )
    return keras.Model(x, product(x))


def _attention_and_tables() -> Any:
    import keras

    layers = keras.layers
    x = keras.Input((5,), dtype="int32")
    y = layers.Embedding(40, 8)(x)
    y = layers.LayerNormalization()(y + layers.MultiHeadAttention(2, 4)(y, y))
    return keras.Model(x, layers.BatchNormalization()(layers.Dense(7)(layers.LSTM(6)(layers.Conv1D(8, 2)(y)))))


#: By model: how many of its weights the optimizer does not see, the first and the second time.
MODELS: list[tuple[Callable[[], Any], list[int]]] = [
    (_scaled_convolutions, [2, 5]),
    (_zeros_and_ones, [1, 1]),
    (_shared, [1, 0]),
    (_constant_values, [0, 1]),
    (_attention_and_tables, [2, 6]),
]


@pytest.mark.parametrize(("make", "counts"), MODELS)
def test_hidden_weights_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any], counts: list[int]
) -> None:
    import keras

    keras.utils.set_random_seed(0)
    model = load(make())
    hidden: list[int] = []
    hide_weights = graph_optimize.hide_weights

    def hide(body: Any) -> dict[str, Any]:
        found = hide_weights(body)
        hidden.append(len(found))
        return found

    monkeypatch.setattr(graph_optimize, "_LARGE_BYTES", 64)
    monkeypatch.setattr(graph_optimize, "hide_weights", hide)
    one = convert(model, tmp_path / "hidden", format="graph")
    monkeypatch.setattr(graph_optimize, "hide_weights", lambda body: {})
    other = convert(model, tmp_path / "seen", format="graph")
    files = [json.loads((tmp_path / name / "model.json").read_text()) for name in ("hidden", "seen")]
    assert files[0] == files[1]
    assert one.weights_sha256 == other.weights_sha256
    assert hidden == counts
