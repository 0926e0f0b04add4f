"""A pipeline as a list of choices, done in NumPy and Pillow, or written as the JavaScript of an app.

It shares no code with pycheck: a fault is a change of one choice, and pycheck must name it from the inputs alone.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps

from pycheck.types import Array

SIZE = 96
_TORCH = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: Mean and divisor of each place, for pixels from 0 to 255.
SCALES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "raw": ((0.0,) * 3, (1.0,) * 3),
    "rescale": ((0.0,) * 3, (255.0,) * 3),
    "tf": ((127.5,) * 3, (127.5,) * 3),
    "by 128": ((128.0,) * 3, (128.0,) * 3),
    "twice": ((0.0,) * 3, (255.0 * 255,) * 3),
    "torch": (tuple(255 * m for m in _TORCH[0]), tuple(255 * d for d in _TORCH[1])),
    "no deviation": (tuple(255 * m for m in _TORCH[0]), (255.0,) * 3),
    "caffe": ((103.939, 116.779, 123.68), (1.0,) * 3),
    "half": ((127.5,) * 3, (255.0,) * 3),
}


@dataclass(frozen=True)
class Steps:
    """The choices. `resize` is ``METHOD CENTERS``, or ``pillow METHOD``; `shift` moves a crop, in source pixels."""

    upright: bool = True
    alpha: str = "black"
    color: str = "profile"
    place: str = "stretch"
    fill: int = 0
    shift: tuple[int, int] = (0, 0)
    resize: str = "bilinear half"
    rounding: str = "none"
    order: str = "RGB"
    scale: str = "tf"
    clip: tuple[float, float] | None = None
    turn: str = "none"
    first: bool = False

    def __call__(self, file: Path) -> Array:
        image = self._decoded(file)
        if self.place == "letterbox" or self.place == "letterbox top":
            largest = max(image.size[0], image.size[1]) / SIZE
            width, height = (max(1, round(side / largest)) for side in image.size)
            inner = self._resized(image, height, width)
            pixels = np.full((SIZE, SIZE, 3), self.fill, np.float32)
            top, left = ((SIZE - height) // 2, (SIZE - width) // 2) if self.place == "letterbox" else (0, 0)
            pixels[top : top + height, left : left + width] = inner
        elif self.place == "crop":
            side = min(image.size)
            left, top = (image.size[0] - side) // 2 + self.shift[1], (image.size[1] - side) // 2 + self.shift[0]
            left, top = max(0, min(left, image.size[0] - side)), max(0, min(top, image.size[1] - side))
            pixels = self._resized(image.crop((left, top, left + side, top + side)), SIZE, SIZE)
        elif self.place == "central":
            height, width = (round(0.875 * side) for side in image.size[::-1])
            left, top = (image.size[0] - width) // 2, (image.size[1] - height) // 2
            pixels = self._resized(image.crop((left, top, left + width, top + height)), SIZE, SIZE)
        elif self.place.startswith("resize"):
            short = SIZE if self.place == "resize to fit, crop" else round(SIZE / 0.875)
            ratio = short / min(image.size)
            width, height = (max(short, round(side * ratio)) for side in image.size)
            whole = self._resized(image, height, width)
            top, left = (height - SIZE) // 2 + self.shift[0], (width - SIZE) // 2 + self.shift[1]
            pixels = whole[top : top + SIZE, left : left + SIZE]
        else:
            pixels = self._resized(image, SIZE, SIZE)
        if self.rounding == "round":
            pixels = np.clip(np.floor(pixels + 0.5), 0, 255)
        elif self.rounding == "floor":
            pixels = np.clip(np.floor(pixels), 0, 255)
        pixels = pixels[..., ["RGB".index(name) for name in self.order]]
        mean, divisor = SCALES[self.scale]
        values = (pixels - np.array(mean, np.float32)) / np.array(divisor, np.float32)
        if self.clip:
            values = np.clip(values, *self.clip)
        values = _TURNS[self.turn](values)
        if self.first:
            values = np.ascontiguousarray(values.transpose(2, 0, 1)).reshape(values.shape)
        return np.ascontiguousarray(values, np.float32)

    def _decoded(self, file: Path) -> Image.Image:
        image: Image.Image = Image.open(file)
        profile = image.info.get("icc_profile")
        if self.upright:
            image = ImageOps.exif_transpose(image)
        if "A" in image.getbands():
            if self.alpha == "ignored":
                image = image.convert("RGB")
            else:
                below = Image.new("RGB", image.size, {"black": (0, 0, 0), "white": (255, 255, 255)}[self.alpha])
                below.paste(image.convert("RGB"), mask=image.getchannel("A"))
                image = below
        image = image.convert("RGB")
        if self.color != "stored" and profile:
            made = ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            )
            assert made is not None
            image = made
        if self.color == "linear":
            x = np.asarray(image) / 255
            x = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
            return _Floats(x * 255)  # type: ignore[return-value]
        if self.color == "gamma":
            return _Floats((np.asarray(image) / 255) ** 2.2 * 255)  # type: ignore[return-value]
        return image

    def _resized(self, image: Any, height: int, width: int) -> Array:
        library, _, method = self.resize.partition(" ")
        if library == "pillow":
            return np.asarray(image.resize((width, height), Image.Resampling[method]), np.float32)
        pixels = np.asarray(image, np.float64)
        for axis, wanted in ((0, height), (1, width)):
            pixels = _along(pixels, axis, wanted, library, method)
        return pixels.astype(np.float32)


class _Floats:
    """Pixels that are no bytes, with the two methods of an image that are used."""

    def __init__(self, pixels: Array) -> None:
        self._pixels = pixels
        self.size = pixels.shape[1], pixels.shape[0]

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return self._pixels.astype(dtype)

    def crop(self, box: tuple[int, int, int, int]) -> _Floats:
        left, top, right, bottom = box
        return _Floats(self._pixels[top:bottom, left:right])

    def resize(self, size: tuple[int, int], method: Any) -> Array:
        planes = [Image.fromarray(self._pixels[..., c].astype(np.float32)).resize(size, method) for c in range(3)]
        return np.stack([np.asarray(plane) for plane in planes], axis=-1)


def _along(pixels: Array, axis: int, wanted: int, method: str, centers: str) -> Array:
    """As resizeBilinear and resizeNearestNeighbor of TF.js do, and bicubic of TensorFlow (Keys, a = -0.5)."""
    pixels = np.moveaxis(pixels, axis, 0)
    size = len(pixels)
    made = []
    for new in range(wanted):
        if centers == "aligned":
            at = new * (size - 1) / (wanted - 1)
        elif centers == "half":
            at = (new + 0.5) * size / wanted - 0.5
        else:
            at = new * size / wanted
        if method == "nearest":
            place = new * size // wanted if centers == "plain" else int(np.floor(at + 0.5))
            made.append(pixels[min(place, size - 1)])
            continue
        start = int(np.floor(at))
        reach = range(start, start + 2) if method == "bilinear" else range(start - 1, start + 3)
        weights = [max(0.0, 1 - abs(k - at)) if method == "bilinear" else _keys(abs(k - at)) for k in reach]
        made.append(sum(w * pixels[min(max(k, 0), size - 1)] for k, w in zip(reach, weights, strict=True)))
    return np.moveaxis(np.stack(made), 0, axis)


def _keys(x: float) -> float:
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


_TURNS = {
    "none": lambda image: image,
    "mirrored": lambda image: image[:, ::-1],
    "upside down": lambda image: image[::-1],
    "half turn": lambda image: image[::-1, ::-1],
    "transposed": lambda image: image.transpose(1, 0, 2),
    "left": np.rot90,
    "right": lambda image: np.rot90(image, -1),
}
