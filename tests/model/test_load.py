"""Loading every format: names, shapes, values, and what is told when a model cannot be loaded."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.errors import ArtifactFileError, InstallationError, ModelFileError
from pycheck.model import ModelSource, identify, load
from pycheck.types import TensorSpec

from .conftest import tiny, write_keras

pytestmark = pytest.mark.real

X = np.array([[1, 2, 3], [-1, 0, 1]], np.float32)


def refusal(source: Any, **options: Any) -> ModelFileError:
    with pytest.raises(ModelFileError) as caught:
        load(source, **options)
    assert "Traceback" not in str(caught.value) and "\n" not in caught.value.message
    return caught.value


def save(model: Any, path: Path) -> ModelSource:
    with warnings.catch_warnings(action="ignore"):
        model.save(path)
    return identify(path)


@pytest.mark.parametrize("name", ["k3.h5", "k3.keras", "k2.h5", "k2.keras"])
def test_a_file_loads_in_the_keras_that_wrote_it(saved: dict[str, Path], keras: Any, tf_keras: Any, name: str) -> None:
    package = keras if name.startswith("k3") else tf_keras
    model = load(identify(saved[name]))
    assert isinstance(model.keras_model, package.Model)
    assert model.notes == (f"written by Keras {package.__version__}, run by {package.__name__} {package.__version__}",)
    assert model.info.signature.inputs == (TensorSpec("x", "float32", (None, 3)),)
    assert model.info.signature.outputs == (TensorSpec("y", "float32", (None, 2)),)
    expected = package.saving.load_model(saved[name], compile=False).predict(X, verbose=0)
    np.testing.assert_allclose(model.predict({"x": X})["y"], expected, rtol=1e-6)
    assert model.timings_s.keys() == {"import_tensorflow", "load_model"}


def test_keras_2_numbers_are_those_of_keras_2_where_keras_3_computes_otherwise(
    tf_keras: Any, keras: Any, tmp_path: Path
) -> None:
    x = tf_keras.Input((1,), name="x")
    model = tf_keras.Model(x, tf_keras.layers.Activation("hard_sigmoid", name="y")(x))
    source = save(model, tmp_path / "m.h5")
    outputs = load(source).predict({"x": np.ones((1, 1), np.float32)})
    np.testing.assert_allclose(outputs["y"], 0.2 + 0.5, rtol=1e-6)
    in_keras_3 = keras.saving.load_model(source.path, compile=False)([np.ones((1, 1), np.float32)])
    np.testing.assert_allclose(in_keras_3, 1 / 6 + 0.5, rtol=1e-6)


def test_a_saved_model_loads_with_the_names_of_its_signature(saved: dict[str, Path]) -> None:
    model = load(identify(saved["saved_model"]))
    assert model.keras_model is None
    assert [spec.name for spec in model.info.signature.inputs] == ["x"]
    assert [spec.name for spec in model.info.signature.outputs] == ["output_0"]
    assert model.info.format == "saved-model"
    assert model.predict({"x": X})["output_0"].shape == (2, 2)


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_several_inputs_and_outputs_keep_names_and_order(request: pytest.FixtureRequest, package: str) -> None:
    k = request.getfixturevalue(package)
    zebra, ant = k.Input((3,), name="zebra"), k.Input((2,), name="ant")
    last, first = k.layers.Dense(4, name="last")(zebra), k.layers.Dense(5, name="first")(ant)
    model = load(k.Model([zebra, ant], [last, first]))
    assert [(spec.name, spec.shape) for spec in model.info.signature.inputs] == [
        ("zebra", (None, 3)),
        ("ant", (None, 2)),
    ]
    assert [(spec.name, spec.shape) for spec in model.info.signature.outputs] == [
        ("last", (None, 4)),
        ("first", (None, 5)),
    ]
    outputs = model.predict({"ant": np.ones((1, 2), np.float32), "zebra": np.ones((1, 3), np.float32)})
    kernel, bias = model.keras_model.get_layer("last").get_weights()
    np.testing.assert_allclose(outputs["last"], (kernel.sum(0) + bias)[None], rtol=1e-5, atol=1e-6)
    assert list(outputs) == ["last", "first"]


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_a_dict_of_outputs_gives_its_keys_as_names(request: pytest.FixtureRequest, package: str) -> None:
    k = request.getfixturevalue(package)
    x = k.Input((3,), name="x")
    model = load(k.Model({"x": x}, {"double": k.layers.Add()([x, x]), "same": k.layers.ReLU()(x)}))
    outputs = model.predict({"x": X})
    np.testing.assert_array_equal(outputs["double"], 2 * X)
    np.testing.assert_array_equal(outputs["same"], np.maximum(X, 0))


def test_outputs_of_one_layer_get_names_of_their_own(keras: Any) -> None:
    x = keras.Input((4, 3), name="x")
    model = load(keras.Model(x, keras.layers.LSTM(2, return_state=True, name="lstm")(x)))
    assert [spec.name for spec in model.info.signature.outputs] == ["lstm", "lstm_1", "lstm_2"]


def test_names_that_are_no_identifiers_survive(keras: Any) -> None:
    a, b = keras.Input((3,), name="left eye"), keras.Input((3,), name="left_eye")
    model = load(keras.Model([a, b], keras.layers.Subtract(name="out")([a, b])))
    outputs = model.predict({"left_eye": X, "left eye": 3 * X})
    np.testing.assert_array_equal(outputs["out"], 2 * X)
    assert list(model.frozen().inputs) == ["left eye", "left_eye"]


def test_a_name_that_tensorflow_refuses_is_to_be_changed(keras: Any) -> None:
    x = keras.Input((3,), name="entrée")
    model = keras.Model(x, keras.layers.Dense(1, name="sortie é")(x))
    with pytest.raises(ModelFileError, match="sortie é") as caught:
        load(model)
    assert "ASCII letters" in caught.value.advice


def test_an_operation_that_keras_does_not_read_from_hdf5_is_to_be_saved_as_keras(keras: Any, tmp_path: Path) -> None:
    x = keras.Input((3,))
    keras.Model(x, keras.ops.cast(x > 0, "float32")).save(tmp_path / "m.h5")
    error = refusal(identify(tmp_path / "m.h5"))
    assert "operation" in error.message and "model.save('model.keras')" in error.advice


def test_many_outputs_of_a_saved_model_are_in_the_order_of_their_numbers(keras: Any, tmp_path: Path) -> None:
    x = keras.Input((3,), name="x")
    keras.Model(x, [keras.layers.Dense(1)(x) for _ in range(12)]).export(tmp_path / "m")
    model = load(identify(tmp_path / "m"))
    assert [spec.name for spec in model.info.signature.outputs] == [f"output_{index}" for index in range(12)]


def test_dynamic_dimensions_and_types_are_in_the_signature(keras: Any) -> None:
    ids, flag = keras.Input((None,), dtype="int32", name="ids"), keras.Input((1,), dtype="bool", name="flag")
    y = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(20, 4)(ids))
    model = load(keras.Model([ids, flag], [y, keras.layers.Identity(name="same")(flag)]))
    assert model.info.signature.inputs == (
        TensorSpec("ids", "int32", (None, None)),
        TensorSpec("flag", "bool", (None, 1)),
    )
    assert model.info.signature.outputs[1] == TensorSpec("same", "bool", (None, 1))
    for length in (2, 7):
        outputs = model.predict({"ids": np.ones((3, length), np.int32), "flag": np.ones((3, 1), bool)})
        assert next(iter(outputs.values())).shape == (3, 4)


def test_a_fixed_batch_is_in_the_signature(keras: Any) -> None:
    x = keras.Input(batch_shape=(1, 3), name="x")
    model = load(keras.Model(x, keras.layers.Dense(2, name="y")(x)))
    assert model.info.signature.inputs[0].shape == (1, 3)
    assert model.predict({"x": X[:1]})["y"].shape == (1, 2)


def test_layers_run_as_for_inference(keras: Any) -> None:
    layers = keras.layers
    model = load(keras.Sequential([keras.Input((3,), name="x"), layers.Dropout(0.9), layers.GaussianNoise(1.0)]))
    np.testing.assert_array_equal(next(iter(model.predict({"x": X}).values())), X)


def test_bfloat16_comes_back_as_float32(keras: Any) -> None:
    x = keras.Input((3,), name="x", dtype="bfloat16")
    model = load(keras.Model(x, keras.layers.Dense(2, name="y", dtype="bfloat16")(x)))
    assert model.info.signature.outputs[0].dtype == "bfloat16"
    assert model.predict({"x": X})["y"].dtype == np.float32


# Live models.


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_a_live_model_is_known_by_its_config_and_weights(request: pytest.FixtureRequest, package: str) -> None:
    k = request.getfixturevalue(package)
    live = tiny(k)
    first = load(live).info
    assert (first.format, first.path) == ("keras-object", f"<{live.name}>")
    assert load(live).info.sha256 == first.sha256
    live.set_weights([weight + 1 for weight in live.get_weights()])
    assert load(live).info.sha256 != first.sha256


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_an_unbuilt_model_is_told_to_be_built(request: pytest.FixtureRequest, package: str) -> None:
    k = request.getfixturevalue(package)
    assert "is not built" in refusal(k.Sequential([k.layers.Dense(2)])).message


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_a_subclassed_model_that_was_called_is_taken(request: pytest.FixtureRequest, package: str) -> None:
    k = request.getfixturevalue(package)

    class Pair(k.Model):  # type: ignore[name-defined, misc]
        def call(self, inputs: Any) -> Any:
            return {"sum": inputs["a"] + inputs["b"]}

    live = Pair()
    live({"a": X, "b": X})
    model = load(live)
    assert {spec.name for spec in model.info.signature.inputs} == {"a", "b"}
    np.testing.assert_array_equal(model.predict({"a": X, "b": 2 * X})["sum"], 3 * X)


def test_something_else_is_no_model(keras: Any) -> None:
    assert "builtins.int" in refusal(3).message
    assert "not a keras.Model" in refusal(keras.layers.Dense(3)).message


# What cannot be loaded.


def test_a_damaged_tfjs_model_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text('{"modelTopology": {}}')
    with pytest.raises(ArtifactFileError, match="it has no weightsManifest"):
        load(identify(tmp_path / "model.json"))


@pytest.fixture
def custom_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module in the current directory with a layer of Keras 3 and one of Keras 2."""
    (tmp_path / "my_custom_layers.py").write_text(
        textwrap.dedent(
            """
            import keras, tf_keras

            class Tripled(keras.layers.Layer):
                def call(self, x):
                    return 3 * x

            class Tripled2(tf_keras.layers.Layer):
                def call(self, x):
                    return 3 * x

            OBJECTS = {"Tripled": Tripled}
            """
        )
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_custom_layers", raising=False)
    return "my_custom_layers"


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("attribute", ["Tripled", "OBJECTS", "Tripled2"])
def test_custom_layers_are_found_in_the_current_directory(
    request: pytest.FixtureRequest, tmp_path: Path, custom_module: str, attribute: str, suffix: str
) -> None:
    from pycheck.model.loading import import_custom_objects

    k = request.getfixturevalue("tf_keras" if attribute == "Tripled2" else "keras")
    layer_name = attribute.replace("OBJECTS", "Tripled")
    layer = import_custom_objects([f"{custom_module}:{layer_name}"])[layer_name]
    x = k.Input((3,), name="x")
    source = save(k.Model(x, layer(name="y")(x)), tmp_path / f"m{suffix}")
    error = refusal(source)
    assert repr(layer_name) in error.message
    assert f"--custom-objects your_module:{layer_name}" in error.advice
    model = load(source, custom_objects=[f"{custom_module}:{attribute}"])
    np.testing.assert_array_equal(model.predict({"x": X})["y"], 3 * X)
    assert str(tmp_path) not in sys.path


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("my_custom_layers", "module:attribute"),
        ("no_such_module_here:Layer", "'no_such_module_here'"),
        ("my_custom_layers:Missing", "has no 'Missing'"),
    ],
)
def test_a_custom_object_that_is_not_there_is_named(
    saved: dict[str, Path], custom_module: str, reference: str, told: str
) -> None:
    assert told in refusal(identify(saved["k3.h5"]), custom_objects=[reference]).message


