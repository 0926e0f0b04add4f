"""Computes operations that resample images with float64 operations, because TensorFlow's CPU has only float32.

Values and interpolation weights are float64. A decision that jumps (inside or outside of the image, the nearer of two
pixels, the entry of a table) is made from coordinates in float32, in the kernel's own order of operations. In a
different precision it would be a different function, not a more exact one. Each of these operations is float64
arithmetic that is rounded (`_single`), because Grappler reorders operations in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

Attrs = Mapping[str, Any]  # name to tensorflow AttrValue
Tensor = Any
Rounding = Callable[[Tensor], Tensor]

_BICUBIC_TABLE_SIZE = 1 << 10


def crop_and_resize(attrs: Attrs, image: Tensor, boxes: Tensor, box_index: Tensor, crop_size: Tensor) -> list[Tensor]:
    """Compute crop_and_resize_op.cc: each box, in shares of the image, is sampled at `crop_size` points per axis."""
    value = tf.cast(image, tf.float64)
    sides = [tf.cast(tf.shape(image)[1 + axis], tf.int32) for axis in (0, 1)]
    spans = [(boxes[:, axis], boxes[:, axis + 2], sides[axis], crop_size[axis]) for axis in (0, 1)]
    decided = [_crop_positions(*span, _single) for span in spans]
    inside = [(at >= 0) & (at <= tf.cast(side - 1, tf.float64)) for at, side in zip(decided, sides, strict=True)]

    def pixels(y: Tensor, x: Tensor) -> Tensor:
        """Return values at rows `y` (boxes, height) and columns `x` (boxes, width)."""
        zeros = tf.zeros_like(y[:, :, None] + x[:, None, :])
        index = tf.stack([box_index[:, None, None] + zeros, y[:, :, None] + zeros, x[:, None, :] + zeros], -1)
        return tf.gather_nd(value, index)

    if attrs["method"].s == b"nearest":
        y, x = (
            tf.clip_by_value(tf.cast(_round_half_away(at), tf.int32), 0, side - 1)
            for at, side in zip(decided, sides, strict=True)
        )
        sampled = pixels(y, x)
    else:
        exact = [_crop_positions(*span, tf.identity) for span in spans]
        (top, bottom, y_lerp), (left, right, x_lerp) = (
            _between(tf.clip_by_value(at, tf.zeros([], tf.float64), tf.cast(side - 1, tf.float64)))
            for at, side in zip(exact, sides, strict=True)
        )
        across = x_lerp[:, None, :, None]
        upper = pixels(top, left) + (pixels(top, right) - pixels(top, left)) * across
        lower = pixels(bottom, left) + (pixels(bottom, right) - pixels(bottom, left)) * across
        sampled = upper + (lower - upper) * y_lerp[:, :, None, None]
    kept = (inside[0][:, :, None] & inside[1][:, None, :])[..., None]
    return [tf.where(kept, sampled, tf.constant(attrs["extrapolation_value"].f, tf.float64))]


def _crop_positions(first: Tensor, last: Tensor, side: Tensor, count: Tensor, rounding: Rounding) -> Tensor:
    """Return source coordinates along one axis, (boxes, count)."""
    first, last, span = rounding(first), rounding(last), tf.cast(side - 1, tf.float64)
    step = rounding(rounding(rounding(last - first) * span) / tf.cast(tf.maximum(count - 1, 1), tf.float64))
    places = tf.cast(tf.range(count), tf.float64)
    spread = rounding(rounding(first * span)[:, None] + rounding(places * step[:, None]))
    return tf.where(count > 1, spread, rounding(0.5 * rounding(first + last) * span)[:, None])


def _single(value: Tensor) -> Tensor:
    """Round a float64 to float32; after one operation on two float32 numbers, this equals the operation in float32."""
    return tf.cast(tf.cast(value, tf.float32), tf.float64)


def _between(position: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pixels on either side of a position, and the weight of the second."""
    low = tf.floor(position)
    return tf.cast(low, tf.int32), tf.cast(tf.math.ceil(position), tf.int32), position - low


