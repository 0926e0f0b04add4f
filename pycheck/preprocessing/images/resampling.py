"""Resizes pixels with every algorithm that Python and browsers use, at chosen rows and columns of the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...types import Array

#: More source pixels than this for a new one are cheaper as a product of matrices.
_FEW_TAPS = 6


@dataclass(frozen=True, slots=True)
class Kernel:
    """How a new pixel is made of old ones.

    `centers`: new pixels stand at ``half`` pixel centers, at ``plain`` multiples of the scale, or with the corners
    ``aligned``. `antialias` widens the kernel to all pixels that a smaller image merges.
    """

    method: str
    centers: str = "half"
    antialias: bool = False

    def __str__(self) -> str:
        name = _NAMES.get(self.method, self.method)
        if self.method in ("area", "box"):
            return name
        centers = {"half": "pixel centers", "plain": "no pixel centers", "aligned": "corners aligned"}[self.centers]
        return f"{name}, {'antialiased' if self.antialias else centers}"


@dataclass(frozen=True, slots=True)
class Window:
    """The part of an axis that is resized: its start and length in pixels, and the pixels that may be read."""

    start: float
    length: float
    first: int
    end: int


_NAMES = {
    "sixteenths": "bilinear in 16 steps",
    "bicubic": "bicubic",
    "sharp-bicubic": "bicubic (a = -0.75)",
    "box": "box",
    "lanczos": "Lanczos",
}

_ANTIALIASED = tuple(Kernel(method, antialias=True) for method in ("bilinear", "bicubic", "lanczos"))
#: All that are tried: those of tf.image, TF.js, Pillow and OpenCV, and that of a canvas.
KERNELS = (
    *(Kernel(method, centers) for method in ("bilinear", "nearest") for centers in ("half", "plain", "aligned")),
    Kernel("sixteenths"),
    Kernel("bicubic"),
    Kernel("sharp-bicubic"),
    Kernel("lanczos"),
    Kernel("area", antialias=True),
    Kernel("box", antialias=True),
    *_ANTIALIASED,
)


def resample(planes: Array, rows: _Taps, columns: _Taps, *, rounds: bool = False, rows_first: bool = False) -> Array:
    """Resize planes (channels, height, width) to float32 (channels, rows, columns).

    `rounds`: bytes are made after each axis, as Pillow does, of the columns first or with `rows_first` of the rows.
    """
    if rows_first:
        turned = resample(planes.transpose(0, 2, 1), columns, rows, rounds=rounds)
        return turned.transpose(0, 2, 1)
    rows, columns = (taps.of_pillow() if rounds else taps.of_floats() for taps in (rows, columns))
    needed = np.unique(rows.index)
    moved = _Taps(np.searchsorted(needed, rows.index), rows.weight)
    across = _along_columns(planes[:, needed] if len(needed) < planes.shape[1] else planes, columns)
    if rounds:
        across = to_bytes(across)
    down = np.ascontiguousarray(_along_columns(np.ascontiguousarray(across.transpose(0, 2, 1)), moved))
    made = down.transpose(0, 2, 1)
    return to_bytes(made) if rounds else made


def is_rows_first(image: tuple[int, int], resized: tuple[int, int]) -> bool:
    """Tell whether Pillow resizes the rows before the columns: height and width of the image, and of the new one.

    Pillow 13 does so if the height shrinks by more than twice as many pixels as the width; older ones never do. This
    was measured on 300 random sizes.
    """
    return knows_rows_first() and image[0] > resized[0] and image[0] - resized[0] > 2 * (image[1] - resized[1])


@lru_cache(maxsize=1)
def knows_rows_first() -> bool:
    """Tell whether this Pillow ever resizes the rows first."""
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (90, 40)).astype(np.uint8)
    taps = [taps_of(Kernel("bilinear", antialias=True), Window(0.0, size, 0, size), 20) for size in pixels.shape]
    made = np.asarray(Image.fromarray(pixels).resize((20, 20), Image.Resampling.BILINEAR))
    wrong = [
        np.abs(resample(pixels[None], *taps, rounds=True, rows_first=first)[0] - made).sum() for first in (False, True)
    ]
    return bool(wrong[1] < wrong[0])


def to_bytes(values: Array) -> Array:
    """Round to whole numbers from 0 to 255, halves up as Pillow does."""
    return np.asarray(np.clip(np.floor(values + values.dtype.type(0.5)), 0, 255), np.float32)


def _along_columns(planes: Array, taps: _Taps) -> Array:
    if taps.index.shape[1] > _FEW_TAPS:
        matrix = np.zeros((planes.shape[2], len(taps.index)), taps.weight.dtype)
        np.add.at(matrix, (taps.index, np.arange(len(taps.index))[:, None]), taps.weight)
        return np.asarray(planes.astype(taps.weight.dtype, copy=False) @ matrix)
    made = np.zeros((*planes.shape[:2], len(taps.index)), taps.weight.dtype)
    for place in range(taps.index.shape[1]):
        made += planes[:, :, taps.index[:, place]] * taps.weight[:, place]
    return made


@dataclass(frozen=True, slots=True, eq=False)
class _Taps:
    """For each new pixel the old ones that it is made of, and their weights: both (new, taps)."""

    index: Array
    weight: Array

    def at(self, places: Array | None) -> _Taps:
        """Return those of some new pixels."""
        return self if places is None else _Taps(self.index[places], self.weight[places])

    def of_floats(self) -> _Taps:
        """Return them in float32."""
        return _Taps(self.index, self.weight.astype(np.float32))

    def of_pillow(self) -> _Taps:
        """Return them as Pillow has them, with 22 bits after the point (Resample.c): ties then round as there."""
        return _Taps(self.index, np.round(self.weight * 2**22) / 2**22)


@lru_cache(maxsize=256)
def taps_of(kernel: Kernel, window: Window, wanted: int) -> _Taps:
    """Return what each of `wanted` new pixels is made of; weights sum to 1 also at the edges."""
    new = np.arange(wanted, dtype=np.float64)
    start, scale = window.start, window.length / wanted
    middles = (new + 0.5) * scale
    if kernel.method == "sixteenths":  # Skia computes in float32, which decides ties
        inverse = np.float32(1) / np.float32(wanted / window.length)
        middles = (inverse * (new + 0.5).astype(np.float32)).astype(np.float64)
    if kernel.centers == "half":
        at = start + middles - 0.5
    elif kernel.centers == "plain":
        at = start + new * scale
    else:
        at = start + new * ((window.length - 1) / max(wanted - 1, 1))
    if kernel.method == "nearest":
        shift = 0.0 if kernel.centers == "plain" else 0.5
        index = np.floor(at + shift + 1e-6).astype(int)[:, None]
        return _Taps(np.clip(index, window.first, window.end - 1), np.ones((wanted, 1)))
    widening = max(scale, 1.0) if kernel.antialias else 1.0
    radius = _RADII[kernel.method] * widening + (0.5 if kernel.method == "area" else 0.0)
    count = int(np.ceil(2 * radius)) + 2
    # In the order of Pillow's sums, so that the same pixels lie at the edge of a box.
    center = start + middles if kernel.centers == "half" else at + 0.5
    low, high = (np.floor(center + side * radius + 0.5)[:, None] for side in (-1, 1))
    index = low.astype(int) + np.arange(count)
    weight = _FUNCTIONS[kernel.method](index - center[:, None] + 0.5, widening)
    weight[(index < window.first) | (index >= np.minimum(high, window.end))] = 0.0
    total = weight.sum(axis=1, keepdims=True)
    lost = np.abs(total[:, 0]) < 1e-9  # a new pixel beyond the edge takes the pixel at the edge
    weight[lost] = (np.arange(count) == 0).astype(float)
    index[lost] = np.clip(np.round(at[lost]), window.first, window.end - 1)[:, None].astype(int)
    total[lost] = 1.0
    used = np.abs(weight).max(axis=0) > 0
    return _Taps(np.clip(index, window.first, window.end - 1)[:, used], (weight / total)[:, used])


def _cubic(a: float) -> Callable[[Array, float], Array]:
    def weights(distance: Array, widening: float) -> Array:
        x = np.abs(distance) * (1 / widening)
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = (((x - 5) * x + 8) * x - 4) * a
        return np.asarray(np.where(x < 1, near, np.where(x < 2, far, 0.0)))

    return weights


def _triangle(distance: Array, widening: float) -> Array:
    return np.asarray(np.maximum(0.0, 1 - np.abs(distance) * (1 / widening)))


def _sixteenths(distance: Array, widening: float) -> Array:
    """Return the weights of a canvas that the processor draws: the place between two pixels has 4 bits.

    Source: Skia, SkBitmapProcState_matrixProcs.cpp. The sum is rounded down to a byte.
    """
    steps = np.floor(16 * np.where(distance > 0, 1 - distance, -distance) + 1e-9) / 16
    return np.asarray(np.where(np.abs(distance) < 1, np.where(distance > 0, steps, 1 - steps), 0.0))


def _box(distance: Array, widening: float) -> Array:
    x = distance * (1 / widening)
    return np.asarray(((x > -0.5) & (x <= 0.5)).astype(float))


def _overlap(distance: Array, widening: float) -> Array:
    """Return the share of each pixel that the new one covers."""
    half = widening / 2
    return np.asarray(np.maximum(0.0, np.minimum(distance + 0.5, half) - np.maximum(distance - 0.5, -half)))


def _lanczos(distance: Array, widening: float) -> Array:
    x = distance * (1 / widening)
    return np.asarray(np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0))


_FUNCTIONS: dict[str, Callable[[Array, float], Array]] = {
    "bilinear": _triangle,
    "sixteenths": _sixteenths,
    "bicubic": _cubic(-0.5),
    "sharp-bicubic": _cubic(-0.75),
    "lanczos": _lanczos,
    "area": _overlap,
    "box": _box,
}
_RADII = {
    "bilinear": 1.0,
    "sixteenths": 1.0,
    "bicubic": 2.0,
    "sharp-bicubic": 2.0,
    "lanczos": 3.0,
    "area": 0.5,
    "box": 0.5,
}
