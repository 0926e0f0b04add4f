"""Converts layers that move or select elements, for shapes that tfjs-layers does not support itself."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ...artifact.layers.table import SAMPLED_ELSEWHERE
from .site import Site
from .target import Ref, RefusedError, Shape


def reshape(site: Site, x: Ref, shape: Shape, part: str = "") -> Ref:
    """Reshape to `shape` (with the sample axis); one dimension after it may be open.

    Raises:
        RefusedError: more than one is.
    """
    if sum(d is None for d in shape[1:]) > 1:
        raise RefusedError(f"its shape {list(shape[1:])} has more than one unknown dimension")
    target = [-1 if d is None else d for d in shape[1:]]
    return site.emit("Reshape", {"target_shape": target}, [x], shape, part=part, dtype=x.dtype)


def identity(site: Site, x: Ref, part: str = "") -> Ref:
    """Emit a copy; integers become float32 if Keras would cast them."""
    if x.dtype != site.output.dtype and site.output.dtype == "float32":
        return site.emit("Rescaling", {"scale": 1.0, "offset": 0.0}, [x], x.shape, part=part)
    return site.emit("Activation", {"activation": "linear"}, [x], x.shape, part=part, dtype=x.dtype)


def flatten(site: Site) -> list[Ref]:
    """Convert Flatten; tfjs-layers needs at least three axes and no open dimension."""
    x = site.input
    if x.rank >= 3 and None not in x.shape[1:]:
        return site.by_table()
    if site.config().get("data_format") == "channels_first" and x.rank > 3:
        raise RefusedError("data_format='channels_first' with an unknown dimension")
    return [reshape(site, x, (x.shape[0], None if None in x.shape[1:] else math.prod(d or 1 for d in x.shape[1:])))]


def reshape_layer(site: Site) -> list[Ref]:
    """Convert Reshape, with the inferred dimension as a number: tfjs-layers leaves it open for later layers."""
    return [reshape(site, site.input, site.output.shape)]


def concatenate(site: Site) -> list[Ref]:
    """Convert Concatenate; tfjs-layers treats every negative axis as the last."""
    axis = int(site.config()["axis"]) % len(site.output.shape)
    if axis == 0:
        raise RefusedError("axis=0: it joins samples")
    if len(site.inputs) == 1:
        return [identity(site, site.inputs[0])]
    return site.by_table(axis=axis)


def pad_steps(site: Site, x: Ref, before: int, after: int) -> Ref:
    """Emit zeros before and after the steps of (samples, steps, channels)."""
    _, steps, channels = x.shape
    lifted = reshape(site, x, (x.shape[0], steps, 1, channels), "lifted")
    padded_steps = None if steps is None else steps + before + after
    config = {"padding": [[before, after], [0, 0]], "data_format": "channels_last"}
    padded = site.emit("ZeroPadding2D", config, [lifted], (x.shape[0], padded_steps, 1, channels), part="padded_2d")
    return reshape(site, padded, (x.shape[0], padded_steps, channels), "padded")


def _check_channels_last(site: Site) -> None:
    if site.config().get("data_format") not in (None, "channels_last"):
        raise RefusedError("data_format='channels_first' is not supported for this layer")


def zero_padding_1d(site: Site) -> list[Ref]:
    """Convert ZeroPadding1D, which tfjs-layers lacks, to ZeroPadding2D of one column."""
    _check_channels_last(site)
    padding = site.config()["padding"]
    before, after = padding if isinstance(padding, list) else (padding, padding)
    site.note("as ZeroPadding2D of one column")
    return [pad_steps(site, site.input, before, after)]


def cropping_1d(site: Site) -> list[Ref]:
    """Convert Cropping1D, which tfjs-layers lacks, to Cropping2D of one column."""
    cropping = site.config()["cropping"]
    before, after = cropping if isinstance(cropping, list) else (cropping, cropping)
    site.note("as Cropping2D of one column")
    config = {"cropping": [[before, after], [0, 0]], "data_format": "channels_last"}
    return [_in_2d(site, "Cropping2D", config)]


def up_sampling_1d(site: Site) -> list[Ref]:
    """Convert UpSampling1D, which tfjs-layers lacks, to UpSampling2D of one column."""
    site.note("as UpSampling2D of one column")
    config = {"size": [int(site.config()["size"]), 1], "data_format": "channels_last", "interpolation": "nearest"}
    return [_in_2d(site, "UpSampling2D", config)]


def _in_2d(site: Site, class_name: str, config: Mapping[str, object]) -> Ref:
    x, shape = site.input, site.output.shape
    lifted = reshape(site, x, (x.shape[0], x.shape[1], 1, x.shape[2]), "lifted")
    done = site.emit(class_name, config, [lifted], (shape[0], shape[1], 1, shape[2]), part="2d")
    return reshape(site, done, shape)


def center_crop(site: Site) -> list[Ref]:
    """Convert CenterCrop to Cropping2D: tfjs-layers's CenterCrop resamples at different positions."""
    _check_channels_last(site)
    x, config = site.input, site.config()
    height, width = x.shape[1], x.shape[2]
    if x.rank != 4 or height is None or width is None:
        raise RefusedError("the size of its input is unknown")
    down, right = height - config["height"], width - config["width"]
    if down < 0 or right < 0:
        raise RefusedError("its input is smaller than the crop, and Keras then resizes")
    top, left = down // 2, right // 2
    site.note("as Cropping2D")
    cropping = {"cropping": [[top, down - top], [left, right - left]], "data_format": "channels_last"}
    x = x if x.dtype == site.output.dtype else identity(site, x, "cast")
    return [site.emit("Cropping2D", cropping, [x], site.output.shape)]


def rescaling(site: Site) -> list[Ref]:
    """Convert Rescaling; one factor for each channel applies to the last axis."""
    config = site.config()
    several = isinstance(config["scale"], list) or isinstance(config["offset"], list)
    if several and getattr(site.layer, "data_format", None) == "channels_first":
        raise RefusedError("a factor for each channel with data_format='channels_first'")
    return site.by_table()


def resizing(site: Site) -> list[Ref]:
    """Convert Resizing only to the input's own size; tfjs-layers aligns corners, Keras does not."""
    x, config = site.input, site.config()
    if x.rank == 4 and x.shape[1:3] == (config["height"], config["width"]):
        return [identity(site, x)]
    raise RefusedError(SAMPLED_ELSEWHERE["Resizing"])


def global_pooling(site: Site) -> list[Ref]:
    """Convert global pooling; `keepdims`, which tfjs-layers ignores, becomes a Reshape.

    Three dimensions become one.
    """
    x, name, shape = site.input, site.call.class_name, site.output.shape
    keepdims = bool(site.config().get("keepdims", False))
    channels_first = site.config().get("data_format") == "channels_first"
    channels = x.shape[1] if channels_first else x.shape[-1]
    pooled: Shape = (x.shape[0], channels)
    if name.endswith("3D"):
        if channels_first:
            raise RefusedError("data_format='channels_first' is not supported for this layer")
        site.note(f"as {name[:-2]}1D of all positions")
        sizes = x.shape[1:4]
        positions = None if None in sizes else math.prod(d or 1 for d in sizes)
        flat = reshape(site, x, (x.shape[0], positions, channels), "positions")
        result = site.emit(f"{name[:-2]}1D", {}, [flat], pooled, part="pooled" if keepdims else "")
    elif not keepdims:
        return site.by_table()
    else:
        result = site.by_table(shape=pooled, part="pooled", keepdims=False)[0]
    return [reshape(site, result, shape) if keepdims else result]
