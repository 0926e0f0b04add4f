"""What to_float64 does with operations that cannot simply be promoted, and that it says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.model import identify, load
from pycheck.types import Tensors

from .conftest import Both

pytestmark = pytest.mark.real

Run = Callable[..., Both]


def through(keras: Any, function: Callable[[Any], Any], *shape: int | None, dtype: str = "float32") -> Any:
    x = keras.Input(shape, dtype=dtype)
    return keras.Model(x, keras.layers.Lambda(function)(x))


def on(model: Any, values: Any) -> Tensors:
    return {model.inputs[0]._keras_history.operation.name: np.asarray(values)}


def test_an_operation_without_kernel_and_formula_runs_in_float32_and_is_named(keras: Any, tf: Any, both: Run) -> None:
    run = both(through(keras, lambda t: tf.image.resize(t, (7, 9), "lanczos3") * 3.0, 4, 5, 2))
    assert run.notes == ("float64: ScaleAndTranslate: no float64 kernel, ran in float32 (1 node)",)
    assert run.double.dtype == np.float64
    np.testing.assert_allclose(run.double, run.single, rtol=1e-6, atol=1e-6)


def test_such_an_operation_works_inside_a_loop(keras: Any, tf: Any, both: Run) -> None:
    def resize_twice(t: Any) -> Any:
        def step(i: Any, image: Any) -> Any:
            return i + 1, tf.ensure_shape(tf.image.resize(image, (4, 4), "mitchellcubic", antialias=True), image.shape)

        return tf.while_loop(lambda i, _: i < 2, step, (0, t))[1]

    run = both(through(keras, resize_twice, 4, 4, 1))
    assert run.notes == ("float64: ScaleAndTranslate: no float64 kernel, ran in float32 (1 node)",)
    np.testing.assert_allclose(run.double, run.single, rtol=1e-6, atol=1e-6)


def test_every_output_of_a_replaced_operation_stays_connected_inside_a_function(keras: Any, tf: Any, both: Run) -> None:
    def normalize(t: Any) -> Any:
        y, mean, variance = tf.compat.v1.nn.fused_batch_norm(t, tf.ones(3), tf.zeros(3), epsilon=1e-3)
        return y + mean - variance

    run = both(through(keras, lambda t: tf.while_loop(lambda u: False, lambda u: normalize(u), (t,))[0], 2, 2, 3))
    np.testing.assert_allclose(run.double, run.x, rtol=0)
    run = both(through(keras, lambda t: tf.cond(tf.size(t) > 0, lambda: normalize(t), lambda: t), 2, 2, 3))
    mean, population = run.x.mean((0, 1, 2)), run.x.var((0, 1, 2))
    count = run.x[..., 0].size
    unbiased = population * count / (count - 1)
    expected = (run.x - mean) / np.sqrt(population + np.float32(1e-3)) + mean - unbiased
    np.testing.assert_allclose(run.double, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_batch_normalization_for_inference_follows_the_layout(keras: Any, tf: Any, both: Run, layout: str) -> None:
    mean, variance = np.array([1, 2, 3], np.float32), np.array([4, 5, 6], np.float32)

    def normalize(t: Any) -> Any:
        return tf.raw_ops.FusedBatchNormV3(
            x=t, scale=tf.ones(3), offset=tf.zeros(3), mean=mean, variance=variance, epsilon=0.5,
            data_format=layout, is_training=False,
        ).y  # fmt: skip

    shape = (2, 4, 3) if layout == "NHWC" else (3, 2, 4)
    run = both(through(keras, normalize, *shape))
    x = run.x if layout == "NHWC" else np.moveaxis(run.x, 1, -1)
    expected = (x - mean) / np.sqrt(variance.astype(float) + 0.5)
    y = run.double if layout == "NHWC" else np.moveaxis(run.double, 1, -1)
    np.testing.assert_allclose(y, expected, rtol=1e-12)


def test_random_operations_draw_the_same_numbers(keras: Any, tf: Any, both: Run) -> None:
    run = both(through(keras, lambda t: t + tf.random.stateless_uniform((3, 4), seed=(1, 2)), 4))
    assert "kept in float32, to draw the same random numbers (1 node)" in run.notes[0]
    np.testing.assert_allclose(run.double, run.single, rtol=0, atol=1e-6)


def test_bits_are_read_from_float32(keras: Any, tf: Any, both: Run) -> None:
    run = both(through(keras, lambda t: tf.bitcast(t, tf.int32), 4))
    np.testing.assert_array_equal(run.double, run.single)
    assert run.double.dtype == np.int32


@pytest.mark.parametrize(("policy", "roundoff"), [("mixed_float16", 2.0**-11), ("mixed_bfloat16", 2.0**-8)])
def test_half_precision_is_promoted_too_so_that_its_cost_shows(
    keras: Any, both: Run, policy: str, roundoff: float
) -> None:
    layers = keras.layers
    model = keras.Sequential([keras.Input((5,)), layers.Dense(4, dtype=policy), layers.Dense(2)])
    run = both(model)
    expected = run.x
    for layer in model.layers:
        expected = expected @ layer.kernel.numpy().astype(np.float64) + layer.bias.numpy()
    np.testing.assert_allclose(run.double, expected, rtol=1e-12, atol=1e-12)
    assert run.notes == ()
    error = np.abs(run.single - run.double).max() / np.abs(run.double).max()
    assert roundoff / 64 < error < 4 * roundoff


def test_integers_booleans_and_indices_stay_what_they_are(keras: Any, tf: Any, both: Run) -> None:
    run = both(through(keras, lambda t: {"at": tf.argmax(t, -1), "big": t > 0, "n": tf.shape(t)[:1]}, 4))
    assert {name: str(value.dtype) for name, value in run.float64.items()} == {
        name: str(value.dtype) for name, value in run.float32.items()
    }


def test_nan_and_infinity_go_through_as_in_float32(keras: Any, tf: Any, both: Run) -> None:
    special = np.array([[np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30]], np.float32)
    for function in (tf.nn.relu, tf.nn.relu6, tf.nn.elu, tf.tanh, tf.math.log, lambda t: t / t, lambda t: t - t):
        model = through(keras, function, 6)
        run = both(model, on(model, special))
        for classify in (np.isnan, np.isposinf, np.isneginf):
            np.testing.assert_array_equal(classify(run.double), classify(run.single))


def test_batch_normalization_by_formula_keeps_the_classes_of_numbers(tf_keras: Any, both: Run) -> None:
    model = tf_keras.Sequential([tf_keras.layers.BatchNormalization(input_shape=(1, 1, 3))])
    run = both(model, {model.input_names[0]: np.array([[[[np.nan, np.inf, -np.inf]]]], np.float32)})
    assert np.isnan(run.double[0, 0, 0, 0]) == np.isnan(run.single[0, 0, 0, 0]) == np.True_
    np.testing.assert_array_equal(run.double[..., 1:], run.single[..., 1:])


def test_overflow_of_float32_is_no_overflow_of_float64(keras: Any, both: Run) -> None:
    model = through(keras, lambda t: t * t, 1)
    run = both(model, on(model, np.array([[1e30]], np.float32)))
    assert np.isinf(run.single).all() and np.isfinite(run.double).all()


def test_lookup_tables_travel_with_the_graph(keras: Any, both: Run) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((3,), dtype="int64"), layers.IntegerLookup(vocabulary=[30, 50, 90]), layers.Embedding(4, 2)]
    )
    inputs = on(model, [[30, 50, 90], [90, 7, 30]])
    run = both(model, inputs)
    table = np.asarray(model.get_weights()[-1], np.float64)
    np.testing.assert_array_equal(run.double, table[[[1, 2, 3], [3, 0, 1]]])


def test_loops_and_tensor_arrays_of_tensorflow_1_are_true_float64(tf: Any, tmp_path: Path) -> None:
    from pycheck.graphdef.float64.promotion import to_float64
    from pycheck.graphdef.function import GraphFunction

    v1 = tf.compat.v1
    kernel = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    v1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, [None, 5, 3], name="x")
            states = v1.TensorArray(tf.float32, size=5)

            def step(i: Any, state: Any, states: Any) -> Any:
                state = tf.tanh(state + tf.matmul(x[:, i], kernel))
                return i + 1, state, states.write(i, state)

            first = (0, tf.zeros([tf.shape(x)[0], 4]), states)
            states = v1.while_loop(lambda i, *_: i < 5, step, first)[2]
            y = tf.transpose(states.stack(), [1, 0, 2])
            v1.saved_model.simple_save(session, str(tmp_path / "m"), {"x": x}, {"y": y})
    finally:
        v1.enable_control_flow_v2()
    frozen = load(identify(tmp_path / "m")).frozen()
    assert any("TensorArray" in node.op for f in frozen.graph_def.library.function for node in f.node_def)
    graph_def, notes = to_float64(frozen.graph_def)
    given = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    state, expected = np.zeros((2, 4)), []
    for i in range(5):
        state = np.tanh(state + given[:, i].astype(float) @ kernel.astype(float))
        expected.append(state)
    result = GraphFunction(graph_def, frozen.inputs, frozen.outputs)({"x": given})["y"]
    np.testing.assert_allclose(result, np.stack(expected, 1), rtol=1e-12, atol=1e-14)
    assert notes == ()


def test_random_operations_with_one_seed_keep_their_own_streams(keras: Any, tf: Any, both: Run) -> None:
    def two(t: Any) -> Any:
        draws = [tf.raw_ops.RandomUniform(shape=[3, 4], dtype=tf.float32, seed=1, seed2=2) for _ in range(2)]
        return t * 0.0 + draws[0] - draws[1]

    np.testing.assert_array_equal(both(through(keras, two, 4)).double, np.zeros((3, 4)))


def test_a_graph_stays_as_it_was(keras: Any, both: Run) -> None:
    from pycheck.graphdef.float64.promotion import to_float64

    graph_def = load(keras.Sequential([keras.Input((7, 3)), keras.layers.LSTM(4)])).frozen().graph_def
    before = graph_def.SerializeToString(deterministic=True)
    to_float64(graph_def)
    assert graph_def.SerializeToString(deterministic=True) == before


def test_no_float32_is_left_in_a_promoted_graph(keras: Any) -> None:
    from pycheck.graphdef.float64.promotion import to_float64
    from pycheck.graphdef.internals import types_pb2

    model = keras.Sequential([keras.Input((7, 3)), keras.layers.LSTM(4), keras.layers.Dense(2)])
    graph_def, notes = to_float64(load(model).frozen().graph_def)
    assert notes == ()
    bodies = [graph_def.node, *(function.node_def for function in graph_def.library.function)]
    types = {
        dtype
        for body in bodies
        for node in body
        for attr in node.attr.values()
        for dtype in (attr.type, attr.tensor.dtype, *attr.list.type)
    }
    assert types_pb2.DT_DOUBLE in types
    assert types_pb2.DT_FLOAT not in types


def test_a_graph_that_would_pass_the_limit_of_a_graph_is_refused(monkeypatch: pytest.MonkeyPatch, keras: Any) -> None:
    from pycheck.graphdef.float64 import promotion as float64

    monkeypatch.setattr(float64, "_PROTO_LIMIT_BYTES", 1000)
    with pytest.raises(ValueError, match="2 GiB"):
        float64.to_float64(load(keras.Sequential([keras.Input((3,)), keras.layers.Dense(99)])).frozen().graph_def)
