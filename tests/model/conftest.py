"""Small models in every format, saved once for all tests of this folder."""

from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import h5py
import pytest


@pytest.fixture(scope="session")
def keras() -> Any:
    from pycheck.model.tensorflow_import import import_tensorflow

    import_tensorflow()
    import keras

    return keras


@pytest.fixture(scope="session")
def tf_keras(keras: Any) -> Any:
    import tf_keras

    return tf_keras


@pytest.fixture(scope="session")
def tf(keras: Any) -> Any:
    import tensorflow

    return tensorflow


def tiny(package: Any) -> Any:
    """Three numbers in, two out, by either Keras."""
    x = package.Input((3,), name="x")
    return package.Model(x, package.layers.Dense(2, name="y")(x))


@pytest.fixture(scope="session")
def saved(keras: Any, tf_keras: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Paths of the same architecture: k3.h5, k3.keras, k2.h5, k2.keras, saved_model, and weights alone."""
    folder = tmp_path_factory.mktemp("models")
    with warnings.catch_warnings(action="ignore"):
        for prefix, package in (("k3", keras), ("k2", tf_keras)):
            model = tiny(package)
            for suffix in (".h5", ".keras", ".weights.h5"):
                path = folder / f"{prefix}{suffix}"
                model.save_weights(path) if "weights" in suffix else model.save(path)
        tiny(tf_keras).save_weights(folder / "k2_weights.h5", save_format="h5")
    tiny(keras).export(folder / "saved_model")
    return {path.name: path for path in folder.iterdir()}


def write_h5(path: Path, config: dict[str, Any], version: str = "3.8.0") -> Path:
    """An .h5 of that architecture, without weights: enough for whatever is decided before they are read."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = version
    return path


def write_keras(path: Path, config: dict[str, Any], version: str = "3.3.0") -> Path:
    """A .keras of that architecture, without weights."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.writestr("model.weights.h5", b"")
    return path
