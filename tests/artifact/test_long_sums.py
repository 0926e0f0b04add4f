"""The simulated error of long sums has the size that a sum in sequence really has, and short sums have none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.artifact import read_artifact
from pycheck.artifact.long_sums import LongSums
from pycheck.conversion import convert
from pycheck.model import load
from pycheck.types import Array

pytestmark = pytest.mark.real


def in_sequence(terms: Array) -> Array:
    """The sums of the last axis in float32, one term after the other."""
    return np.asarray(np.cumsum(terms, axis=-1, dtype=np.float32)[..., -1])


def dense(x: Array, layer: Any) -> Array:
    kernel = layer.kernel.numpy()
    return np.stack([in_sequence(x * kernel[:, unit]) for unit in range(kernel.shape[1])], axis=-1)


def means(x: Array, _: Any) -> Array:
    return in_sequence(x.reshape(len(x), -1, x.shape[-1]).transpose(0, 2, 1)) / np.float32(x[0, ..., 0].size)


@pytest.mark.parametrize(
    ("name", "format"), [("Dense", "layers"), ("Dense", "graph"), ("GlobalAveragePooling2D", "layers")]
)
@pytest.mark.parametrize("shift", [0.0, 1.0], ids=["terms that cancel", "terms of one sign"])
def test_a_long_sum_has_the_error_of_a_sum_in_sequence(name: str, format: Any, shift: float, tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    shape = (60_000,) if name == "Dense" else (250, 250, 16)
    layer = keras.layers.Dense(24) if name == "Dense" else keras.layers.GlobalAveragePooling2D()
    given = keras.Input(shape)
    x = (np.random.default_rng(0).standard_normal((4, *shape)) + shift).astype(np.float32)
    artifact = convert(load(keras.Model(given, layer(given))), tmp_path / "artifact", format=format)
    sums = LongSums(read_artifact(artifact.folder / artifact.model_file))
    assert sums.count == 1
    (fed,), (fetched,) = artifact.input_names.values(), artifact.output_names.values()
    exact = sums.run({fed: x}, [fetched], disturbed=False)[fetched]
    errors = [sums.run({fed: x}, [fetched], disturbed=True)[fetched] - exact for _ in range(3)]
    sums.close()
    real = (dense if name == "Dense" else means)(x, layer) - exact.astype(np.float64)
    assert np.std(errors) == pytest.approx(np.std(real), rel=0.5)


def test_a_model_without_a_long_sum_has_none(tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((100,)), keras.layers.Dense(3), keras.layers.Softmax()])
    artifact = convert(load(model), tmp_path / "artifact")
    sums = LongSums(read_artifact(artifact.folder / artifact.model_file))
    assert sums.count == 0
    sums.close()
