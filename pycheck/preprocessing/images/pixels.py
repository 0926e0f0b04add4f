"""Pixels of a file in Python: decoded, turned upright, resized."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputsFileError, InstallationError
from ...types import Array


def decode(path: Path, *, upright: bool = True, background: int | None = 0) -> Array:
    """Decode an image, the first of an animation, to RGB from 0 to 255: float32 of shape (height, width, 3).

    `upright` turns it as its EXIF orientation says, as browsers do. Transparent pixels are laid on `background`; with
    None, their colors stay.

    Raises:
        InputsFileError: Pillow cannot decode the file.
        InstallationError: Pillow is not installed.
    """
    image = open_image(path)
    try:
        if upright:
            image = pillow().ImageOps.exif_transpose(image)
        if background is not None and ("A" in image.getbands() or "transparency" in image.info):
            image = image.convert("RGBA")
            below = pillow().Image.new("RGBA", image.size, (background,) * 3 + (255,))
            image = pillow().Image.alpha_composite(below, image)
        return np.asarray(image.convert("RGB"), np.float32)
    except (OSError, ValueError, SyntaxError) as error:
        raise InputsFileError(f"Cannot decode {path}: {error}.") from error


def orientation(path: Path) -> int:
    """Return the EXIF orientation, 1 to 8; 1 is upright."""
    return int(open_image(path).getexif().get(0x0112, 1))


def resize(pixels: Array, height: int, width: int) -> Array:
    """Resize (h, w, c) by bilinear interpolation between pixel centers, without antialiasing, in float32."""
    rows, columns = (_weights(size, wanted) for size, wanted in zip(pixels.shape, (height, width), strict=False))
    (top, bottom, down), (left, right, across) = rows, columns
    down, across = down[:, None, None], across[None, :, None]
    upper = pixels[top][:, left] * (1 - across) + pixels[top][:, right] * across
    lower = pixels[bottom][:, left] * (1 - across) + pixels[bottom][:, right] * across
    return np.asarray(upper * (1 - down) + lower * down, np.float32)


def _weights(size: int, wanted: int) -> tuple[Array, Array, Array]:
    """Return for each new pixel the two old ones beside its center, and the share of the second."""
    at = np.maximum((np.arange(wanted, dtype=np.float32) + np.float32(0.5)) * np.float32(size / wanted) - 0.5, 0)
    first = np.floor(at).astype(int)
    return first, np.minimum(first + 1, size - 1), (at - first).astype(np.float32)


def open_image(path: Path) -> Any:
    """Open an image with Pillow, the first of an animation; InputsFileError if it cannot be decoded."""
    try:
        image = pillow().Image.open(path)
        image.seek(0)
        image.load()
    except (OSError, ValueError, SyntaxError) as error:  # UnidentifiedImageError is an OSError
        reason = "Pillow knows no image of this kind" if "cannot identify" in str(error) else str(error)
        raise InputsFileError(f"Cannot decode {path}: {reason}.") from error
    return image


def pillow() -> Any:
    """Return the package PIL; InstallationError if it is not installed."""
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        raise InstallationError(
            "Images need Pillow, which is not installed.", 'pip install "pycheck[files]"'
        ) from error
    return PIL
