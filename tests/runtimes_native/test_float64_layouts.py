"""Channels first in float64: every operation that has a layout, against itself with channels last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pycheck.graphdef.float64.promotion import to_float64
from pycheck.graphdef.function import GraphFunction
from pycheck.model import load

from .conftest import Both

pytestmark = pytest.mark.real

Run = Callable[..., Both]

RNG = np.random.default_rng(4)
KERNEL = RNG.normal(size=(2, 3, 4, 6)).astype(np.float32)
DEPTHWISE = RNG.normal(size=(2, 3, 4, 2)).astype(np.float32)

#: By name: the function of an image, its layout and what it is in lists for each axis.
FLAT: dict[str, Callable[[Any, Any, str, Callable[..., list[int]]], Any]] = {
    "convolution": lambda tf, t, layout, order: tf.nn.conv2d(t, KERNEL, order(1, 2, 1, 1), "SAME", layout),
    "padding of its own": lambda tf, t, layout, order: tf.nn.conv2d(
        t, KERNEL, 1, order([0, 0], [1, 2], [0, 3], [0, 0]), layout
    ),
    "dilation": lambda tf, t, layout, order: tf.nn.conv2d(t, KERNEL, 1, "VALID", layout, order(1, 2, 1, 1)),
    "depthwise": lambda tf, t, layout, order: tf.raw_ops.DepthwiseConv2dNative(
        input=t, filter=DEPTHWISE, strides=order(1, 2, 2, 1), padding="SAME", data_format=layout
    ),
    "transposed": lambda tf, t, layout, order: tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.stack(order(tf.shape(t)[0], 18, 16, 6)), filter=np.swapaxes(KERNEL, 2, 3), out_backprop=t,
        strides=order(1, 2, 2, 1), padding="SAME", data_format=layout,
    ),
    "largest": lambda tf, t, layout, order: tf.raw_ops.MaxPool(
        input=t, ksize=order(1, 3, 2, 1), strides=order(1, 2, 1, 1), padding="SAME", data_format=layout
    ),
    "mean": lambda tf, t, layout, order: tf.raw_ops.AvgPool(
        value=t, ksize=order(1, 3, 2, 1), strides=order(1, 2, 1, 1), padding="SAME", data_format=layout
    ),
    "bias": lambda tf, t, layout, order: tf.nn.bias_add(t, KERNEL[0, 0, :, 0], layout),
    "normalization": lambda tf, t, layout, order: tf.raw_ops.FusedBatchNormV3(
        x=t, scale=KERNEL[0, 0, :, 0], offset=KERNEL[0, 0, :, 1], mean=KERNEL[0, 0, :, 2],
        variance=np.abs(KERNEL[0, 0, :, 3]), data_format=layout, is_training=False,
    ).y,
}  # fmt: skip


@pytest.mark.parametrize("name", FLAT)
def test_flat_images_with_channels_first(keras: Any, tf: Any, name: str) -> None:
    def order(n: Any, h: Any, w: Any, c: Any) -> list[Any]:
        return [n, c, h, w]

    first = keras.Input((4, 9, 8))
    model = keras.Model(first, keras.layers.Lambda(lambda t: FLAT[name](tf, t, "NCHW", order))(first))
    x = RNG.normal(size=(3, 4, 9, 8)).astype(np.float32)
    frozen = load(model).frozen()
    graph_def, notes = to_float64(frozen.graph_def)
    assert all("ran in float32" not in note for note in notes)
    given = dict.fromkeys(frozen.inputs, x)
    (double,) = GraphFunction(graph_def, frozen.inputs, frozen.outputs)(given).values()
    wide = tf.constant(np.moveaxis(x, 1, -1).astype(np.float64))
    last = FLAT[name](tf, tf.cast(wide, tf.float32), "NHWC", lambda *axes: list(axes)).numpy()
    assert double.dtype == np.float64
    error = np.abs(np.moveaxis(double, 1, -1) - last).max()
    assert 0 <= error <= 2e-6 * np.abs(last).max()


def test_what_a_convolution_with_channels_first_gives_is_right_to_float64(keras: Any, both: Run) -> None:
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((4, 9, 8)), layers.Conv2D(5, (2, 3), data_format="channels_first"),
        layers.DepthwiseConv2D((2, 1), data_format="channels_first"),
        layers.GlobalAveragePooling2D(data_format="channels_first"),
    ])  # fmt: skip
    run = both(model)
    kernel, bias, depthwise, own = (np.asarray(w, np.float64) for w in model.get_weights())
    x, after = np.moveaxis(run.x, 1, -1), np.zeros((3, 8, 6, 5))
    for row in range(2):
        for column in range(3):
            after += x[:, row : row + 8, column : column + 6] @ kernel[row, column]
    after += bias
    expected = (after[:, :-1] * depthwise[0, 0, :, 0] + after[:, 1:] * depthwise[1, 0, :, 0] + own).mean((1, 2))
    np.testing.assert_allclose(run.double, expected, rtol=1e-12, atol=1e-12)
    assert run.notes == () and run.in_float32 == {}


@pytest.mark.exhaustive
def test_solid_images_with_channels_first(keras: Any, tf: Any, both: Run) -> None:
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((2, 5, 6, 4)), layers.Conv3D(4, 2, data_format="channels_first"),
        layers.MaxPooling3D(2, strides=1, data_format="channels_first"),
        layers.Conv3DTranspose(3, 2, strides=2, data_format="channels_first"),
        layers.AveragePooling3D(2, data_format="channels_first"),
    ])  # fmt: skip
    last = keras.Sequential([
        keras.Input((5, 6, 4, 2)), layers.Conv3D(4, 2), layers.MaxPooling3D(2, strides=1),
        layers.Conv3DTranspose(3, 2, strides=2), layers.AveragePooling3D(2),
    ])  # fmt: skip
    run = both(model)
    last.set_weights(model.get_weights())
    (name,) = (tensor._keras_history.operation.name for tensor in last.inputs)
    expected = both(last, {name: np.moveaxis(run.inputs[next(iter(run.inputs))], 1, -1)}, random_weights=False)
    np.testing.assert_allclose(np.moveaxis(run.double, 1, -1), expected.double, rtol=1e-11, atol=1e-12)
    assert run.in_float32 == {}


def test_blocks_of_depth_with_channels_first(keras: Any, tf: Any) -> None:
    """TensorFlow has no CPU kernel for them in any precision, so the graph is given."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4, 6, 8], name="x")
        deep = tf.raw_ops.SpaceToDepth(input=x, block_size=2, data_format="NCHW", name="deep")
        tf.raw_ops.DepthToSpace(input=deep * 2.0, block_size=2, data_format="NCHW", name="flat")
    graph_def, _ = to_float64(graph.as_graph_def())
    given = RNG.normal(size=(2, 4, 6, 8)).astype(np.float32)
    outputs = GraphFunction(graph_def, {"x": "x:0"}, {"deep": "deep:0", "flat": "flat:0"})({"x": given})
    last = tf.nn.space_to_depth(np.moveaxis(given, 1, -1), 2).numpy()
    np.testing.assert_array_equal(outputs["deep"], np.moveaxis(last, -1, 1))
    np.testing.assert_array_equal(outputs["flat"], given.astype(np.float64) * 2)
