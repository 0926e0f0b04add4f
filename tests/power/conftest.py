"""Models, each compared once in a real browser, with its power measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck import Report

from ..shared import session

MODELS = Path(__file__).parents[2] / "models"


@dataclass(frozen=True)
class Compared:
    """One model, its inputs, its saved run and its report."""

    model: Any
    inputs: dict[str, np.ndarray]
    saved: Path
    report: Report


Compare = Callable[[str], Compared]


def _residual() -> tuple[Any, dict[str, np.ndarray]]:
    """Blocks with batch normalization whose statistics fit the inputs."""
    import keras

    keras.utils.set_random_seed(1)
    layers = keras.layers
    x = keras.Input((12, 12, 3), name="image")
    y = layers.Conv2D(8, 3, padding="same", name="stem")(x)
    for number in range(3):
        z = layers.BatchNormalization(name=f"norm_{number}")(y)
        z = layers.Conv2D(8, 3, padding="same", activation="relu", name=f"conv_{number}")(z)
        y = layers.Add(name=f"add_{number}")([y, z])
    y = layers.GlobalAveragePooling2D(name="pool")(y)
    model = keras.Model(x, layers.Dense(5, activation="softmax", name="scores")(y))
    images = np.random.default_rng(2).normal(size=(24, 12, 12, 3)).astype(np.float32)
    for _ in range(60):
        model(images, training=True)
    for layer in model.layers:
        if "norm" in layer.name:
            layer.beta.assign(np.random.default_rng(3).normal(size=8))
    return model, {"image": images}


def _words() -> tuple[Any, dict[str, np.ndarray]]:
    """An embedding of many rows, of which the inputs select few, and a recurrent layer behind it."""
    import keras

    keras.utils.set_random_seed(2)
    x = keras.Input((6,), dtype="int32", name="ids")
    y = keras.layers.LSTM(8, name="lstm")(keras.layers.Embedding(500, 8, name="table")(x))
    model = keras.Model(x, keras.layers.Dense(3, name="y")(y))
    return model, {"ids": np.random.default_rng(0).integers(0, 40, (16, 6)).astype(np.int32)}


def _sample(name: str) -> tuple[Any, dict[str, np.ndarray]]:
    (file,) = MODELS.glob(f"{name}_inputs.*")
    loaded = np.load(file)
    path = MODELS / f"{name}.keras"
    if isinstance(loaded, np.ndarray):
        import keras

        return path, {keras.models.load_model(path).inputs[0].name: loaded[:32]}
    return path, {key: loaded[key][:32] for key in loaded.files}


MADE: dict[str, Callable[[], tuple[Any, dict[str, np.ndarray]]]] = {
    "residual": _residual,
    "words": _words,
    **{name: (lambda name=name: _sample(name)) for name in ("cnn", "attention", "recurrent", "two_io")},
}


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Compare:
    """Compares a model of `MADE` on TF.js's cpu backend, once."""

    @cache
    def compare(name: str) -> Compared:
        model, inputs = MADE[name]()
        folder = tmp_path_factory.mktemp(name)
        saved = folder / "run"
        if not isinstance(model, Path):  # the artifact of a live model is gone after the comparison
            model.save(folder / "model.keras")
            model = folder / "model.keras"
        format = "layers" if name == "cnn" else "graph"  # which is read in less time
        report = session.compare(model, inputs, runtimes=["chromium:cpu"], save_run=saved, format=format)
        assert report.passed, str(report)
        return Compared(model, inputs, saved, report)

    return compare
