"""The error of a gradient that sums many terms: how many there are, and how far they cancel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pycheck.inputs import from_arrays
from pycheck.model import load
from pycheck.training.keras_models import trainable_copy
from pycheck.training.native import NativeTrainer
from pycheck.training.recipe import RecipeText
from pycheck.training.sums import summation_errors
from pycheck.training.train import setup_of
from pycheck.types import Array

from .failures import dense, noise, sums

pytestmark = pytest.mark.real


def errors_of(model: Any, x: Array, y: Array) -> dict[str, float]:
    loaded = load(model)
    setup = setup_of(loaded, from_arrays(x, loaded.info.signature), y, RecipeText("sgd:0.01", "mse", 1))
    copy, _ = trainable_copy(setup.model, "float32")
    trainer = NativeTrainer(copy, setup.recipe, {})
    return {trainer.names[number]: error for number, error in summation_errors(trainer, *setup.plan.batch(0)).items()}


@pytest.mark.parametrize("strides", [1, 2])
def test_terms_and_cancellation_are_those_of_the_formula(strides: int) -> None:
    import keras

    rng = np.random.default_rng(0)
    image = keras.Input((40, 40, 2))
    layer = keras.layers.Conv2D(3, 1, strides=strides, name="conv")
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(layer(image)))
    x, y = rng.standard_normal((4, 40, 40, 2)).astype(np.float32), rng.standard_normal((4, 3)).astype(np.float32)
    seen = x[:, ::strides, ::strides].astype(np.float64)
    answers = np.einsum("bhwc,ck->bk", seen, layer.kernel.numpy()[0, 0]) / seen[0, ..., 0].size
    by_sample = np.einsum("bhwc,bk->bck", seen, 2 * (answers - y) / y.size / seen[0, ..., 0].size)
    cancels = np.abs(by_sample).sum(axis=0).max() / np.abs(by_sample.sum(axis=0)).max()
    terms = seen[..., 0].size
    found = errors_of(model, x, y)
    assert set(found) == {"conv/kernel", "conv/bias"}
    assert found["conv/kernel"] == pytest.approx(math.sqrt(terms / 3) * cancels, rel=1e-4)


def test_a_sum_of_few_terms_is_not_measured() -> None:
    x = noise(48, 4)
    assert errors_of(dense(4, (8, "tanh"), (1, None)), x, sums(x)) == {}
