"""Code that a model file carries is found before anything is built from the file."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.errors import ModelFileError
from pycheck.model import ModelSource, identify, load, loading

from .conftest import write_h5, write_keras

pytestmark = pytest.mark.real


def layered(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": "Functional", "config": {"name": "model", "layers": list(layers)}}


LAMBDA = {"class_name": "Lambda", "config": {"name": "double_it", "function": {"class_name": "__lambda__"}}}
CARRIERS = {
    "a Lambda layer": (layered(LAMBDA), "the layer 'double_it' is a Lambda"),
    "a Lambda layer inside a nested model": (layered(layered(LAMBDA)), "the layer 'double_it' is a Lambda"),
    "a Lambda under another package": (
        layered({**LAMBDA, "class_name": "Custom>Lambda"}),
        "the layer 'double_it' is a Lambda",
    ),
    "a pickled function as an activation": (
        layered({"class_name": "Dense", "config": {"name": "d", "activation": {"class_name": "__lambda__"}}}),
        "the layer 'd' holds a pickled Python function",
    ),
    "a pickled function of Keras 2": (
        layered({"class_name": "Dense", "config": {"name": "d", "function_type": "lambda"}}),
        "the layer 'd' holds a pickled Python function",
    ),
    "a TensorFlow function that writes files": (
        layered({"class_name": "TFOpLambda", "config": {"name": "w", "function": "io.write_file"}}),
        "the layer 'w' calls tf.io.write_file",
    ),
    "a TensorFlow function that calls Python": (
        layered({"class_name": "TFOpLambda", "config": {"name": "p", "function": "numpy_function"}}),
        "the layer 'p' calls tf.numpy_function",
    ),
}


@pytest.mark.parametrize("write", [write_h5, write_keras])
@pytest.mark.parametrize("case", CARRIERS)
def test_code_in_a_file_needs_trust(tmp_path: Path, write: Callable[..., Path], case: str) -> None:
    config, told = CARRIERS[case]
    source = identify(write(tmp_path / ("m.h5" if write is write_h5 else "m.keras"), config))
    with pytest.raises(ModelFileError) as caught:
        load(source)
    assert told in caught.value.message
    assert "--trust-model" in caught.value.advice


def save_with_lambda(package: Any, path: Path) -> ModelSource:
    x = package.Input((3,), name="x")
    with warnings.catch_warnings(action="ignore"):
        package.Model(x, package.layers.Lambda(lambda t: t * 2.0, name="double_it")(x)).save(path)
    return identify(path)


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_lambda_of_either_keras_runs_when_it_is_trusted_and_not_otherwise(
    request: pytest.FixtureRequest, tmp_path: Path, package: str, suffix: str
) -> None:
    source = save_with_lambda(request.getfixturevalue(package), tmp_path / f"m{suffix}")
    with pytest.raises(ModelFileError, match="'double_it' is a Lambda"):
        load(source)
    outputs = load(source, trust=True).predict({"x": np.ones((1, 3), np.float32)})
    np.testing.assert_array_equal(next(iter(outputs.values())), [[2, 2, 2]])


def test_tensorflow_functions_without_effects_need_no_trust(tf_keras: Any, tf: Any, tmp_path: Path) -> None:
    x = tf_keras.Input((3,), name="x")
    with warnings.catch_warnings(action="ignore"):
        tf_keras.Model(x, tf.math.sin(x) + 1.0).save(tmp_path / "m.h5")
    outputs = load(identify(tmp_path / "m.h5")).predict({"x": np.zeros((1, 3), np.float32)})
    np.testing.assert_array_equal(next(iter(outputs.values())), [[1, 1, 1]])


def test_a_saved_model_that_writes_files_needs_trust(tf: Any, tmp_path: Path) -> None:
    class Writer(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 1], name="x")])
        def serve(self, x: Any) -> Any:
            tf.io.write_file(str(tmp_path / "written"), "boo")
            return x

    writer = Writer()
    tf.saved_model.save(writer, str(tmp_path / "m"), signatures={"serving_default": writer.serve})
    with pytest.raises(ModelFileError, match=r"\(WriteFile, in .*\)") as caught:
        load(identify(tmp_path / "m"))
    assert "--trust-model" in caught.value.advice
    load(identify(tmp_path / "m"), trust=True)


@pytest.mark.parametrize("write", [write_h5, write_keras])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(("version", "library"), [("2.15.0", "tf_keras"), ("3.8.0", "keras")])
def test_no_module_is_imported_because_a_file_names_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[..., Path],
    nested: bool,
    version: str,
    library: str,
) -> None:
    (tmp_path / "trap_module.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\nclass Trap: pass")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(loading, "_imports_any_module", lambda: True)  # as Keras before 3.9 does
    named = {"module": "trap_module", "class_name": "Trap", "config": {"name": "l"}, "registered_name": "Trap"}
    config = layered({**named, "name": "l", "inbound_nodes": []}) if nested else named
    with pytest.raises(ModelFileError, match=f"uses 'Trap', which {library}"):
        load(identify(write(tmp_path / ("m.h5" if write is write_h5 else "m.keras"), config, version)))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_keras_that_would_import_any_module_reads_ordinary_files(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, suffix: str
) -> None:
    monkeypatch.setattr(loading, "_imports_any_module", lambda: True)  # as Keras before 3.9 does
    keras = request.getfixturevalue(package)
    x = keras.Input((4, 4, 1), name="x")
    inner = keras.Sequential([keras.layers.Conv2D(2, 2, kernel_regularizer="l2"), keras.layers.Dropout(0.1)])
    y = keras.layers.Dense(2, activation="softmax", kernel_initializer="ones")(keras.layers.Flatten()(inner(x)))
    with warnings.catch_warnings(action="ignore"):
        keras.Model(x, keras.layers.Activation("relu", dtype="float32")(y)).save(tmp_path / f"m{suffix}")
    assert load(identify(tmp_path / f"m{suffix}")).predict({"x": np.ones((1, 4, 4, 1), np.float32)})
