"""Computes operations for which TensorFlow's CPU has no float64 kernel with other float64 operations.

Each formula takes the node's attributes and its inputs, all in the promoted types, and returns all of the node's
outputs. The formulas follow the CPU kernels in tensorflow/core/kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from .resampling import (
    adjust_contrast,
    crop_and_resize,
    fake_quantize,
    fake_quantize_by_attributes,
    project_image,
    resize_bicubic,
)

Attrs = Mapping[str, Any]  # name to tensorflow AttrValue
Tensor = Any
Formula = Callable[..., list[Tensor]]


def _fused_batch_norm(
    attrs: Attrs, x: Tensor, scale: Tensor, offset: Tensor, mean: Tensor, var: Tensor
) -> list[Tensor]:
    """Compute fused_batch_norm_op.cc; `x` may be half while the statistics are float32, so float64 here."""
    layout = attrs["data_format"].s.decode()
    channel_axis = layout.index("C")
    value = tf.cast(x, tf.float64)
    if attrs["is_training"].b:
        axes = [axis for axis in range(len(layout)) if axis != channel_axis]
        batch_mean, batch_var = tf.nn.moments(value, axes)
        count = tf.cast(tf.size(value) // tf.size(batch_mean), tf.float64)
        unbiased = batch_var * (count / tf.maximum(count - 1.0, 1.0))
        factor = attrs["exponential_avg_factor"].f if "exponential_avg_factor" in attrs else 1.0
        new_mean = batch_mean if factor == 1.0 else mean * (1.0 - factor) + batch_mean * factor
        new_var = unbiased if factor == 1.0 else var * (1.0 - factor) + unbiased * factor
    else:
        batch_mean, batch_var, new_mean, new_var = mean, var, mean, var
    broadcast = [-1 if axis == channel_axis else 1 for axis in range(len(layout))]

    def along_channels(statistic: Tensor) -> Tensor:
        return tf.reshape(statistic, broadcast)

    factor_by_channel = tf.math.rsqrt(batch_var + attrs["epsilon"].f) * scale
    y = (value - along_channels(batch_mean)) * along_channels(factor_by_channel) + along_channels(offset)
    return [tf.cast(y, x.dtype), new_mean, new_var, batch_mean, batch_var]


def _fused_batch_norm_v3(attrs: Attrs, *inputs: Tensor) -> list[Tensor]:
    return [*_fused_batch_norm(attrs, *inputs), tf.zeros([0], tf.float64)]


def _local_response_normalization(attrs: Attrs, x: Tensor) -> list[Tensor]:
    """Compute lrn_op.cc: x / (bias + alpha * sum of squares over 2 * radius + 1 channels) ** beta."""
    radius, channels = attrs["depth_radius"].i, tf.shape(x)[3]
    squares = tf.pad(tf.square(x), [[0, 0], [0, 0], [0, 0], [radius, radius]])
    sums = tf.add_n([squares[..., shift : shift + channels] for shift in range(2 * radius + 1)])
    return [x * tf.pow(attrs["bias"].f + attrs["alpha"].f * sums, -attrs["beta"].f)]


def _resize_bilinear(attrs: Attrs, images: Tensor, size: Tensor) -> list[Tensor]:
    """Compute resize_bilinear_op.cc, with the source coordinates in float64 too."""
    value = tf.cast(images, tf.float64)
    top, bottom, y_lerp = _interpolation(attrs, tf.shape(images)[1], size[0])
    left, right, x_lerp = _interpolation(attrs, tf.shape(images)[2], size[1])
    y_lerp, x_lerp = y_lerp[:, None, None], x_lerp[:, None]

    def row(index: Tensor) -> Tensor:
        line = tf.gather(value, index, axis=1)
        first, last = tf.gather(line, left, axis=2), tf.gather(line, right, axis=2)
        return first + (last - first) * x_lerp

    upper, lower = row(top), row(bottom)
    return [upper + (lower - upper) * y_lerp]


def _interpolation(attrs: Attrs, in_size: Tensor, out_size: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return for each output position the two source indices and the weight of the second (image_resizer_state.h)."""
    source, target = tf.cast(in_size, tf.float64), tf.cast(out_size, tf.float64)
    step = source / target
    if attrs["align_corners"].b:
        step = tf.where(out_size > 1, (source - 1.0) / tf.maximum(target - 1.0, 1.0), step)
    position = tf.cast(tf.range(out_size), tf.float64)
    position = (position + 0.5) * step - 0.5 if attrs["half_pixel_centers"].b else position * step
    low = tf.floor(position)
    first = tf.maximum(tf.cast(low, tf.int32), 0)
    last = tf.minimum(tf.cast(tf.math.ceil(position), tf.int32), in_size - 1)
    return first, last, position - low


