"""Resampling by NumPy from the definitions, one pixel at a time: independent of TensorFlow and of the formulas."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def bilinear_at(image: Array, y: float, x: float) -> Array:
    """Between four pixels of one image; `y` and `x` lie inside of it."""
    top, left = int(np.floor(y)), int(np.floor(x))
    bottom, right = min(top + 1, image.shape[0] - 1), min(left + 1, image.shape[1] - 1)
    down, across = y - top, x - left
    return np.asarray(
        (1 - down) * ((1 - across) * image[top, left] + across * image[top, right])
        + down * ((1 - across) * image[bottom, left] + across * image[bottom, right])
    )


def crop_and_resize(
    images: Array, boxes: Array, indices: Array, height: int, width: int, nearest: bool, outside: float
) -> Array:
    """Boxes are (y1, x1, y2, x2) in shares of the image's last row and column."""
    result = np.full((len(boxes), height, width, images.shape[3]), outside)
    for number, (box, index) in enumerate(zip(boxes.astype(float), indices, strict=True)):
        image = images[index].astype(float)
        last = np.array(image.shape[:2]) - 1
        for row, column in itertools.product(range(height), range(width)):
            at = []
            for axis, (place, count) in enumerate(((row, height), (column, width))):
                first, end = box[axis], box[axis + 2]
                share = first + place * (end - first) / (count - 1) if count > 1 else (first + end) / 2
                at.append(share * last[axis])
            y, x = at
            if 0 <= y <= last[0] and 0 <= x <= last[1]:
                value = image[int(np.floor(y + 0.5)), int(np.floor(x + 0.5))] if nearest else bilinear_at(image, y, x)
                result[number, row, column] = value
    return result


def cubic(x: float, a: float) -> float:
    """Keys's kernel."""
    x = abs(x)
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def bicubic_axis(size: int, count: int, align_corners: bool, centered: bool) -> Array:
    """The matrix that resizes one axis. TensorFlow rounds the phase to a 1024th (resize_bicubic_op.cc)."""
    step = (size - 1) / (count - 1) if align_corners and count > 1 else size / count
    matrix = np.zeros((count, size))
    for place in range(count):
        position = (place + 0.5) * step - 0.5 if centered else place * step
        base = int(np.floor(position))
        phase = np.round((position - base) * 1024) / 1024
        for tap in (-1, 0, 1, 2):
            source, weight = base + tap, cubic(tap - phase, -0.5 if centered else -0.75)
            inside = 0 <= source < size
            matrix[place, min(max(source, 0), size - 1)] += weight if inside or not centered else 0.0
        if centered:
            matrix[place] /= matrix[place].sum()
    return matrix


def project(images: Array, transform: Array, height: int, width: int, fill: float) -> Array:
    """Bilinear, what lies outside is `fill`."""
    t = transform.astype(float)
    padded = np.pad(images.astype(float), [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=fill)
    result = np.full((len(images), height, width, images.shape[3]), fill)
    for row, column in itertools.product(range(height), range(width)):
        depth = t[6] * column + t[7] * row + 1
        x = (t[0] * column + t[1] * row + t[2]) / depth + 1
        y = (t[3] * column + t[4] * row + t[5]) / depth + 1
        if 0 <= y <= padded.shape[1] - 1 and 0 <= x <= padded.shape[2] - 1:
            for number, image in enumerate(padded):
                result[number, row, column] = bilinear_at(image, y, x)
    return result


def fake_quantize(x: Array, least: Array, most: Array, bits: int, narrow: bool) -> Array:
    """The nearest of the steps from `least` to `most`, moved so that one of them is 0."""
    low, high = int(narrow), 2**bits - 1
    step = (most - least) / (high - low)
    zero = np.clip(np.floor(low - least / step + 0.5), low, high)
    codes = np.clip(np.floor(x / step + zero + 0.5), low, high)
    return np.asarray((codes - zero) * step)
