"""Computes the gradient of strided 1x1 convolutions without oneDNN's kernel, which writes outside of its memory.

``jit_avx512_common_1x1_convolution_bwd_weights`` (oneDNN in TensorFlow 2.21, on processors with AVX-512) corrupts the
heap for fewer than 16 input channels, and the process dies by SIGSEGV or SIGABRT, also in ``model.fit``. A 1x1
convolution with strides uses only the strided pixels, so its gradient is that of the convolution of these alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from .internals import gradient_registry


@contextmanager
def safe_gradients() -> Iterator[None]:
    """Within this context, gradients that are computed or added to a graph never use that kernel."""
    entries: dict[str, dict[str, Any]] = gradient_registry._registry
    before = {name: entries[name] for name in ("Conv2D", "Conv2DBackpropInput")}
    usual = {name: entry["type"] for name, entry in before.items()}

    def of_convolution(op: Any, gradient: Any) -> list[Any]:
        if not _is_strided_pointwise(op):
            return list(usual["Conv2D"](op, gradient))
        image, weights = op.inputs
        to_image = tf.raw_ops.Conv2DBackpropInput(
            input_sizes=tf.shape(image), filter=weights, out_backprop=gradient, **_attributes(op)
        )
        return [to_image, _to_weights(op, image, weights, gradient)]

    def of_transposed(op: Any, gradient: Any) -> list[Any]:
        if not _is_strided_pointwise(op):
            return list(usual["Conv2DBackpropInput"](op, gradient))
        _, weights, image = op.inputs
        to_image = tf.raw_ops.Conv2D(input=gradient, filter=weights, **_attributes(op))
        return [None, _to_weights(op, gradient, weights, image), to_image]

    try:
        for name, function in (("Conv2D", of_convolution), ("Conv2DBackpropInput", of_transposed)):
            entries[name] = before[name] | {"type": function}
        yield
    finally:
        entries.update(before)


def _is_strided_pointwise(op: Any) -> bool:
    """Tell whether an operation with (input or its sizes, filter, ...) has a 1x1 filter and strides."""
    shape = op.inputs[1].shape
    is_pointwise = shape.rank == 4 and tuple(shape[:2]) == (1, 1)
    return is_pointwise and max(op.get_attr("strides")) > 1 and _text(op, "padding") in ("SAME", "VALID")


def _to_weights(op: Any, image: Any, weights: Any, gradient: Any) -> Any:
    steps = op.get_attr("strides")
    used = image[tuple(slice(None, None, step) for step in steps)]
    return tf.raw_ops.Conv2DBackpropFilter(
        input=used, filter_sizes=tf.shape(weights), out_backprop=gradient, **_attributes(op) | {"strides": [1] * 4}
    )


def _attributes(op: Any) -> dict[str, Any]:
    lists = {name: list(op.get_attr(name)) for name in ("strides", "explicit_paddings", "dilations")}
    return lists | {name: _text(op, name) for name in ("padding", "data_format")}


def _text(op: Any, name: str) -> str:
    value = op.get_attr(name)
    return value.decode() if isinstance(value, bytes) else str(value)
