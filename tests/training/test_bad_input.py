"""What cannot be trained in both worlds is refused with the reason, before a browser starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.errors import InputsFileError, UsageError

from .failures import dense, noise, sums


def refuse(model: Any, x: Any, y: Any, **options: Any) -> str:
    with pytest.raises((UsageError, InputsFileError)) as caught:
        pycheck.train(model, x, y, **{"optimizer": "sgd:0.1", "loss": "mse"} | options)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_targets_of_another_shape_than_the_output() -> None:
    x = noise(8, 3)
    assert "targets do not fit the loss" in refuse(dense(3, (2, None)), x, sums(x))


def test_another_number_of_targets_than_of_inputs() -> None:
    x = noise(8, 3)
    assert "8 inputs and 5 targets" in refuse(dense(3, (1, None)), x, sums(x)[:5])


def test_targets_of_text_and_targets_that_are_no_classes() -> None:
    x, model = noise(4, 3), dense(3, (2, "softmax"))
    said = refuse(model, x, np.array([["a"], ["b"], ["a"], ["b"]]), loss="sparse_categorical_crossentropy")
    assert "targets do not fit" in said
    said = refuse(model, x, np.array([0, 1, 2, 0]), loss="sparse_categorical_crossentropy")
    assert "2 is no class" in said
    said = refuse(model, x, np.array([0.5, 1, 1, 0]), loss="sparse_categorical_crossentropy")
    assert "targets do not fit" in said


def test_an_optimizer_that_only_keras_has_also_where_the_model_brings_it() -> None:
    import keras

    x, model = noise(4, 3), dense(3, (1, None))
    assert "nadam is an optimizer of Keras alone" in refuse(model, x, sums(x), optimizer="nadam")
    model.compile(keras.optimizers.AdamW(0.01), "mse")
    assert "adamw is an optimizer of Keras alone" in refuse(model, x, sums(x), optimizer=None)


def test_steps_below_one() -> None:
    x = noise(4, 3)
    assert "--steps is 0" in refuse(dense(3, (1, None)), x, sums(x), steps=0)


def test_a_model_without_trainable_weights() -> None:
    x, model = noise(4, 3), dense(3, (1, None))
    model.trainable = False
    assert "no trainable weights" in refuse(model, x, sums(x))


def test_a_model_that_can_only_be_a_graph_and_one_that_is() -> None:
    import keras

    x = keras.Input((3,), name="x")
    model = keras.Model(x, keras.ops.erf(keras.layers.Dense(1, name="y")(x)))
    values = noise(4, 3)
    assert "graph artifact, which cannot be trained" in refuse(model, values, sums(values))


def test_a_saved_model(tmp_path: Path) -> None:
    model = dense(3, (1, None))
    model.export(tmp_path / "saved", verbose=False)
    x = noise(4, 3)
    assert "its graph cannot be trained" in refuse(str(tmp_path / "saved"), x, sums(x))


def test_a_compiled_model_brings_its_own_optimizer_and_loss(tmp_path: Path) -> None:
    import keras

    from pycheck.model import identify, load
    from pycheck.training.compiled import compiled_of

    model = dense(3, (1, "sigmoid"))
    model.compile(keras.optimizers.Adam(0.02, epsilon=1e-5, clipnorm=2.0), keras.losses.BinaryCrossentropy())
    for name in ("model.keras", "model.h5"):
        model.save(tmp_path / name)
        compiled = compiled_of(load(identify(tmp_path / name)), optimizer_given=False, loss_given=False)
        assert str(compiled.optimizer) == "adam:0.02,epsilon=1e-05"
        assert str(compiled.loss) == "binary_crossentropy"
        assert compiled.clips == (2.0, None, None)
