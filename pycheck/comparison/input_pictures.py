"""Draws the input that Python and a page made of one file, side by side, and their difference."""

from __future__ import annotations

import math

import numpy as np

from ..types import Array, InputPicture
from .pictures import png

#: The number of pixels of the longer side, and the height of a wave.
_MOST_PIXELS, _WAVE_PIXELS = 80, 32
_SMALLEST_SIDE = 8
_FEWEST_VALUES = 64


def input_picture(file: str, python: Array, page: Array) -> InputPicture | None:
    """Draw two inputs of one file; None if they are no picture, have different shapes, or are equal.

    Images have 1 or 3 channels, first or last; two axes are an image too, such as a spectrogram; one axis is a wave.
    """
    if python.shape != page.shape or python.dtype.kind not in "biuf":
        return None
    mine, other = (np.nan_to_num(side.astype(np.float64), posinf=0.0, neginf=0.0) for side in (python, page))
    largest = float(np.abs(mine - other).max(initial=0.0))
    if not largest or not np.ptp(mine):
        return None
    low, high = float(mine.min()), float(mine.max())
    factor = _factor((high - low) / largest)
    images = [_image(each) for each in (mine, other)]
    if images[0] is not None and images[1] is not None:
        block = math.ceil(max(images[0].shape[:2]) / _MOST_PIXELS)
        pictures = [_bytes((_means(each, block) - low) / (high - low)) for each in images if each is not None]
        apart = _means(np.abs(images[1] - images[0]), block) / (high - low)
        factor = _factor(1 / float(apart.max()))
        difference = _bytes(factor * apart)
        kind = "image"
    else:
        waves = [_wave(each) for each in (mine, other, other - mine)]
        if any(wave is None for wave in waves):
            return None
        pictures = [_drawn(wave, low, high) for wave in waves[:2] if wave is not None]
        assert waves[2] is not None
        difference = _drawn(waves[2], -(high - low) / factor, (high - low) / factor)
        kind = "wave"
    return InputPicture(
        file, "image" if kind == "image" else "wave", python.shape, low, high, factor, largest,
        png(pictures[0]), png(pictures[1]), png(difference),
    )  # fmt: skip


def _factor(ratio: float) -> float:
    """Return 1, 2 or 5 times a power of ten, at most `ratio`, so that differences stay below white; at least 1."""
    if ratio <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(ratio))
    return power * max(step for step in (1, 2, 5) if step * power <= ratio * (1 + 1e-9))


def _image(sample: Array) -> Array | None:
    """Return (height, width, 1 or 3 channels); None if it is no image."""
    if sample.ndim == 3 and sample.shape[0] in (1, 3) and sample.shape[2] not in (1, 3):
        sample = sample.transpose(1, 2, 0)
    if sample.ndim == 2 and min(sample.shape) >= _SMALLEST_SIDE:
        sample = sample[..., None]
    is_image = sample.ndim == 3 and sample.shape[2] in (1, 3) and min(sample.shape[:2]) >= _SMALLEST_SIDE
    return sample if is_image else None


def _means(image: Array, block: int) -> Array:
    """Return the mean below each pixel; the last pixels of a row or column may stand for fewer values."""
    for axis in (0, 1):
        starts = np.arange(0, image.shape[axis], block)
        counts = np.diff([*starts, image.shape[axis]]).reshape([-1 if a == axis else 1 for a in range(3)])
        image = np.add.reduceat(image, starts, axis=axis) / counts
    return image


def _bytes(shares: Array) -> Array:
    return np.asarray(np.round(np.clip(shares, 0, 1) * 255), np.uint8)


def _wave(sample: Array) -> Array | None:
    """Return the lowest and the highest value below each pixel (2, pixels); None if it is no wave."""
    values = sample.reshape(-1) if max(sample.shape, default=0) == sample.size else None
    if values is None or values.size < _FEWEST_VALUES:
        return None
    starts = np.arange(0, values.size, math.ceil(values.size / _MOST_PIXELS))
    return np.stack([np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)])


def _drawn(wave: Array, low: float, high: float) -> Array:
    """Draw a wave in white on black: (rows, columns, 1)."""
    at = (np.clip(wave, low, high) - low) / (high - low) * (_WAVE_PIXELS - 1)
    rows = np.arange(_WAVE_PIXELS)[::-1, None]
    return np.asarray(np.where((rows >= np.floor(at[0])) & (rows <= np.ceil(at[1])), 255, 0), np.uint8)[..., None]
