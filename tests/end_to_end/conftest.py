"""The command line as a person meets it, in this process so that TensorFlow is imported once, and tiny models."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ..conftest import Cli

#: Enough for a small model on a busy machine.
TIMEOUT = ("--timeout", "60")
CPU = ("--runtime", "chromium:cpu", *TIMEOUT)


@dataclass(frozen=True)
class Files:
    """Small models of every kind, and inputs for them, by file name."""

    folder: Path

    def __call__(self, name: str) -> Path:
        return self.folder / name

    def damaged(self, name: str, into: Path, change: Callable[[bytes], bytes]) -> Path:
        """A copy of a file with other bytes."""
        copy = into / name
        copy.write_bytes(change(self(name).read_bytes()))
        return copy


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """m.* takes x (4) and gives y (3), `two` takes a (4) and b (2); the others are named after what is wrong."""
    folder = tmp_path_factory.mktemp("files")
    _save_keras3(folder)
    _save_keras2(folder)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    np.save(folder / "x.npy", x)
    np.savez(folder / "x.npz", x=x)
    import safetensors.numpy

    safetensors.numpy.save_file({"x": x}, folder / "x.safetensors")
    return Files(folder)


def _save_keras3(folder: Path) -> None:
    import keras

    class Twice(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return 2 * x

    keras.utils.set_random_seed(0)
    x = keras.Input((4,), name="x")
    model = keras.Model(x, keras.layers.Dense(3, name="y")(x))
    a, b = keras.Input((4,), name="a"), keras.Input((2,), name="b")
    models = {
        "m": model,
        "two": keras.Model([a, b], keras.layers.Concatenate(name="y")([a, b])),
        "custom": keras.Model(x, Twice(name="y")(x)),
        "lambda": keras.Model(x, keras.layers.Lambda(lambda t: t * 2, name="code")(x)),
    }
    for name, built in models.items():
        built.save(folder / f"{name}.keras")
        built.save(folder / f"{name}.h5")
    model.save_weights(folder / "only.weights.h5")
    shutil.copy(folder / "only.weights.h5", folder / "weights.h5")


def _save_keras2(folder: Path) -> None:
    import tf_keras

    x = tf_keras.Input((4,), name="x")
    model = tf_keras.Model(x, tf_keras.layers.Dense(3, name="y")(x))
    with_code = tf_keras.Model(x, tf_keras.layers.Lambda(lambda t: t * 2, name="code")(x))
    model.save(folder / "keras2.h5")
    model.save_weights(folder / "weights2.h5")
    with_code.save(folder / "lambda2.h5")
    with_code.save(folder / "lambda2.keras")


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests that do not harm it."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go during one test, for this process and those that it starts."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory of one test, empty."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(command: Cli, files: Files, cache_dir: Path, work: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs one command line, in an empty directory."""
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(cache_dir))
    return command


@pytest.fixture(scope="session")
def artifacts(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """m.keras as a TF.js model of both formats: layers/model.json and graph/model.json."""
    from pycheck import convert

    folder = tmp_path_factory.mktemp("artifacts")
    for artifact_format in ("layers", "graph"):
        convert(files("m.keras"), folder / artifact_format, format=artifact_format, verify=False)
    return folder
