"""A training that Python or TF.js cannot do is refused with the reason, before a browser starts."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.errors import InputsFileError, UsageError

from ..conftest import Cli, more
from .failures import dense, noise, sums

pytestmark = pytest.mark.real


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
    assert "8 inputs, but 5 targets" in refuse(dense(3, (1, None)), x, sums(x)[:5])


def test_targets_of_text_and_targets_that_are_no_classes() -> None:
    x, model = noise(4, 3), dense(3, (2, "softmax"))
    said = refuse(model, x, np.array([["a"], ["b"], ["a"], ["b"]]), loss="sparse_categorical_crossentropy")
    assert "targets do not fit" in said
    said = refuse(model, x, np.array([0, 1, 2, 0]), loss="sparse_categorical_crossentropy")
    assert "2 is not a class" in said
    said = refuse(model, x, np.array([0.5, 1, 1, 0]), loss="sparse_categorical_crossentropy")
    assert "targets do not fit" in said


def test_an_optimizer_that_only_keras_has_also_where_the_model_brings_it() -> None:
    import keras

    x, model = noise(4, 3), dense(3, (1, None))
    assert "TF.js has no optimizer nadam" in refuse(model, x, sums(x), optimizer="nadam")
    model.compile(keras.optimizers.AdamW(0.01), "mse")
    assert "TF.js has no optimizer adamw" in refuse(model, x, sums(x), optimizer=None)


def test_steps_and_batches_below_one() -> None:
    x = noise(4, 3)
    assert "steps 0" in refuse(dense(3, (1, None)), x, sums(x), steps=0)
    assert "batch_size 0" in refuse(dense(3, (1, None)), x, sums(x), batch_size=0)


@pytest.mark.parametrize(
    ("targets", "loss", "reason"),
    [
        (np.ones((4, 2), np.float32), "mse", "targets do not fit the loss"),
        (np.array([["a"], ["b"], ["a"], ["b"]]), "mse", "targets do not fit the loss"),
        (np.ones((4, 1), np.complex64), "mse", "targets do not fit the loss"),
        (np.empty((0, 1), np.float32), "mse", "no samples"),
        (np.ones((4, 3), np.float32), "sparse_categorical_crossentropy", "targets do not fit the loss"),
    ],
)
def test_targets_of_another_shape_or_type_than_the_loss_takes(targets: Any, loss: str, reason: str) -> None:
    assert reason in refuse(dense(3, (1, None)), noise(4, 3), targets, loss=loss)


def test_a_model_without_trainable_weights() -> None:
    x, model = noise(4, 3), dense(3, (1, None))
    model.trainable = False
    assert "no trainable weights" in refuse(model, x, sums(x))


def test_a_model_that_can_only_be_a_graph_and_one_that_is() -> None:
    import keras

    x = keras.Input((3,), name="x")
    model = keras.Model(x, keras.ops.erf(keras.layers.Dense(1, name="y")(x)))
    values = noise(4, 3)
    assert "graph artifact" in refuse(model, values, sums(values))


@pytest.mark.parametrize(
    ("kind", "arguments", "advice"),
    [
        ("BatchNormalization", {"scale": False}, "scale=True"),
        ("GroupNormalization", {"groups": 2}, "Replace it with LayerNormalization"),
        *more(
            ("LayerNormalization", {"scale": False, "center": False}, "scale=True"),
            ("GroupNormalization", {"groups": 2, "scale": False}, "Replace it with LayerNormalization"),
            ("Normalization", {"mean": [1.0] * 4, "variance": [2.0] * 4}, "Normalize the inputs before"),
        ),
    ],
)
def test_a_normalization_without_a_scale_is_named_with_the_advice(
    kind: str, arguments: dict[str, Any], advice: str
) -> None:
    import keras

    layer = getattr(keras.layers, kind)(name="norm", **arguments)
    inner = keras.Sequential([keras.Input((4, 4)), layer], name="inner")
    model = keras.Sequential([keras.Input((4, 4)), inner, keras.layers.Flatten(), keras.layers.Dense(1)])
    said = refuse(model, noise(8, 16).reshape(8, 4, 4), noise(8, 1))
    assert "TF.js cannot train a normalization without a scale" in said
    assert f"norm ({kind})" in said
    assert advice in said


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model as a TF.js model of both formats, and inputs and targets for it."""
    from pycheck.conversion import convert
    from pycheck.model import load

    folder = tmp_path_factory.mktemp("artifacts")
    loaded = load(dense(3, (4, "tanh"), (1, None)))
    convert(loaded, folder / "graph", format="graph")
    convert(loaded, folder / "layers", format="layers")
    x = noise(16, 3)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", sums(x))
    return folder


