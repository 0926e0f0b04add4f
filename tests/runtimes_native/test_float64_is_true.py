"""float64 is a true float64 execution: it meets NumPy's float64 a million times closer than float32 can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from . import reference as numpy64
from .conftest import Both

pytestmark = pytest.mark.real

Run = Callable[..., Both]


def assert_true_float64(run: Both, expected: np.ndarray) -> None:
    """Within 1e-12 of the independent result; the float32 result, which proves the test's power, is not within 1e-9."""
    scale = np.abs(expected).max()
    assert run.double.dtype == np.float64
    assert np.abs(run.double - expected).max() <= 1e-12 * scale
    assert np.abs(run.single - expected).max() > 1e-9 * scale


def test_dense_and_softmax(keras: Any, both: Run) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((5,)), layers.Dense(7, activation="tanh"), layers.Dense(3, activation="softmax")]
    )
    run = both(model)
    w1, b1, w2, b2 = numpy64.wide(model.get_weights())
    assert_true_float64(run, numpy64.softmax(np.tanh(run.x @ w1 + b1) @ w2 + b2))
    assert run.notes == ()


def test_convolution_and_batch_normalization(keras: Any, both: Run) -> None:
    layers = keras.layers
    model = keras.Sequential([keras.Input((6, 6, 3)), layers.Conv2D(4, 3), layers.BatchNormalization()])
    run = both(model)
    kernel, bias, *statistics = numpy64.wide(model.get_weights())
    assert_true_float64(run, numpy64.batch_norm(numpy64.conv2d(run.x, kernel, bias), *statistics))


def test_fused_batch_normalization_of_keras_2(tf_keras: Any, both: Run) -> None:
    model = tf_keras.Sequential([tf_keras.layers.BatchNormalization(input_shape=(4, 4, 3))])
    run = both(model)
    assert_true_float64(run, numpy64.batch_norm(run.x, *numpy64.wide(model.get_weights())))
    assert run.notes == ("float64: FusedBatchNormV3: no float64 kernel, computed by its formula in float64 (1 node)",)


def test_layer_normalization(keras: Any, both: Run) -> None:
    model = keras.Sequential([keras.Input((4, 8)), keras.layers.LayerNormalization()])
    run = both(model)
    assert_true_float64(run, numpy64.layer_norm(run.x, *numpy64.wide(model.get_weights())))


def test_layer_normalization_of_keras_2_which_is_a_fused_batch_normalization_in_training_mode(
    tf_keras: Any, both: Run
) -> None:
    model = tf_keras.Sequential([tf_keras.layers.LayerNormalization(input_shape=(4, 8), epsilon=1.5e-3)])
    run = both(model)
    epsilon = float(np.float32(1.5e-3))
    assert_true_float64(run, numpy64.layer_norm(run.x, *numpy64.wide(model.get_weights()), epsilon=epsilon))


def test_lstm_inside_a_while_loop(keras: Any, both: Run) -> None:
    model = keras.Sequential([keras.Input((7, 3)), keras.layers.LSTM(4)])
    run = both(model)
    assert_true_float64(run, numpy64.lstm(run.x, *numpy64.wide(model.get_weights())))
    assert run.notes == ()


def test_lstm_of_keras_2_which_holds_fused_kernels_for_other_devices(tf_keras: Any, both: Run) -> None:
    model = tf_keras.Sequential([tf_keras.layers.LSTM(4, input_shape=(7, 3))])
    run = both(model)
    assert_true_float64(run, numpy64.lstm(run.x, *numpy64.wide(model.get_weights())))


def test_gru(keras: Any, both: Run) -> None:
    model = keras.Sequential([keras.Input((7, 3)), keras.layers.GRU(4)])
    run = both(model)
    assert_true_float64(run, numpy64.gru(run.x, *numpy64.wide(model.get_weights())))


def test_bilinear_resizing_whose_kernel_gives_float32_whatever_it_takes(keras: Any, both: Run) -> None:
    run = both(keras.Sequential([keras.Input((5, 6, 2)), keras.layers.Resizing(8, 7)]))
    assert_true_float64(run, numpy64.resize_bilinear(run.x, 8, 7))
    assert run.notes == ("float64: ResizeBilinear: no float64 kernel, computed by its formula in float64 (1 node)",)


def test_three_dimensional_mean_pooling(keras: Any, both: Run) -> None:
    pooling = keras.layers.AveragePooling3D((3, 2, 4), strides=(2, 1, 3), padding="same")
    run = both(keras.Sequential([keras.Input((5, 6, 7, 2)), pooling]))
    assert_true_float64(run, numpy64.pool3d(run.x, (3, 2, 4), (2, 1, 3), np.mean))


def test_three_dimensional_maximum_pooling(keras: Any, both: Run) -> None:
    pooling = keras.layers.MaxPooling3D((3, 2, 4), strides=(2, 1, 3), padding="same")
    run = both(keras.Sequential([keras.Input((5, 6, 7, 2)), pooling]))
    np.testing.assert_array_equal(run.double, numpy64.pool3d(run.x, (3, 2, 4), (2, 1, 3), np.max))


def test_local_response_normalization(keras: Any, tf: Any, both: Run) -> None:
    x = keras.Input((3, 3, 8))
    y = keras.layers.Lambda(lambda t: tf.nn.local_response_normalization(t, 2, 1.5, 0.25, 0.75))(x)
    run = both(keras.Model(x, y))
    assert_true_float64(run, numpy64.local_response_normalization(run.x, 2, 1.5, 0.25, 0.75))


def test_fourier_transform_whose_complex_numbers_are_promoted_too(keras: Any, tf: Any, both: Run) -> None:
    x = keras.Input((16,))
    run = both(keras.Model(x, keras.layers.Lambda(lambda t: tf.abs(tf.signal.rfft(t)))(x)))
    assert_true_float64(run, np.abs(np.fft.rfft(run.x)))


def test_branches_of_a_condition(keras: Any, tf: Any, both: Run) -> None:
    x = keras.Input((4,))

    def branch(t: Any) -> Any:
        return tf.cond(tf.reduce_sum(t) > 1e6, lambda: t, lambda: tf.sin(t) / 3.0)

    run = both(keras.Model(x, keras.layers.Lambda(branch)(x)))
    assert_true_float64(run, np.sin(run.x) / 3)


def test_constants_keep_the_value_they_have_in_float32(keras: Any, both: Run) -> None:
    x = keras.Input((4,))
    run = both(keras.Model(x, keras.layers.Rescaling(0.1)(x)))
    assert_true_float64(run, run.x * float(np.float32(0.1)))


def test_weights_keep_denormal_values(keras: Any, both: Run) -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.set_weights([np.array([[1e-40]], np.float32), np.zeros(1, np.float32)])
    run = both(model, {_name(model): np.full((1, 1), 2.0, "f")}, random_weights=False)
    assert run.double[0, 0] == 2 * float(np.float32(1e-40))


def _name(model: Any) -> str:
    return str(model.inputs[0]._keras_history.operation.name)
