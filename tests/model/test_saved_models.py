"""SavedModel folders: which signature is taken, and what of their state remains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.errors import ConversionError, ModelFileError, UsageError
from pycheck.model import Model, identify, load

from .test_frozen import run

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def autoencoder(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Encode doubles, decode triples: with two signatures, with none, and with __call__ beside them."""

    class Coder(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 5], tf.float32, name="x")])
        def encode(self, x: Any) -> Any:
            return {"z": x * 2.0}

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="z")])
        def decode(self, z: Any) -> Any:
            return {"x": z * 3.0}

    class Callable(Coder):
        @tf.function
        def __call__(self, x: Any, training: bool = False) -> Any:
            return x + (100.0 if training else 1.0)

    folder = tmp_path_factory.mktemp("saved_models")
    coder, whole = Coder(), Callable()
    for training in (True, False):
        whole.__call__.get_concrete_function(tf.TensorSpec([None, 4], tf.float32), training=training)
    tf.saved_model.save(coder, str(folder / "two"), signatures={"encode": coder.encode, "decode": coder.decode})
    tf.saved_model.save(coder, str(folder / "functions"))
    tf.saved_model.save(whole, str(folder / "callable"))
    return {path.name: path for path in folder.iterdir()}


def _predict(model: Model) -> float:
    (spec,) = model.info.signature.inputs
    x = np.ones((2, *(size or 1 for size in spec.shape[1:])), np.float32)
    return float(next(iter(model.predict({spec.name: x}).values())).max())


@pytest.mark.parametrize(
    ("kind", "signature", "output"),
    [
        ("two", "encode", 2.0),
        ("two", "decode", 3.0),
        ("functions", "encode", 2.0),
        ("functions", "decode", 3.0),
        ("callable", None, 2.0),
        ("callable", "decode", 3.0),
    ],
)
def test_a_signature_or_a_function_is_taken_by_name(
    autoencoder: dict[str, Path], kind: str, signature: str | None, output: float
) -> None:
    assert _predict(load(identify(autoencoder[kind]), signature=signature)) == output


@pytest.mark.parametrize(
    ("kind", "signature", "message", "advice"),
    [
        ("two", None, "several signatures.*: decode, encode", "--signature decode, --signature encode"),
        ("functions", None, "several functions, and no signature: decode, encode", "--signature decode"),
        ("two", "encod", "has no signature 'encod'.*decode, encode", "Did you mean --signature encode"),
        ("functions", "Decode", "has no function 'Decode'", "Did you mean --signature decode"),
    ],
)
def test_what_there_is_is_listed(
    autoencoder: dict[str, Path], kind: str, signature: str | None, message: str, advice: str
) -> None:
    with pytest.raises(ModelFileError, match=message) as caught:
        load(identify(autoencoder[kind]), signature=signature)
    assert advice in caught.value.advice


def test_a_function_that_was_taken_for_want_of_a_signature_is_noted(autoencoder: dict[str, Path]) -> None:
    assert any("has no signature" in note for note in load(identify(autoencoder["callable"])).notes)


def test_a_signature_of_a_keras_file_is_refused(saved: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="only a SavedModel has signatures"):
        load(identify(saved["k3.keras"]), signature="encode")


def test_of_graphs_for_training_and_for_serving_the_latter_is_loaded(tf: Any, tmp_path: Path) -> None:
    """Modules of TensorFlow Hub for TensorFlow 1 have both."""
    v1 = tf.compat.v1
    builder = v1.saved_model.Builder(str(tmp_path / "hub"))
    for tags, factor in ((["train"], 10.0), ([], 2.0)):
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, [None, 3], name="x")
            w = v1.get_variable("w", initializer=factor, use_resource=True)
            signature = v1.saved_model.predict_signature_def({"x": x}, {"y": x * w})
            session.run(v1.global_variables_initializer())
            if tags:
                builder.add_meta_graph_and_variables(session, tags, {"default": signature})
            else:
                builder.add_meta_graph(tags, {"default": signature})
    builder.save()
    assert _predict(load(identify(tmp_path / "hub"))) == 10.0  # the one set of variables of both graphs


LAYERS_OF_TRAINING = {
    "Dropout": lambda layers: layers.Dropout(0.5),
    "SpatialDropout2D": lambda layers: layers.SpatialDropout2D(0.5),
    "GaussianNoise": lambda layers: layers.GaussianNoise(0.5),
}
RANDOM_LAYERS = {
    "RandomFlip": lambda layers: layers.RandomFlip("horizontal"),
    "RandomRotation": lambda layers: layers.RandomRotation(0.2),
}