def test_a_graph_model_of_tfjs_is_refused_with_the_reason_and_the_way_out(command: Cli, artifacts: Path) -> None:
    files = (artifacts / "graph" / "model.json", artifacts / "x.npy", artifacts / "y.npy")
    for name in ("train", "gradients"):
        said = command(name, *files, "--loss", "mse", *(["--optimizer", "sgd:0.1"] if name == "train" else []))
        assert said.code == 2
        text = " ".join(said.err.split())
        assert "it is a TF.js graph model" in text
        assert "its weights are constants" in text
        assert "Give the Keras model" in text


def test_a_layers_model_of_tfjs_is_trained_as_the_layers_that_it_describes(command: Cli, artifacts: Path) -> None:
    files = (artifacts / "layers" / "model.json", artifacts / "x.npy", artifacts / "y.npy")
    said = command(
        "train", *files, "--loss", "mse", "--optimizer", "sgd:0.1", "--steps", "5", "--runtime", "chromium:cpu"
    )
    assert said.code == 0, said.err
    text = " ".join(said.out.split())
    assert "chromium:cpu agrees with Python for 5 steps" in text
    assert "the training uses the layers of the TF.js model, rebuilt with Keras 2" in text


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--steps", "0"), "--steps"),
        (("--batch-size", "0"), "--batch-size"),
        (("--optimizer", "lion:0.1"), "TF.js has no optimizer lion"),
        (("--loss", "huber"), "TF.js has no loss huber"),
    ],
)
def test_a_command_line_that_cannot_be_trained_ends_with_2_and_the_reason(
    command: Cli, artifacts: Path, arguments: tuple[str, str], reason: str
) -> None:
    given = {"--optimizer": "sgd:0.1", "--loss": "mse"} | dict([arguments])
    flat = [word for pair in given.items() for word in pair]
    said = command("train", artifacts / "layers" / "model.json", artifacts / "x.npy", artifacts / "y.npy", *flat)
    assert said.code == 2
    assert reason in said.err


def test_a_saved_model(tmp_path: Path) -> None:
    model = dense(3, (1, None))
    model.export(tmp_path / "saved")
    x = noise(4, 3)
    assert "it is a SavedModel" in refuse(str(tmp_path / "saved"), x, sums(x))


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


@pytest.mark.parametrize(
    ("library", "policy"),
    [
        ("keras", "mixed_float16"),
        pytest.param("keras", "mixed_bfloat16", marks=pytest.mark.exhaustive),
        pytest.param("tf_keras", "mixed_float16", marks=pytest.mark.exhaustive),
    ],
)
def test_a_mixed_policy_is_named_with_code_that_makes_a_copy_in_float32(library: str, policy: str) -> None:
    keras = importlib.import_module(library)
    layers = [keras.layers.Dense(4, dtype=policy, name="half"), keras.layers.Dense(1, name="whole")]
    model = keras.Sequential([keras.Input((3,)), *layers])
    said = refuse(model, noise(8, 3), sums(noise(8, 3)))
    assert f"half has the dtype policy {policy}" in said and "whole" not in said
    code = said[said.index("copy = ") :]
    names: dict[str, Any] = {library: keras, "model": model}
    exec(code, names)
    copy = names["copy"]
    x = noise(4, 3)
    np.testing.assert_allclose(copy.predict(x, verbose=0), model.predict(x, verbose=0), atol=0.05)
    assert pycheck.train(
        copy, noise(8, 3), sums(noise(8, 3)), optimizer="sgd:0.1", loss="mse", runtimes=["chromium:cpu"], steps=3
    ).passed
