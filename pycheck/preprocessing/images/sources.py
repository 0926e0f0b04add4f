"""Decodes a file in the different ways that Python and browsers do: EXIF orientation, transparency, color."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from ...types import Array
from .pixels import open_image, pillow

#: What becomes of transparent pixels: colors as stored; the same but black where nothing is visible, as a canvas has
#: them; laid on black, which is also what premultiplied colors are; laid on white.
ALPHAS = ("ignored", "ignored, black if invisible", "laid on black", "laid on white")
#: What becomes of colors before the resize, after the color profile and the gamma of the file.
CURVES = ("as stored", "linear light", "gamma 2.2", "gamma 1/2.2")
_LOSSY = frozenset({"JPEG", "MPO", "WEBP"})
#: The longest side of the small copy.
_SMALL = 160


#: Upright, alpha, managed, curve.
_Way = tuple[bool, str, bool, str]


class Source:
    """An image file; decoded once for each way that is asked for, until it is forgotten."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with pillow().Image.open(path) as image:
            self.turned = image.getexif().get(0x0112, 1) not in (0, 1)
            self.has_alpha = "A" in image.getbands() or "transparency" in image.info
            self.lossy = image.format in _LOSSY
            self.pixel_count = image.size[0] * image.size[1]
            gamma = image.info.get("gamma")
            self._gamma = float(gamma) if gamma and abs(gamma - 1 / 2.2) > 0.01 else None
            self.has_colors = bool(image.info.get("icc_profile")) or self._gamma is not None
        self._made: dict[_Way, Array] = {}
        self._small: dict[_Way, Array] = {}

    def planes(self, upright: bool, alpha: str, managed: bool, curve: str) -> Array:
        """Return the pixels as bytes (3, height, width), or as float32 from 0 to 255 after a curve."""
        key = self._key(upright, alpha, managed, curve)
        if curve != CURVES[0]:
            return np.asarray(_TABLES[curve][self.planes(upright, alpha, managed, CURVES[0])])
        if key not in self._made:
            self._made[key] = self._decode(*key[:3])
        return self._made[key]

    def forget(self) -> None:
        """Free the memory of the pixels."""
        self._made.clear()

    def small(self, upright: bool, alpha: str, managed: bool, curve: str) -> Array:
        """Return a small copy, each pixel the mean of a block: float32 (3, height, width)."""
        key = self._key(upright, alpha, managed, curve)
        if key not in self._small:
            planes = self.planes(*key)
            self._small[key] = means_of_blocks(planes, _SMALL)
        return self._small[key]

    def _key(self, upright: bool, alpha: str, managed: bool, curve: str) -> _Way:
        """Return the same for ways that do not differ for this file."""
        return upright or not self.turned, alpha if self.has_alpha else ALPHAS[0], managed and self.has_colors, curve

    def _decode(self, upright: bool, alpha: str, managed: bool) -> Array:
        image = open_image(self.path)
        profile = image.info.get("icc_profile")
        if upright:
            image = pillow().ImageOps.exif_transpose(image)
        image = _flat(image, alpha) if self.has_alpha else _rgb(image)
        if managed and profile:
            image = _in_srgb(image, profile)
        elif managed and self._gamma:
            image = image.point([round(255 * (level / 255) ** (1 / 2.2 / self._gamma)) for level in range(256)] * 3)
        return np.ascontiguousarray(np.asarray(image, np.uint8).transpose(2, 0, 1))


def means_of_blocks(planes: Array, longest: int) -> Array:
    """Return a copy of planes (3, height, width) whose sides are at most about `longest`, and at least 1: float32."""
    size = planes.shape[1:]
    step = max(1, max(size) // longest)
    down, across = (min(step, side) for side in size)  # a strip may have fewer rows than a block
    height, width = size[0] // down, size[1] // across
    blocks = planes[:, : height * down, : width * across].reshape(3, height, down, width, across)
    return np.asarray(blocks.mean(axis=(2, 4), dtype=np.float32))


def _flat(image: Any, alpha: str) -> Any:
    image = image.convert("RGBA")
    if alpha.startswith("laid on"):
        level = 255 if alpha.endswith("white") else 0
        below = pillow().Image.new("RGBA", image.size, (level,) * 3 + (255,))
        return pillow().Image.alpha_composite(below, image).convert("RGB")
    straight = image.convert("RGB")
    if alpha == ALPHAS[1]:
        pixels = np.array(straight)
        pixels[np.asarray(image)[..., 3] == 0] = 0
        straight = pillow().Image.fromarray(pixels)
    return straight


def _rgb(image: Any) -> Any:
    if image.mode.startswith("I;16"):  # browsers show the upper byte; Pillow would clip
        return pillow().Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")


def _in_srgb(image: Any, profile: bytes) -> Any:
    from PIL import ImageCms

    try:
        return ImageCms.profileToProfile(
            image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), _srgb(), outputMode="RGB"
        )
    except ImageCms.PyCMSError:
        return image


def _srgb() -> Any:
    from PIL import ImageCms

    return ImageCms.createProfile("sRGB")


def _powered(exponent: float) -> Array:
    return np.asarray(255 * (np.arange(256) / 255) ** exponent, np.float32)


def _linear() -> Array:
    """Return the light of each byte, by the curve of sRGB (IEC 61966-2-1)."""
    x = np.arange(256) / 255
    return np.asarray(255 * np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4), np.float32)


_TABLES = {CURVES[1]: _linear(), CURVES[2]: _powered(2.2), CURVES[3]: _powered(1 / 2.2)}