def test_a_module_that_fails_on_import_gives_its_reason(
    saved: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_layers.py").write_text("raise RuntimeError('no licence')")
    monkeypatch.chdir(tmp_path)
    error = refusal(identify(saved["k3.h5"]), custom_objects=["broken_layers:A"])
    assert "broken_layers" in error.message and "no licence" in error.message


def test_a_damaged_config_gives_one_line(tmp_path: Path) -> None:
    config = {"module": "keras.layers", "class_name": "Dense", "config": {"units": "many"}, "registered_name": None}
    error = refusal(identify(write_keras(tmp_path / "m.keras", config)))
    assert re.match(r"keras \S+ cannot load .*m\.keras: ", error.message)


def test_a_file_of_a_newer_keras_that_does_not_load_says_which_keras_reads_it(tmp_path: Path) -> None:
    config = {"module": "keras.layers", "class_name": "Dense", "config": {"of_tomorrow": 1}, "registered_name": None}
    error = refusal(identify(write_keras(tmp_path / "m.keras", config, "9.10.0")))
    assert "Keras 9.10.0" in error.message
    assert 'pip install --upgrade "keras>=9.10.0"' in error.advice


def test_a_damaged_saved_model_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "saved_model.pb").write_bytes(b"\xff\xfe not a protocol buffer")
    assert "is damaged" in refusal(identify(tmp_path / "m")).message