def _round_half_away(position: Tensor) -> Tensor:
    """Round like C's roundf."""
    return tf.sign(position) * tf.floor(tf.abs(position) + 0.5)


def resize_bicubic(attrs: Attrs, images: Tensor, size: Tensor) -> list[Tensor]:
    """Compute resize_bicubic_op.cc, which has weights at 1025 phases: the same phases, with exact weights."""
    value = tf.cast(images, tf.float64)
    for axis in (1, 2):
        indices, weights = _bicubic_taps(attrs, tf.shape(images)[axis], size[axis - 1])
        shape = [4, 1, 1, 1, 1]
        shape[1 + axis] = -1
        taps = tf.stack([tf.gather(value, index, axis=axis) for index in tf.unstack(indices, num=4)])
        value = tf.reduce_sum(taps * tf.reshape(weights, shape), 0)
    return [value]


def _bicubic_taps(attrs: Attrs, in_size: Tensor, out_size: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each output position four source indices and their weights, both (4, positions)."""
    source, target = tf.cast(in_size, tf.float64), tf.cast(out_size, tf.float64)
    step = _single(source / target)
    if attrs["align_corners"].b:
        step = tf.where(out_size > 1, _single((source - 1.0) / tf.maximum(target - 1.0, 1.0)), step)
    centered = attrs["half_pixel_centers"].b
    position = tf.cast(tf.range(out_size), tf.float64)
    position = _single(_single((position + 0.5) * step) - 0.5) if centered else _single(position * step)
    base = tf.floor(position)
    phase = tf.round(_single(position - base) * _BICUBIC_TABLE_SIZE) / _BICUBIC_TABLE_SIZE
    a = -0.5 if centered else -0.75

    def near(x: Tensor) -> Tensor:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Tensor) -> Tensor:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    weights = tf.stack([far(phase + 1), near(phase), near(1 - phase), far(2 - phase)])
    wanted = tf.cast(base, tf.int32) + tf.constant([[-1], [0], [1], [2]])
    indices = tf.clip_by_value(wanted, 0, in_size - 1)
    if centered:  # positions outside have no weight, and the rest adds up to 1
        weights = tf.where(indices == wanted, weights, tf.zeros([], tf.float64))
        weights /= tf.reduce_sum(weights, 0)
    return indices, weights


def project_image(
    attrs: Attrs, images: Tensor, transforms: Tensor, size: Tensor, fill: Tensor | None = None
) -> list[Tensor]:
    """Compute image_ops.h: a projective transform, whose eight numbers map output to input coordinates."""
    value = tf.cast(images, tf.float64)
    filling = tf.zeros([], tf.float64) if fill is None else tf.cast(fill, tf.float64)
    nearest, mode = attrs["interpolation"].s == b"NEAREST", attrs["fill_mode"].s.decode() or "CONSTANT"
    places, projected = _project(transforms, size, _single if nearest else tf.identity)
    sides = [tf.shape(images)[1], tf.shape(images)[2]]
    y, x = (_into(mode, at, side) for at, side in zip(places, sides, strict=True))

    def read(row: Tensor, column: Tensor) -> Tensor:
        row, column = tf.cast(row, tf.int32), tf.cast(column, tf.int32)
        inside = (row >= 0) & (row < sides[0]) & (column >= 0) & (column < sides[1])
        row, column = tf.clip_by_value(row, 0, sides[0] - 1), tf.clip_by_value(column, 0, sides[1] - 1)
        batch = tf.zeros_like(row) + tf.range(tf.shape(images)[0])[:, None, None]
        index = tf.stack([batch, row + tf.zeros_like(batch), column + tf.zeros_like(batch)], -1)
        return tf.where(inside[..., None], tf.gather_nd(value, index), filling)

    if nearest:
        result = read(_round_half_away(y), _round_half_away(x))
    else:
        top, left = tf.floor(y), tf.floor(x)
        below, right = (y - top)[..., None], (x - left)[..., None]
        upper = (1 - right) * read(top, left) + right * read(top, left + 1)
        lower = (1 - right) * read(top + 1, left) + right * read(top + 1, left + 1)
        result = (1 - below) * upper + below * lower
    return [tf.cast(tf.where(projected[..., None], result, filling), images.dtype)]


def _project(transforms: Tensor, size: Tensor, rounding: Rounding) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Return input coordinates (y, x), each (1 or batch, height, width), and where they are defined."""
    t = [tf.cast(number, tf.float64)[:, None, None] for number in tf.unstack(transforms, num=8, axis=1)]
    y = tf.cast(tf.range(size[0]), tf.float64)[None, :, None]
    x = tf.cast(tf.range(size[1]), tf.float64)[None, None, :]

    def combined(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return rounding(rounding(rounding(a * x) + rounding(b * y)) + c)

    depth = combined(t[6], t[7], tf.ones([], tf.float64))
    safe = tf.where(depth == 0, tf.ones_like(depth), depth)
    return (rounding(combined(*t[3:6]) / safe), rounding(combined(*t[:3]) / safe)), depth != 0


def _into(mode: str, at: Tensor, side: Tensor) -> Tensor:
    """Compute the MapCoordinate functors of image_ops.h."""
    zero, size = tf.zeros([], tf.float64), tf.cast(side, tf.float64)
    if mode == "CONSTANT":
        return at
    if mode == "WRAP":
        last = tf.maximum(size - 1, 1)
        at = tf.where(
            at < 0,
            at + size * (_whole(-at / last) + 1),
            tf.where(at > size - 1, at - size * _whole(at / last), at),
        )
    elif mode == "REFLECT":
        period = 2 * size
        below = period * _whole(-at / period) + at
        below = tf.where(below < -size, below + period, -below - 1)
        above = at - period * _whole(at / period)
        above = tf.where(above >= size, period - above - 1, above)
        at = tf.where(at < 0, below, tf.where(at > size - 1, above, at))
    return tf.clip_by_value(at, zero, size - 1)


def _whole(value: Tensor) -> Tensor:
    return tf.cast(tf.cast(value, tf.int64), tf.float64)


def adjust_contrast(attrs: Attrs, images: Tensor, factor: Tensor) -> list[Tensor]:
    """Compute adjust_contrast_op.cc: the distance to each channel's mean over the image, times a factor."""
    mean = tf.reduce_mean(images, [-3, -2], keepdims=True)
    return [(images - mean) * tf.cast(factor, images.dtype) + mean]


def fake_quantize(attrs: Attrs, x: Tensor, least: Tensor, most: Tensor) -> list[Tensor]:
    """Compute fake_quant_ops_functor.h: the nearest of 2**num_bits steps, which include 0."""
    lowest, highest = float(attrs["narrow_range"].b), float(2 ** attrs["num_bits"].i - 1)
    step = (most - least) / (highest - lowest)
    safe = tf.where(step == 0, tf.ones_like(step), step)
    zero_point = _round_half_away(tf.clip_by_value(lowest - least / safe, np.float64(lowest), np.float64(highest)))
    low, high = (lowest - zero_point) * safe, (highest - zero_point) * safe
    steps = tf.floor((tf.minimum(tf.maximum(x, low), high) - low) / safe + 0.5)
    return [tf.where(step == 0, tf.zeros_like(x), steps * safe + low)]


def fake_quantize_by_attributes(attrs: Attrs, x: Tensor) -> list[Tensor]:
    """Compute `fake_quantize` with constants for the range."""
    return fake_quantize(attrs, x, *(tf.constant(attrs[name].f, tf.float64) for name in ("min", "max")))
