"""Keeps one small picture of an image-like output: the worst sample on both sides, and the difference.

An output is image-like if a sample has the shape (height, width, channels) with 1, 3 or 4 channels and at least eight
rows and columns.
"""

from __future__ import annotations

import base64
import math
import struct
import sys
import zlib
from dataclasses import dataclass

import numpy as np

from ..types import Array, SamplePicture
from . import classes
from .worst import Worst

_CHANNELS = (1, 3, 4)
_SMALLEST_SIDE = 8
#: The number of pixels of the longer side.
MOST_PIXELS = 64
#: The most values that are averaged for a pixel in each direction; the difference uses all values.
_MOST_TAPS = 2
_MISSING = 255  # not an error but NaN or infinity on one side only
_FULL_ERROR = 254

Rank = tuple[int, float, int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Picture:
    """The worst sample so far; the lowest `rank` is the worst, for any batch size.

    `reference` and `candidate` are `rows` x `columns` pixels of `bands` bytes, the last of which is 0 if a value is
    not finite, else 255; `difference` has one byte for each pixel.
    """

    rank: Rank
    sample: int
    height: int
    width: int
    channels: int
    rows: int
    columns: int
    low: float
    high: float
    largest_error: float
    changed_count: int
    reference: bytes
    candidate: bytes
    difference: bytes
    has_sample_axis: bool = True

    def encoded(self) -> SamplePicture:
        """Return the three pictures as PNG, in base64."""
        shape = (self.rows, self.columns, -1)
        return SamplePicture(
            sample=self.sample,
            height=self.height,
            width=self.width,
            channels=self.channels,
            low=self.low,
            high=self.high,
            largest_error=self.largest_error,
            changed_count=self.changed_count,
            reference_png=png(np.frombuffer(self.reference, np.uint8).reshape(shape)),
            candidate_png=png(np.frombuffer(self.candidate, np.uint8).reshape(shape)),
            difference_png=png(_coloured(np.frombuffer(self.difference, np.uint8).reshape(shape[:2]))),
            has_sample_axis=self.has_sample_axis,
        )


def worse(a: Picture | None, b: Picture | None) -> Picture | None:
    """Return the picture of the worse sample, in any order of the arguments."""
    return min(filter(None, (a, b)), key=lambda picture: picture.rank, default=None)


def looks_like_images(sample_shape: tuple[int, ...]) -> bool:
    """Tell whether a sample of this shape can be shown as a picture."""
    return len(sample_shape) == 3 and sample_shape[2] in _CHANNELS and min(sample_shape[:2]) >= _SMALLEST_SIDE


def picture(
    candidate: Array,
    size: Array,
    klass: Array,
    worst: Worst,
    start: int,
    *,
    finite: bool,
    has_sample_axis: bool = True,
) -> Picture | None:
    """Draw the sample of a batch with the worst element; None if no element differs.

    The arrays are those of `measure`; `start` is the index of their first sample in the whole input, and `finite` says
    that all values are finite.
    """
    rank = _worst_rank(worst)
    if rank is None:
        return None
    sample = rank[2]
    c, r, k = (array[sample - start] for array in (candidate, size, klass))
    height, width, channels = r.shape
    block = math.ceil(max(height, width) / MOST_PIXELS)
    difference, largest, changed_count = _difference(c, r, k, block, finite)
    known = r if finite else r[np.isfinite(r)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    return Picture(
        rank=rank,
        sample=sample,
        height=height,
        width=width,
        channels=channels,
        rows=difference.shape[0],
        columns=difference.shape[1],
        low=low,
        high=high,
        largest_error=largest,
        changed_count=changed_count,
        reference=_pixels(r, block, low, high).tobytes(),
        candidate=_pixels(c, block, low, high).tobytes(),
        difference=difference.tobytes(),
        has_sample_axis=has_sample_axis,
    )


def _worst_rank(worst: Worst) -> Rank | None:
    for kind, ranked in enumerate((worst.masked, worst.introduced, worst.changed, worst.errors)):
        if ranked:
            return kind, *ranked[0].order
    return None


def _difference(candidate: Array, reference: Array, klass: Array, block: int, finite: bool) -> tuple[Array, float, int]:
    """Return the largest error under each pixel as bytes, that of the largest pixel, and the count of changed classes.

    The bytes are scaled so that the largest error is `_FULL_ERROR`.
    """
    shown, missing, changed_count = [], [], 0
    for top in range(0, len(reference), block):  # strips, which stay in the processor's cache
        c, r, k = (values[top : top + block] for values in (candidate, reference, klass))
        with np.errstate(all="ignore"):
            errors = np.subtract(c, r, dtype=np.float64)
            np.abs(errors, out=errors)
        if not finite:
            errors[~np.isfinite(errors)] = 0.0
            changed = classes.codes(c) != classes.codes(k)
            changed_count += int(np.count_nonzero(changed))
            missing.append((changed | ~np.isfinite(r)).any(axis=0))
        shown.append(np.minimum(errors.max(axis=0), sys.float_info.max))
    largest_of = _columns(np.stack(shown), block, np.maximum)
    largest = float(largest_of.max())
    if largest:
        largest_of = np.ldexp(largest_of, -math.frexp(largest)[1]) / math.frexp(largest)[0]
    levels = np.ceil(largest_of * _FULL_ERROR).astype(np.uint8)
    if missing:
        levels[_columns(np.stack(missing), block, np.logical_or)] = _MISSING
    return levels, largest, changed_count


def _columns(rows: Array, block: int, combine: np.ufunc) -> Array:
    """Combine columns so many at a time, the last ones perhaps fewer, and all channels."""
    if block > 1:
        rows = combine.reduceat(rows, np.arange(0, rows.shape[1], block), axis=1)
    result: Array = combine.reduce(rows, axis=2)
    return result


def _pixels(values: Array, block: int, low: float, high: float) -> Array:
    """Return grey or red, green and blue, then opacity: means of a few finite values under each pixel.

    `low` is black.
    """
    taps = min(block, _MOST_TAPS)
    rows, columns = (_places(side, block, taps) for side in values.shape[:2])
    values = values[rows][:, columns, :3].astype(np.float64)
    finite = np.isfinite(values)
    half = high / 2 - low / 2  # divided before the subtraction, because the range may exceed float64
    scaled = (np.where(finite, values, low) / 2 - low / 2) / half if half > 0.0 else np.full_like(values, 0.5)
    grouped = (len(rows) // taps, taps, len(columns) // taps, taps, values.shape[2])
    counts = finite.reshape(grouped).sum(axis=(1, 3))
    means = (np.clip(scaled, 0.0, 1.0) * finite).reshape(grouped).sum(axis=(1, 3)) / np.maximum(counts, 1)
    opacity = np.where(finite.reshape(grouped).all(axis=(1, 3, 4)), 255, 0).astype(np.uint8)
    bands = np.round(means * 255.0).astype(np.uint8)
    return np.concatenate([bands, opacity[..., None]], axis=2)


def _places(side: int, block: int, taps: int) -> Array:
    """Return the rows, or columns, that are read: `taps` for each pixel."""
    offsets = (2 * np.arange(taps) + 1) * block // (2 * taps)
    places: Array = np.minimum(np.arange(0, side, block)[:, None] + offsets, side - 1)
    return places.reshape(-1)


def _coloured(levels: Array) -> Array:
    """Map levels of error to colours of growing lightness, which are also readable with colour blindness."""
    at = np.linspace(0.0, _FULL_ERROR, len(_RAMP))
    ramp = np.stack([np.interp(np.arange(256), at, band) for band in np.array(_RAMP).T], axis=1)
    pixels = np.empty((*levels.shape, 4), np.uint8)
    pixels[..., :3] = np.round(ramp).astype(np.uint8)[levels]
    pixels[..., 3] = np.where(levels == _MISSING, 0, 255)
    return pixels


#: Matplotlib's "inferno" (van der Walt and Smith, 2015), nine of its colours.
_RAMP = (
    (0, 0, 4),
    (31, 12, 72),
    (85, 15, 109),
    (136, 34, 106),
    (186, 54, 85),
    (227, 89, 51),
    (249, 140, 10),
    (249, 201, 50),
    (252, 255, 164),
)


_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # grey, grey and opacity, RGB, RGB and opacity


def png(pixels: Array) -> str:
    """Return the PNG in base64 of rows x columns x bands bytes; an opacity of 255 everywhere is left out."""
    rows, columns, bands = pixels.shape
    if bands in (2, 4) and (pixels[..., -1] == 255).all():
        pixels, bands = pixels[..., :-1], bands - 1
    header = struct.pack(">IIBBBBB", columns, rows, 8, _COLOR_TYPES[bands], 0, 0, 0)
    lines = np.zeros((rows, 1 + columns * bands), np.uint8)  # each line begins with its filter; 0 is none
    lines[:, 1:] = pixels.reshape(rows, -1)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return base64.b64encode(_SIGNATURE + b"".join(_chunk(*chunk) for chunk in chunks)).decode("ascii")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
