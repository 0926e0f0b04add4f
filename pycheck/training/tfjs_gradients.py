"""Implements gradients that TF.js's kernels compute wrong, to test whether they explain a difference.

Source: tfjs-backend-cpu 4.22, src/kernels/ResizeNearestNeighborGrad.ts. `batchOffset` is a multiple of the strides of
`images`, and is used for `dy` too, which is larger. So each sample but the first of a batch reads the gradients of
other samples.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from ..model.evidence import layers_of
from ..types import RuntimeId

#: The kernel that is wrong, and the backend that has it.
RESIZE_GRADIENT, BACKEND = "ResizeNearestNeighborGrad", "cpu"


def resizing_layers(model: Any, runtime: RuntimeId, batch_size: int) -> dict[str, str]:
    """Return the layers, with their classes, whose gradient a runtime computes wrong; none for a single sample."""
    if runtime.kind != BACKEND or batch_size < 2:
        return {}
    return {str(layer.name): type(layer).__name__ for layer in layers_of(model) if _resizes(layer)}


def compute_as_tfjs(model: Any) -> None:
    """Give these layers of a model the gradient that TF.js computes."""
    for layer in layers_of(model):
        if _resizes(layer):
            layer.call = _misread(layer.call)


def _resizes(layer: Any) -> bool:
    """Tell whether TF.js resizes for a layer by ResizeNearestNeighbor; UpSampling1D becomes UpSampling2D."""
    name = type(layer).__name__
    if name == "UpSampling2D":
        return bool(layer.interpolation == "nearest" and layer.data_format == "channels_last")
    return name == "UpSampling1D"


def _misread(call: Any) -> Any:
    """Return a layer's function with the gradient of TF.js's kernel, by which each sample reads from a wrong offset."""
    import tensorflow as tf

    @wraps(call)
    def resized(inputs: Any) -> Any:
        own = tf.size(inputs[0])

        def read(value: Any) -> Any:
            def gradient(dy: Any) -> Any:
                samples, size = tf.shape(dy)[0], tf.size(dy[0])
                places = own * tf.range(samples)[:, None] + tf.range(size)[None, :]
                return tf.reshape(tf.gather(tf.reshape(dy, [-1]), places), tf.shape(dy))

            return tf.identity(value), gradient

        return tf.custom_gradient(read)(call(inputs))

    return resized
