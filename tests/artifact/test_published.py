"""Artifacts of the published converter: nested and shared layers, control flow of both kinds, ragged outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.model import identify, load

from ..conftest import more
from ..published import import_tensorflowjs
from .conftest import relative_error

pytestmark = pytest.mark.real


def _published_layers(model: Any, folder: Path) -> Path:
    tensorflowjs = import_tensorflowjs()

    tensorflowjs.converters.save_keras_model(model, str(folder))
    return folder


def _shared(k: Any) -> Any:
    x = k.Input((6,), name="x")
    dense = k.layers.Dense(6, activation="tanh", name="shared")
    return k.Model(x, k.layers.Add(name="sum")([dense(dense(x)), x]))


def _nested(k: Any) -> Any:
    inner = k.Sequential([k.layers.Dense(4, activation="gelu", name="one", input_shape=(6,))], name="inner")
    y = k.Input((4,), name="y")
    outer = k.Model(y, k.layers.Dense(2, name="two")(y), name="outer")
    x = k.Input((6,), name="x")
    return k.Model(x, k.layers.Dense(3, name="one_more")(outer(inner(x))))


def _recurrent(k: Any) -> Any:
    x = k.Input((5, 3), name="x")
    h = k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True), name="both")(x)
    h = k.layers.TimeDistributed(k.layers.Dense(3, activation="relu"), name="each")(h)
    h = k.layers.GRU(4, reset_after=False, name="gru", return_sequences=True)(h)
    h = k.layers.RNN([k.layers.SimpleRNNCell(3), k.layers.LSTMCell(2)], name="stack")(h)
    return k.Model(x, h)


def _masked(k: Any) -> Any:
    ids = k.Input((7,), dtype="int32", name="ids")
    h = k.layers.Embedding(9, 4, mask_zero=True, name="table")(ids)
    h = k.layers.Dense(4, name="dense")(h)
    return k.Model(ids, k.layers.LSTM(3, name="lstm")(h))


def _sequential(k: Any) -> Any:
    return k.Sequential(
        [
            k.layers.Conv2D(3, 3, activation="relu6", input_shape=(8, 8, 2), name="conv"),
            k.layers.BatchNormalization(name="norm"),
            k.layers.PReLU(shared_axes=[1, 2], name="prelu"),
            k.layers.DepthwiseConv2D(3, name="deep"),
            k.layers.Flatten(name="flat"),
            k.layers.Dense(2, activation="hard_sigmoid", name="dense"),
        ]
    )


@pytest.mark.parametrize("make", [_shared, _nested, *more(_sequential, _masked, _recurrent)])
def test_a_published_layers_model_gives_what_keras_gives(
    make: Any, tmp_path: Path, tensorflowjs: Any, execute: Any
) -> None:
    import tf_keras

    model = make(tf_keras)
    model.set_weights([np.random.default_rng(1).normal(0.2, 0.3, w.shape) ** 2 for w in model.get_weights()])
    folder = _published_layers(model, tmp_path / "out")
    loaded = load(identify(folder))
    spec = loaded.info.signature.inputs[0]
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, (3, 7)) if spec.dtype == "int32" else rng.normal(size=(3, *spec.shape[1:]))
    x = x.astype(spec.dtype)
    expected = model(x, training=False).numpy()
    (value,) = loaded.predict({spec.name: x}).values()
    assert relative_error(value, expected) < 1e-5
    points, values = execute(folder, {spec.name: x})
    assert relative_error(values[points[-1].name], expected) < 1e-5
    for point in points:
        known = {**values, spec.name: x}
        _, alone = execute(folder, {source: known[source] for source in point.inputs}, [point.name])
        np.testing.assert_array_equal(alone[point.name], values[point.name])


def test_calls_of_a_shared_layer_and_layers_of_a_nested_model_have_names(
    tmp_path: Path, tensorflowjs: Any, execute: Any
) -> None:
    import tf_keras

    x = np.ones((2, 6), np.float32)
    points, _ = execute(_published_layers(_shared(tf_keras), tmp_path / "shared"), {"x": x})
    assert [(p.name, p.inputs) for p in points] == [
        ("shared", ("x",)),
        ("shared@1", ("shared",)),
        ("sum", ("shared@1", "x")),
    ]
    points, _ = execute(_published_layers(_nested(tf_keras), tmp_path / "nested"), {"x": x})
    assert [p.name for p in points] == ["inner/one", "outer/two", "one_more"]


@pytest.mark.exhaustive
def test_a_mask_is_read_from_where_it_is_made(tmp_path: Path, tensorflowjs: Any, execute: Any) -> None:
    import tf_keras

    points, _ = execute(_published_layers(_masked(tf_keras), tmp_path / "out"), {"ids": np.ones((2, 7), np.int32)})
    assert points[-1].name == "lstm"
    assert set(points[-1].inputs) == {"dense", "ids"}


def _published_graph(function: Any, specs: Any, folder: Path, **options: Any) -> Path:
    import tensorflow as tf

    tensorflowjs = import_tensorflowjs()

    module = tf.Module()
    module.f = tf.function(function, input_signature=specs)
    saved = folder.with_suffix(".saved")
    tf.saved_model.save(module, str(saved), signatures=module.f.get_concrete_function())
    tensorflowjs.converters.convert_tf_saved_model(str(saved), str(folder), **options)
    return folder


@pytest.mark.parametrize(
    ("control_flow_v2", "kind"), [(True, "float64"), *more((False, "float32"), (False, "float64"), (True, "float32"))]
)
def test_loops_and_branches_of_both_kinds_run(
    control_flow_v2: bool, kind: str, tmp_path: Path, tensorflowjs: Any, execute: Any
) -> None:
    import tensorflow as tf

    step = tf.constant(np.linspace(0.5, 1.5, 4, dtype=np.float32))

    def function(x: Any) -> dict[str, Any]:
        def body(i: Any, y: Any) -> Any:
            return i + 1, y * step + 1.0

        _, y = tf.while_loop(lambda i, _: i < 3, body, (0, x))
        z = tf.cond(tf.reduce_sum(y) > 0, lambda: y * 2.0, lambda: y - 100.0)
        return {"answer": tf.nn.relu(z)}

    folder = _published_graph(
        function, [tf.TensorSpec([None, 4], tf.float32, name="x")], tmp_path / "out", control_flow_v2=control_flow_v2
    )
    loaded = load(identify(folder))
    for sign in (1, -1):
        x = (sign * np.arange(8).reshape(2, 4) * 10).astype(np.float32)
        expected = function(tf.constant(x))["answer"].numpy()
        (value,) = loaded.predict({"x": x}).values()
        np.testing.assert_allclose(value, expected, rtol=1e-6)
        points, values = execute(folder, {"x:0": x}, kind=kind)
        np.testing.assert_allclose(values[points[-1].name], expected, rtol=1e-6)
        assert values[points[-1].name].dtype == kind
        for point in points:
            known = {**values, "x:0": x}
            _, alone = execute(folder, {s: known[s] for s in point.inputs}, [point.name], kind=kind)
            np.testing.assert_array_equal(alone[point.name], values[point.name])
    if not control_flow_v2:
        assert {"while", "cond"} <= {point.op for point in points}


def test_outputs_whose_shape_depends_on_values_come_as_they_are(
    tmp_path: Path, tensorflowjs: Any, execute: Any
) -> None:
    import tensorflow as tf

    def function(boxes: Any) -> dict[str, Any]:
        scores = tf.reduce_max(boxes, axis=1)
        chosen = tf.image.non_max_suppression(boxes, scores, 10, iou_threshold=0.5)
        return {"chosen": chosen, "where": tf.where(boxes > 0.5)}

    folder = _published_graph(function, [tf.TensorSpec([None, 4], tf.float32, name="boxes")], tmp_path / "out")
    boxes = np.sort(np.random.default_rng(0).uniform(size=(6, 4)).astype(np.float32))
    expected = function(tf.constant(boxes))
    values = load(identify(folder)).predict({"boxes": boxes})
    np.testing.assert_array_equal(values["chosen"], expected["chosen"])
    np.testing.assert_array_equal(values["where"], expected["where"])
    assert len(execute(folder, {"boxes:0": boxes})[1]) > 3