def test_a_saved_model_without_its_variables_gives_one_line(saved: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "saved_model.pb").write_bytes((saved["saved_model"] / "saved_model.pb").read_bytes())
    assert "Cannot load" in refusal(identify(tmp_path / "m")).message


def test_a_signature_or_one_function_is_needed_and_must_leave_no_choice(tf: Any, tmp_path: Path) -> None:
    class Two(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 3], name="x")])
        def serve(self, x: Any) -> Any:
            return {"y": 2 * x}

    two = Two()
    tf.saved_model.save(two, str(tmp_path / "none"), signatures={})
    tf.saved_model.save(two, str(tmp_path / "two"), signatures={"a": two.serve, "b": two.serve})
    tf.saved_model.save(two, str(tmp_path / "one"), signatures={"only": two.serve})
    tf.saved_model.save(tf.Module(), str(tmp_path / "nothing"))
    assert "no serving signature and no traced function" in refusal(identify(tmp_path / "nothing")).message
    np.testing.assert_array_equal(load(identify(tmp_path / "none")).predict({"x": X})["y"], 2 * X)
    message = refusal(identify(tmp_path / "two")).message
    assert "several signatures" in message and ": a, b" in message
    np.testing.assert_array_equal(load(identify(tmp_path / "one")).predict({"x": X})["y"], 2 * X)


