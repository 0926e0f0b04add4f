"""Gradients of strided 1x1 convolutions: the values are those of TensorFlow, and oneDNN's faulty kernel is not used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pycheck.model.tensorflow_import import import_tensorflow

pytestmark = pytest.mark.real

tf: Any = import_tensorflow()

CASES = {
    "a convolution": ((2, 9, 8, 3), (1, 1, 3, 5), (2, 3), "SAME"),
    "only valid pixels": ((2, 9, 8, 3), (1, 1, 3, 5), (2, 2), "VALID"),
    "one dimension": ((2, 1, 40, 3), (1, 1, 3, 5), (1, 2), "SAME"),
    "no stride": ((2, 9, 8, 3), (1, 1, 3, 5), (1, 1), "SAME"),
    "a larger filter": ((2, 9, 8, 3), (3, 3, 3, 5), (2, 2), "SAME"),
}


def _values(*shape: int) -> Any:
    return tf.constant(np.random.default_rng(0).standard_normal(shape))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("transposed", [False, True], ids=["forward", "transposed"])
def test_first_and_second_gradients_are_those_of_tensorflow(case: Any, transposed: bool) -> None:
    from pycheck.graphdef.gradients import safe_gradients

    shape, filter_shape, strides, padding = case
    image, weights = _values(*shape), _values(*filter_shape)
    small = tf.nn.conv2d(image, weights, strides, padding)

    def gradients() -> list[Any]:
        with tf.GradientTape() as outer:
            outer.watch([image, small, weights])
            with tf.GradientTape() as inner:
                inner.watch([image, small, weights])
                if transposed:
                    value = tf.nn.conv2d_transpose(small, weights, shape, strides, padding)
                else:
                    value = tf.nn.conv2d(image, weights, strides, padding)
                loss = tf.reduce_sum(value**3)
            first = inner.gradient(loss, weights)
            along = tf.reduce_sum(first**2)
        return [first, *outer.gradient(along, [weights, small if transposed else image])]

    expected = gradients()
    with safe_gradients():
        found = gradients()
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


def test_the_faulty_kernel_is_not_in_the_graph_and_tensorflow_is_as_before_afterwards() -> None:
    from pycheck.graphdef.gradients import safe_gradients

    def strides_of_filter_gradients() -> list[list[int]]:
        with tf.Graph().as_default() as graph:
            image, weights = tf.zeros((1, 8, 8, 3)), tf.zeros((1, 1, 3, 5))
            tf.gradients(tf.nn.conv2d(image, weights, 2, "SAME"), [image, weights])
        return [list(op.get_attr("strides")) for op in graph.get_operations() if op.type == "Conv2DBackpropFilter"]

    with safe_gradients():
        assert strides_of_filter_gradients() == [[1, 1, 1, 1]]
    assert strides_of_filter_gradients() == [[1, 2, 2, 1]]
