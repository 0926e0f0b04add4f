"""Converts convolutions that differ in tfjs-layers: one dimension as two, causal as padded, groups as depthwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...artifact.kernel_faults import explicit_padding
from .keras_calls import KERAS_3, framework_of
from .rewrites_shape import pad_steps, reshape
from .site import Site, array
from .target import Ref, RefusedError


def conv_1d(site: Site) -> list[Ref]:
    """Convert Conv1D; causal padding, which tfjs-layers lacks, becomes zeros before a valid convolution."""
    config = site.config()
    if config["padding"] == "same" and (zeros := _zeros(site, [site.input.shape[1], 1])):
        return site.by_table(inputs=[pad_steps(site, site.input, *zeros[0])], padding="valid")
    if config["padding"] != "causal":
        return site.by_table()
    before = _first(config["dilation_rate"]) * (_first(config["kernel_size"]) - 1)
    site.note(f"causal padding as {before} zeros before a valid convolution")
    return site.by_table(inputs=[pad_steps(site, site.input, before, 0)], padding="valid")


def with_bias(site: Site) -> list[Ref]:
    """Convert a two-dimensional convolution by the table, if Keras adds the bias to the channels."""
    _check_bias(site)
    return site.by_table()


def padded_2d(site: Site) -> list[Ref]:
    """Convert DepthwiseConv2D and SeparableConv2D, also with padding that TF.js's wasm kernel computes wrongly."""
    _check_bias(site)
    return _padded(site)


def _padded(site: Site, class_name: str | None = None, **arguments: Any) -> list[Ref]:
    """Convert by the table; "same" padding that may be negative along an axis becomes explicit, which is exact."""
    x = site.input
    zeros = _zeros(site, list(x.shape[1:3])) if site.config()["padding"] == "same" else None
    if zeros is None:
        return site.by_table(class_name, **arguments)
    sizes = [(size or 0) + sum(two) for size, two in zip(x.shape[1:3], zeros, strict=True)]
    shape = (x.shape[0], *sizes, x.shape[3])
    config = {"padding": [list(two) for two in zeros], "data_format": "channels_last"}
    padded = site.emit("ZeroPadding2D", config, [x], shape, part="padded") if any(map(any, zeros)) else x
    return site.by_table(class_name, [padded], padding="valid", **arguments)


def _zeros(site: Site, sizes: Sequence[int | None]) -> list[tuple[int, int]] | None:
    """Return the zeros of "same" padding if some of it may be negative; None if TF.js can compute the padding."""
    config = site.config()
    window, strides, steps = (_two(config[name]) for name in ("kernel_size", "strides", "dilation_rate"))
    if config.get("data_format") != "channels_last" or steps != [1, 1]:
        return None
    zeros = explicit_padding(sizes, window, strides)
    if zeros is not None:
        site.note('"same" padding, for strides beyond the kernel, as zeros before a valid convolution')
    return zeros


def _two(value: Any) -> list[int]:
    """Return a value for two axes from one for one axis or for two."""
    values = [int(item) for item in value] if isinstance(value, list) else [int(value)]
    return values if len(values) == 2 else [values[0], 1]


def _check_bias(site: Site) -> None:
    # keras/src/backend/tensorflow/numpy.py, add(): a vector as long as the last axis is added there.
    config, shape = site.config(), site.output.shape
    channels_first = config.get("data_format") == "channels_first" and config.get("use_bias")
    if channels_first and shape[1] == shape[-1] and framework_of(type(site.layer)) == KERAS_3:
        raise RefusedError("Keras 3 adds the bias along the last axis here, because it is as long as the channels")


def in_3d(site: Site) -> list[Ref]:
    """Convert three-dimensional convolution and pooling; TF.js pads correctly unless padding is negative.

    tfjs-core src/ops/conv_util.ts, get3DPadAndOutInfo, has no lower bound if the stride is larger than the window,
    while get2DPadAndOutInfo has one.
    """
    config = site.config()
    _check_bias(site)
    window: list[int] = config.get("pool_size") or config["kernel_size"]
    strides: list[int] = config["strides"] or window
    if config["padding"] == "same" and any(s > w for s, w in zip(strides, window, strict=True)):
        raise RefusedError(f"strides={strides} beyond the window {window} with padding='same', which TF.js shifts")
    return site.by_table()


def conv_2d(site: Site) -> list[Ref]:
    """Convert Conv2D: one group for each input channel to DepthwiseConv2D; tfjs-layers ignores other groups."""
    config, x = site.config(), site.input
    groups = config.get("groups", 1)
    channels = x.shape[-1]
    _check_bias(site)
    if groups == 1 or config["data_format"] != "channels_last" or groups != channels:
        return _padded(site)
    kernel = array(site.layer.kernel)
    multiplier = kernel.shape[-1] // groups
    site.note("one group a channel, as DepthwiseConv2D")
    weights = [("depthwise_kernel", kernel.reshape(*kernel.shape[:2], groups, multiplier))]
    if site.layer.use_bias:
        weights.append(("bias", array(site.layer.bias)))
    return _padded(site, "DepthwiseConv2D", weights=weights, groups=1, depth_multiplier=multiplier)


def separable_conv_1d(site: Site) -> list[Ref]:
    """Convert SeparableConv1D, which tfjs-layers lacks, to SeparableConv2D of one column."""
    kernels = [("depthwise_kernel", site.layer.depthwise_kernel), ("pointwise_kernel", site.layer.pointwise_kernel)]
    return _lifted(site, "SeparableConv2D", kernels, rank=2)


def depthwise_conv_1d(site: Site) -> list[Ref]:
    """Convert DepthwiseConv1D, which tfjs-layers lacks, to DepthwiseConv2D of one column."""
    kernel = getattr(site.layer, "depthwise_kernel", None)
    kernel = site.layer.kernel if kernel is None else kernel
    return _lifted(site, "DepthwiseConv2D", [("depthwise_kernel", kernel)], rank=2)


def conv_1d_transpose(site: Site) -> list[Ref]:
    """Convert Conv1DTranspose, which tfjs-layers lacks, to Conv2DTranspose of one column."""
    return _lifted(site, "Conv2DTranspose", [("kernel", site.layer.kernel)])


def _lifted(site: Site, class_name: str, kernels: list[tuple[str, Any]], **overrides: Any) -> list[Ref]:
    """Convert as the two-dimensional class of the same name, on (steps, 1, channels)."""
    config, x, shape = site.config(), site.input, site.output.shape
    if config.get("data_format") != "channels_last":
        raise RefusedError("data_format='channels_first' is not supported for this layer")
    if config["padding"] == "causal":
        before = _first(config["dilation_rate"]) * (_first(config["kernel_size"]) - 1)
        x, config["padding"] = pad_steps(site, x, before, 0), "valid"
    elif config["padding"] == "same" and class_name != "Conv2DTranspose" and (zeros := _zeros(site, [x.shape[1], 1])):
        x, config["padding"] = pad_steps(site, x, *zeros[0]), "valid"
    site.note(f"as {class_name} of one column")
    stride, dilation = _first(config["strides"]), _first(config["dilation_rate"])
    # A transposed convolution would spread a column over as many as its stride. The others read one column for any
    # stride, and some kernels need equal strides.
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
