"""Files of older versions of Keras: what they left to the defaults of their time, and what they called otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pycheck.errors import ModelFileError
from pycheck.model import Model, identify, load

from ..conftest import more

pytestmark = pytest.mark.real

Change = Callable[[dict[str, Any]], None]


def _aged(model: Any, path: Path, version: str | None, change: Change) -> Path:
    """The file of a Keras 2 model with every layer's entry changed, as if `version` had written it."""
    model.save(path)

    def visit(item: Any) -> None:
        if isinstance(item, dict):
            if "class_name" in item:
                change(item)
            for value in item.values():
                visit(value)
        for value in item if isinstance(item, list) else ():
            visit(value)

    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        visit(config)
        file.attrs["model_config"] = json.dumps(config)
        for group in (file, file["model_weights"]):
            del group.attrs["keras_version"]
            if version:
                group.attrs["keras_version"] = version
    return path


def _predictions(model: Model, x: np.ndarray) -> np.ndarray:
    return next(iter(model.predict({model.info.signature.inputs[0].name: x}).values()))


def _forget_reset_after(entry: dict[str, Any]) -> None:
    entry["config"].pop("reset_after", None)


GRUS: dict[str, Callable[[Any], Any]] = {
    "GRU": lambda layers: layers.GRU(6, reset_after=False, name="memory"),
    "without a bias": lambda layers: layers.GRU(6, reset_after=False, use_bias=False, name="memory"),
    "Bidirectional": lambda layers: layers.Bidirectional(layers.GRU(4, reset_after=False), name="memory"),
    "cell": lambda layers: layers.RNN(layers.GRUCell(5, reset_after=False), name="memory"),
    "stacked cells": lambda layers: layers.RNN(
        [layers.GRUCell(5, reset_after=False), layers.GRUCell(3, reset_after=False)], name="memory"
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layer", ["cell", *more(*(name for name in GRUS if name != "cell"))])
@pytest.mark.parametrize("version", ["2.0.8", *more(None)])
def test_a_gru_of_before_reset_after_computes_as_it_did(
    tf_keras: Any, tmp_path: Path, layer: str, version: str | None
) -> None:
    original = tf_keras.Sequential([tf_keras.Input((7, 5)), GRUS[layer](tf_keras.layers), tf_keras.layers.Dense(2)])
    path = _aged(original, tmp_path / "old.h5", version, _forget_reset_after)
    x = np.random.default_rng(0).normal(size=(3, 7, 5)).astype(np.float32)
    model = load(identify(path))
    np.testing.assert_allclose(_predictions(model, x), original.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    assert any(note.startswith("reset_after=False, the default when Keras") for note in model.notes)


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore")
def test_a_gru_that_says_it_is_left_as_it_is(tf_keras: Any, tmp_path: Path) -> None:
    original = tf_keras.Sequential([tf_keras.Input((7, 5)), tf_keras.layers.GRU(6)])
    path = _aged(original, tmp_path / "new.h5", "2.15.0", lambda _: None)
    assert len(load(identify(path)).notes) == 1


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["GRU", *more("LSTM")])
def test_a_cudnn_layer_runs_without_a_gpu(tf_keras: Any, tmp_path: Path, kind: str) -> None:
    """Its weights are those of the plain layer, each kernel transposed gate by gate, and two biases in a row."""
    plain = tf_keras.Sequential([tf_keras.Input((7, 5)), getattr(tf_keras.layers, kind)(4, name="memory")])
    rng, gates = np.random.default_rng(0), 3 if kind == "GRU" else 4
    plain.set_weights([rng.normal(size=weight.shape) for weight in plain.get_weights()])

    def rename(entry: dict[str, Any]) -> None:
        if entry["class_name"] == kind:
            entry["class_name"] = f"CuDNN{kind}"
            for key in ("reset_after", "recurrent_activation", "use_bias", "activation"):
                entry["config"].pop(key, None)

    path = _aged(plain, tmp_path / "cudnn.h5", "2.2.4", rename)
    kernel, recurrent, bias = plain.get_weights()

    def transposed(matrix: np.ndarray) -> np.ndarray:
        return np.hstack([block.T.reshape(block.shape) for block in np.split(matrix, gates, axis=1)])

    biases = bias.reshape(-1) if kind == "GRU" else np.concatenate([np.zeros_like(bias), bias])
    weights = [transposed(kernel), transposed(recurrent), biases]
    with h5py.File(path, "a") as file:
        group = file["model_weights/memory"]
        names = [name.decode() if isinstance(name, bytes) else name for name in group.attrs["weight_names"]]
        for name, value in zip(names, weights, strict=True):
            del group[name]
            group[name] = value.astype(np.float32)
    x = rng.normal(size=(3, 7, 5)).astype(np.float32)
    np.testing.assert_allclose(_predictions(load(identify(path)), x), plain.predict(x, verbose=0), rtol=1e-4, atol=1e-5)


KERAS1_NAMES = {
    "Conv1D": ("Convolution1D", {"filters": "nb_filter", "padding": "border_mode", "use_bias": "bias"}),
    "Conv2D": ("Convolution2D", {"filters": "nb_filter", "padding": "border_mode", "strides": "subsample"}),
    "Dense": ("Dense", {"units": "output_dim", "use_bias": "bias"}),
    "Dropout": ("Dropout", {"rate": "p"}),
    "LSTM": ("LSTM", {"units": "output_dim", "recurrent_activation": "inner_activation", "dropout": "dropout_W"}),
    "MaxPooling2D": ("MaxPooling2D", {"padding": "border_mode"}),
}


def _to_keras1(entry: dict[str, Any]) -> None:
    """Names as Keras 1.2 wrote them, with what it wrote beside."""
    if entry["class_name"] not in KERAS1_NAMES:
        return
    config = entry["config"]
    size = config.get("kernel_size")
    entry["class_name"], names = KERAS1_NAMES[entry["class_name"]]
    kept = {"name", "trainable", "batch_input_shape", "activation", "pool_size", "strides", "return_sequences", *names}
    config = {names.get(key, key): value for key, value in config.items() if key in kept}
    config |= {"init": "glorot_uniform", "W_regularizer": None, "b_constraint": None, "input_dtype": "float32"}
    if entry["class_name"] == "Convolution2D":
        config |= {"nb_row": size[0], "nb_col": size[1], "dim_ordering": "tf"}
    elif entry["class_name"] == "Convolution1D":
        config |= {"filter_length": size[0], "subsample_length": config.pop("strides")[0], "input_dim": None}
    elif entry["class_name"] == "MaxPooling2D":
        config["dim_ordering"] = "tf"
    elif entry["class_name"] == "LSTM":
        config |= {"inner_init": "orthogonal", "forget_bias_init": "one", "consume_less": "cpu", "U_regularizer": None}
    entry["config"] = config


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("version", ["1.2.2", None])
def test_images_through_a_network_of_keras_1(tf_keras: Any, tmp_path: Path, version: str | None) -> None:
    layers = tf_keras.layers
    original = tf_keras.Sequential(
        [
            layers.Conv2D(4, (3, 2), strides=2, padding="same", activation="relu", input_shape=(9, 8, 3)),
            layers.MaxPooling2D((2, 1), strides=(1, 2)),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", use_bias=False),
        ]
    )
    path = _aged(original, tmp_path / "keras1.h5", version, _to_keras1)
    x = np.random.default_rng(0).normal(size=(3, 9, 8, 3)).astype(np.float32)
    model = load(identify(path))
    np.testing.assert_allclose(_predictions(model, x), original.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    assert any(note.startswith("arguments of Keras 1") for note in model.notes)


@pytest.mark.filterwarnings("ignore")
def test_a_sequence_through_an_lstm_of_keras_1_whose_gates_are_apart(tf_keras: Any, tmp_path: Path) -> None:
    original = tf_keras.Sequential(
        [tf_keras.layers.LSTM(4, recurrent_activation="hard_sigmoid", input_shape=(7, 5), name="memory")]
    )
    path = _aged(original, tmp_path / "keras1.h5", "1.2.2", _to_keras1)
    kernel, recurrent, bias = (np.split(weight, 4, axis=-1) for weight in original.get_weights())
    with h5py.File(path, "a") as file:
        group = file["model_weights/memory"]
        for name in list(group):
            del group[name]
        names = []
        for gate, letter in ((0, "i"), (2, "c"), (1, "f"), (3, "o")):
            for prefix, parts in (("W", kernel), ("U", recurrent), ("b", bias)):
                names.append(f"memory_{prefix}_{letter}")
                group[names[-1]] = parts[gate]
        group.attrs["weight_names"] = [name.encode() for name in names]
    x = np.random.default_rng(0).normal(size=(3, 7, 5)).astype(np.float32)
    np.testing.assert_allclose(
        _predictions(load(identify(path)), x), original.predict(x, verbose=0), rtol=1e-5, atol=1e-6
    )


@pytest.mark.filterwarnings("ignore")
def test_an_argument_that_no_later_keras_has_is_named(tf_keras: Any, tmp_path: Path) -> None:
    original = tf_keras.Sequential([tf_keras.layers.BatchNormalization(input_shape=(4,), name="norm")])
    path = _aged(original, tmp_path / "keras1.h5", "1.0.8", lambda entry: entry["config"].update(mode=1))
    with pytest.raises(ModelFileError, match="'norm' is a BatchNormalization of mode 1"):
        load(identify(path))


@pytest.mark.filterwarnings("ignore")
def test_relu6_of_old_mobilenets_is_known(tf: Any, tf_keras: Any, tmp_path: Path) -> None:
    original = tf_keras.Sequential(
        [tf_keras.layers.Dense(4, input_shape=(3,)), tf_keras.layers.Activation(tf.nn.relu6)]
    )
    path = _aged(original, tmp_path / "old.h5", "2.1.6", lambda _: None)
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32) * 20
    np.testing.assert_allclose(_predictions(load(identify(path)), x), original.predict(x, verbose=0), rtol=1e-5)
