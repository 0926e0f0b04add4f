"""Compares the pixels that a browser decodes of a file with Pillow's, and hands them to Python as a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...types import Array
from .description import Description
from .pixels import pillow
from .sources import Source


@dataclass(frozen=True, slots=True)
class DecodedDifference:
    """The difference of decoded pixels in steps of a byte: infinite if the sizes differ."""

    rms: float
    largest: float


def unpacked(packed: Array) -> Array:
    """Return the bytes (height, width, 4) of RGBA packed into int32 (height, width), the red in the lowest byte."""
    return np.ascontiguousarray(packed.astype("<i4")).view(np.uint8).reshape(*packed.shape, 4)


def against_pillow(pixels: Array, file: Path, description: Description) -> DecodedDifference:
    """Compare pixels (height, width, RGBA) of a browser with those that Python decodes of the file."""
    source = Source(file)
    mine = source.planes(*description.making.decoded[:3], "as stored").transpose(1, 2, 0)
    if mine.shape[:2] != pixels.shape[:2]:
        return DecodedDifference(np.inf, np.inf)
    error = np.abs(pixels[..., :3].astype(np.float64) - mine)
    return DecodedDifference(float(np.sqrt(np.mean(np.square(error)))), float(error.max(initial=0.0)))


def save_opaque(pixels: Array, file: Path) -> None:
    """Write RGB of pixels as PNG: upright, without transparency and color profile, so that Python reads them as is."""
    pillow().Image.fromarray(np.ascontiguousarray(pixels[..., :3])).save(file, compress_level=1)