def _exported(package: Any, layer: Any, folder: Path) -> tuple[Any, Path]:
    model = package.Sequential([package.Input((6, 6, 1)), layer(package.layers), package.layers.Rescaling(0.5)])
    model.export(str(folder / "exported"))
    return model, folder / "exported"


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize("layer", LAYERS_OF_TRAINING)
def test_layers_of_training_do_nothing_in_an_exported_folder(
    request: pytest.FixtureRequest, tmp_path: Path, package: str, layer: str
) -> None:
    original, folder = _exported(request.getfixturevalue(package), LAYERS_OF_TRAINING[layer], tmp_path)
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 1)).astype(np.float32)
    model = load(identify(folder))
    (spec,) = model.info.signature.inputs
    tf = request.getfixturevalue("tf")
    for outputs in (model.predict({spec.name: x}), run(tf, model, **{spec.name: x})):
        np.testing.assert_allclose(next(iter(outputs.values())), original.predict(x, verbose=0), rtol=1e-6)


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize("layer", RANDOM_LAYERS)
def test_a_folder_that_predicts_at_random_is_refused_with_the_layer(
    request: pytest.FixtureRequest, tmp_path: Path, package: str, layer: str
) -> None:
    _, folder = _exported(request.getfixturevalue(package), RANDOM_LAYERS[layer], tmp_path)
    name = "random_flip" if layer == "RandomFlip" else "random_rotation"
    with pytest.raises(ModelFileError, match=f"its layer [\\w/]*{name}\\w* draws random numbers") as caught:
        load(identify(folder))
    assert ".keras" in caught.value.advice


@pytest.fixture
def counting(tf: Any, tmp_path: Path) -> dict[str, Path]:
    """One counts its calls, and one adds that count to what it gives."""

    class Counter(tf.Module):
        def __init__(self, reads: bool) -> None:
            self.count, self.w = tf.Variable(0, dtype=tf.int64), tf.Variable(3.0)
            self.reads = reads

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
        def f(self, x: Any) -> Any:
            count = self.count.assign_add(1)
            scaled = tf.cond(tf.reduce_sum(x) > 0.0, lambda: x * self.w, lambda: x)
            return {"y": scaled + tf.cast(count, tf.float32) if self.reads else scaled}

    for name, reads in (("ignored", False), ("read", True)):
        module = Counter(reads)
        tf.saved_model.save(module, str(tmp_path / name), signatures=module.f)
    return {path.name: path for path in tmp_path.iterdir()}


def test_a_count_of_calls_that_no_output_reads_is_left_out(tf: Any, counting: dict[str, Path]) -> None:
    model = load(identify(counting["ignored"]))
    x = np.array([[1.0, 2.0]], np.float32)
    for _ in range(2):
        np.testing.assert_array_equal(run(tf, model, x=x)["y"], 3 * x)
    assert not any(node.op.startswith("Assign") for node in model.frozen().graph_def.node)


def test_a_count_of_calls_that_an_output_reads_is_named(counting: dict[str, Path]) -> None:
    with pytest.raises(ConversionError, match=r"changes its own variables when it predicts, at .*keeps a state"):
        load(identify(counting["read"])).frozen()


def test_a_model_of_tensorflow_1_that_keeps_its_variables_in_its_graph_is_taken_and_converted(
    tf: Any, tmp_path: Path
) -> None:
    """As estimators export them. The names of its inputs are not in the order of their placeholders."""
    v1, generator = tf.compat.v1, np.random.default_rng(0)
    weights = generator.normal(size=(3, 4)).astype(np.float32)
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], name="first")
        scale = v1.placeholder(tf.float32, [None, 4], name="second")
        w = v1.get_variable("w", initializer=weights, use_resource=False)
        product = tf.matmul(x, w)
        session.run(v1.global_variables_initializer())
        inputs, outputs = {"z_features": x, "a_scale": scale}, {"z": product, "a": product * scale}
        v1.saved_model.simple_save(session, str(tmp_path / "saved"), inputs, outputs)
        operations = {operation.type for operation in session.graph.get_operations()}
    assert "VariableV2" in operations
    model = load(identify(tmp_path / "saved"))
    given = {name: generator.normal(size=(5, n)).astype(np.float32) for name, n in (("z_features", 3), ("a_scale", 4))}
    expected = {"z": given["z_features"] @ weights, "a": given["z_features"] @ weights * given["a_scale"]}
    report = pycheck.compare(tmp_path / "saved", given, runtimes=["chromium:cpu"])
    assert report.passed, str(report)
    got = model.predict(given)
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-5, atol=1e-6)
