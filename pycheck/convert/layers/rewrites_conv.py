"""Convolutions that tfjs-layers has in another form: one dimension as two, causal as padded, groups as depthwise."""

from __future__ import annotations

from typing import Any

import numpy as np

from .refusal import RefusedError
from .rewrites_shape import pad_steps, reshape
from .site import Site, array
from .source import KERAS_3, framework_of
from .target import Ref


def conv_1d(site: Site) -> list[Ref]:
    """Conv1D; causal padding, which tfjs-layers lacks, is zeros before a valid convolution."""
    config = site.config()
    if config["padding"] != "causal":
        return site.by_table()
    before = _first(config["dilation_rate"]) * (_first(config["kernel_size"]) - 1)
    site.note(f"causal padding as {before} zeros before a valid convolution")
    return site.by_table(inputs=[pad_steps(site, site.input, before, 0)], padding="valid")


def with_bias(site: Site) -> list[Ref]:
    """A two-dimensional convolution by the table, where Keras adds the bias to the channels."""
    _check_bias(site)
    return site.by_table()


def _check_bias(site: Site) -> None:
    # keras/src/backend/tensorflow/numpy.py, add(): a vector as long as the last axis is added there.
    config, shape = site.config(), site.output.shape
    channels_first = config.get("data_format") == "channels_first" and config.get("use_bias")
    if channels_first and shape[1] == shape[-1] and framework_of(type(site.layer)) == KERAS_3:
        raise RefusedError("Keras 3 adds the bias along the last axis here, as it is as long as the channels")


def in_3d(site: Site) -> list[Ref]:
    """Three-dimensional convolution and pooling; TF.js takes padding below zero for what it is.

    tfjs-core src/ops/conv_util.ts, get3DPadAndOutInfo, has no lower bound where the stride is
    larger than the window, as get2DPadAndOutInfo has.
    """
    config = site.config()
    _check_bias(site)
    window: list[int] = config.get("pool_size") or config["kernel_size"]
    strides: list[int] = config["strides"] or window
    if config["padding"] == "same" and any(s > w for s, w in zip(strides, window, strict=True)):
        raise RefusedError(f"strides={strides} beyond the window {window} with padding='same', which TF.js shifts")
    return site.by_table()


def conv_2d(site: Site) -> list[Ref]:
    """Conv2D; one group for each input channel is a DepthwiseConv2D, other groups tfjs-layers ignores."""
    config, x = site.config(), site.input
    groups = config.get("groups", 1)
    channels = x.shape[-1]
    _check_bias(site)
    if groups == 1 or config["data_format"] != "channels_last" or groups != channels:
        return site.by_table()
    kernel = array(site.layer.kernel)
    multiplier = kernel.shape[-1] // groups
    site.note("one group a channel, as DepthwiseConv2D")
    weights = [("depthwise_kernel", kernel.reshape(*kernel.shape[:2], groups, multiplier))]
    if site.layer.use_bias:
        weights.append(("bias", array(site.layer.bias)))
    return site.by_table("DepthwiseConv2D", weights=weights, groups=1, depth_multiplier=multiplier)


def separable_conv_1d(site: Site) -> list[Ref]:
    """SeparableConv1D, which tfjs-layers lacks, as SeparableConv2D of one column."""
    kernels = [("depthwise_kernel", site.layer.depthwise_kernel), ("pointwise_kernel", site.layer.pointwise_kernel)]
    return _lifted(site, "SeparableConv2D", kernels, rank=2)


def depthwise_conv_1d(site: Site) -> list[Ref]:
    """DepthwiseConv1D, which tfjs-layers lacks, as DepthwiseConv2D of one column."""
    kernel = getattr(site.layer, "depthwise_kernel", None)
    kernel = site.layer.kernel if kernel is None else kernel
    return _lifted(site, "DepthwiseConv2D", [("depthwise_kernel", kernel)], rank=2)


def conv_1d_transpose(site: Site) -> list[Ref]:
    """Conv1DTranspose, which tfjs-layers lacks, as Conv2DTranspose of one column."""
    return _lifted(site, "Conv2DTranspose", [("kernel", site.layer.kernel)])


def _lifted(site: Site, class_name: str, kernels: list[tuple[str, Any]], **overrides: Any) -> list[Ref]:
    """Convert as the two-dimensional class of the same name, on (steps, 1, channels)."""
    config, x, shape = site.config(), site.input, site.output.shape
    if config.get("data_format") != "channels_last":
        raise RefusedError("data_format='channels_first' is not compared for this layer")
    if config["padding"] == "causal":
        before = _first(config["dilation_rate"]) * (_first(config["kernel_size"]) - 1)
        x, config["padding"] = pad_steps(site, x, before, 0), "valid"
    site.note(f"as {class_name} of one column")
    stride, dilation = _first(config["strides"]), _first(config["dilation_rate"])
    # A transposed convolution would spread a column over as many as its stride; the others
    # read one column whatever the stride, and some kernels want both strides equal.
    column_stride = 1 if class_name == "Conv2DTranspose" else stride
    arguments = {
        "kernel_size": [_first(config["kernel_size"]), 1],
        "strides": [stride, column_stride],
        "dilation_rate": [dilation, dilation] if dilation != 1 else [1, 1],
        "padding": config["padding"],
        **overrides,
    }
    if config.get("output_padding") is not None:
        arguments["output_padding"] = config["output_padding"]
    weights = [(name, np.expand_dims(array(kernel), 1)) for name, kernel in kernels]
    if site.layer.use_bias:
        weights.append(("bias", array(site.layer.bias)))
    lifted = reshape(site, x, (x.shape[0], x.shape[1], 1, x.shape[2]), "lifted_in")
    flat_shape = (shape[0], shape[1], 1, shape[2])
    done = site.by_table(class_name, [lifted], weights=weights, shape=flat_shape, part="2d", **arguments)
    return [reshape(site, done[0], shape)]


def _first(value: Any) -> int:
    return int(value[0] if isinstance(value, list) else value)