def test_inputs_without_a_known_rank_are_refused(tf: Any, tmp_path: Path) -> None:
    class Odd(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec(None, "float32", name="x")])
        def serve(self, x: Any) -> Any:
            return {"y": tf.zeros([2, 2])}

    odd = Odd()
    tf.saved_model.save(odd, str(tmp_path / "m"), signatures={"serving_default": odd.serve})
    assert "number of dimensions" in refusal(identify(tmp_path / "m")).message


def test_keras_on_another_backend_is_refused(monkeypatch: pytest.MonkeyPatch, keras: Any) -> None:
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(InstallationError) as caught:
        load(tiny(keras))
    assert "Keras runs on jax" in caught.value.message and "KERAS_BACKEND" in caught.value.advice


def test_nothing_is_printed_while_a_model_loads_and_runs(keras: Any, tmp_path: Path) -> None:
    x = keras.Input((8, 8, 4), name="x")
    save(keras.Model(x, keras.layers.Conv2D(4, 3, groups=2)(x)), tmp_path / "m.keras")  # XLA announces itself
    code = """
        import sys
        from pathlib import Path
        import numpy as np
        from pycheck.model import identify, load
        model = load(identify(Path(sys.argv[1])))
        model.predict({"x": np.ones((1, 8, 8, 4), np.float32)})
        model.frozen()
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "m.keras")]
    # A level that somebody set is theirs to set; without one nothing is to be heard.
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(
    "told",
    [
        "Graph execution error:\n\nDetected at node f/Reshape defined at (most recent call last):\n"
        "<stack traces unavailable>\nInput to reshape has 3 values\n\t [[{{node f/Reshape}}]] [Op:__inference_f_1]",
        "<stack traces unavailable>\nInput to reshape has 3 values",
    ],
)
def test_of_what_tensorflow_says_of_a_failed_run_the_reason_is_kept(told: str) -> None:
    from pycheck.model.messages import one_line

    assert one_line(ValueError(told)) == "Input to reshape has 3 values"