def _pool_3d(pool_2d: Callable[..., Tensor]) -> Formula:
    """Compute a 3D pool as a 2D pool over height and width, then one over depth.

    This is exact for maxima, and also for means: padding is not counted, and counts of a box are products.
    """

    def formula(attrs: Attrs, x: Tensor) -> list[Tensor]:
        channels_first = attrs["data_format"].s == b"NCDHW"
        if channels_first:
            x = tf.transpose(x, [0, 2, 3, 4, 1])
        spatial = slice(2, 5) if channels_first else slice(1, 4)
        window, strides = list(attrs["ksize"].list.i)[spatial], list(attrs["strides"].list.i)[spatial]
        padding = attrs["padding"].s.decode()
        batch, depth, height, width, channels = tf.unstack(tf.shape(x), num=5)
        planes = tf.reshape(x, tf.stack([batch * depth, height, width, channels]))
        planes = pool_2d(planes, [1, *window[1:], 1], [1, *strides[1:], 1], padding)
        height, width = tf.unstack(tf.shape(planes)[1:3], num=2)
        columns = tf.reshape(planes, tf.stack([batch, depth, height * width, channels]))
        columns = pool_2d(columns, [1, window[0], 1, 1], [1, strides[0], 1, 1], padding)
        y = tf.reshape(columns, tf.stack([batch, tf.shape(columns)[1], height, width, channels]))
        return [tf.transpose(y, [0, 4, 1, 2, 3]) if channels_first else y]

    return formula


def _max_pool_2d(x: Tensor, window: list[int], strides: list[int], padding: str) -> Tensor:
    return tf.raw_ops.MaxPool(input=x, ksize=window, strides=strides, padding=padding)


def _avg_pool_2d(x: Tensor, window: list[int], strides: list[int], padding: str) -> Tensor:
    return tf.raw_ops.AvgPool(value=x, ksize=window, strides=strides, padding=padding)


def _fused_mat_mul(attrs: Attrs, a: Tensor, b: Tensor, *args: Tensor) -> list[Tensor]:
    product = tf.raw_ops.MatMul(a=a, b=b, transpose_a=attrs["transpose_a"].b, transpose_b=attrs["transpose_b"].b)
    return [_fused_tail(attrs, product, args)]


def _sparse_mat_mul(attrs: Attrs, a: Tensor, b: Tensor) -> list[Tensor]:
    """Compute a product of matrices that are mostly zeros."""
    a, b = tf.cast(a, tf.float64), tf.cast(b, tf.float64)
    return [tf.linalg.matmul(a, b, transpose_a=attrs["transpose_a"].b, transpose_b=attrs["transpose_b"].b)]


def _fused_depthwise_conv(attrs: Attrs, x: Tensor, kernel: Tensor, *args: Tensor) -> list[Tensor]:
    result = tf.raw_ops.DepthwiseConv2dNative(
        input=x,
        filter=kernel,
        strides=list(attrs["strides"].list.i),
        padding=attrs["padding"].s.decode(),
        data_format=attrs["data_format"].s.decode(),
        dilations=list(attrs["dilations"].list.i),
    )
    return [_fused_tail(attrs, result, args)]


def _fused_tail(attrs: Attrs, value: Tensor, args: tuple[Tensor, ...]) -> Tensor:
    """Apply the operations that Grappler's remapper fused after a matmul or convolution: a bias, then an activation."""
    activations: dict[str, Callable[[Tensor], Tensor]] = {
        "Elu": tf.nn.elu,
        "GeluApproximate": lambda x: tf.nn.gelu(x, approximate=True),
        "GeluExact": tf.nn.gelu,
        "LeakyRelu": lambda x: tf.nn.leaky_relu(x, attrs["leakyrelu_alpha"].f),
        "Relu": tf.nn.relu,
        "Relu6": tf.nn.relu6,
        "Sigmoid": tf.nn.sigmoid,
        "Tanh": tf.nn.tanh,
    }
    for name in (item.decode() for item in attrs["fused_ops"].list.s):
        value = value + args[0] if name == "BiasAdd" else activations[name](value)
    return value


#: The formulas by operation. FusedBatchNorm and V2 have five outputs, V3 has six.
FORMULAS: Mapping[str, Formula] = {
    "AdjustContrastv2": adjust_contrast,
    "AvgPool3D": _pool_3d(_avg_pool_2d),
    "CropAndResize": crop_and_resize,
    "FakeQuantWithMinMaxArgs": fake_quantize_by_attributes,
    "FakeQuantWithMinMaxVars": fake_quantize,
    "FakeQuantWithMinMaxVarsPerChannel": fake_quantize,
    "FusedBatchNorm": _fused_batch_norm,
    "FusedBatchNormV2": _fused_batch_norm,
    "FusedBatchNormV3": _fused_batch_norm_v3,
    "ImageProjectiveTransformV2": project_image,
    "ImageProjectiveTransformV3": project_image,
    "LRN": _local_response_normalization,
    "MaxPool3D": _pool_3d(_max_pool_2d),
    "ResizeBicubic": resize_bicubic,
    "ResizeBilinear": _resize_bilinear,
    "SparseMatMul": _sparse_mat_mul,
    "_FusedDepthwiseConv2dNative": _fused_depthwise_conv,
    "_FusedMatMul": _fused_mat_mul,
}
