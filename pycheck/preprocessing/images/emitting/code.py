"""The description of a side of images, with its code in both languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....errors import InputsFileError
from ....types import Array, FileMedium, Signature
from ...side_code import Asking, Decoded
from .. import sides
from ..decoded import against_pillow, save_opaque, unpacked
from ..pixels import open_image
from ..probes import write_probes
from ..sides import EXACT_BYTES, Side
from ..sources import Source
from ..words import sentence
from .javascript import decoding_module, javascript
from .python import python

UNDESCRIBED = "its input is no image that is decoded, cropped or resized, and scaled"


@dataclass(frozen=True, slots=True)
class ImageCode:
    """A side of images; a step is one of a byte."""

    side: Side

    @property
    def medium(self) -> FileMedium:
        """Return that the files are images."""
        return "image"

    @property
    def error(self) -> float:
        """Return the RMS error of the description, in steps of a byte."""
        return self.side.error

    @property
    def step(self) -> float:
        """Return the size of a step of a byte in the input."""
        return self.side.byte

    @property
    def visible(self) -> float:
        """Return one step."""
        return 1.0

    def told(self) -> str:
        """Say what the side does."""
        return sentence(self.side.description, self.side.seen)

    def javascript(self, origin: str) -> str:
        """Return the module of the page."""
        return javascript(self.side, origin)

    def python(self, origin: str) -> str:
        """Return the module of Python."""
        return python(self.side, origin)

    def decoding_module(self, count: int) -> str:
        """Return a module that gives the pixels that a page decodes."""
        return decoding_module(self.side, count)

    def decoded(self, made: Array, file: Path, again: Path) -> Decoded:
        """Compare packed pixels of a page with Pillow's."""
        pixels = unpacked(made)
        apart = against_pillow(pixels, file, self.side.description)
        if not apart.largest:
            return Decoded(apart.rms, apart.largest)
        path = again.with_name(f"{again.name}.png")
        save_opaque(pixels, path)
        return Decoded(apart.rms, apart.largest, (path,))

    def is_lossy(self, file: Path) -> bool:
        """Tell whether a file is a JPEG or WebP."""
        return Source(file).lossy


def reads(file: Path) -> bool:
    """Tell whether Pillow decodes a file."""
    try:
        open_image(file)
    except InputsFileError:
        return False
    return True


def own_files(files: Sequence[Path], folder: Path) -> list[Path]:
    """Write variants of the first image."""
    first = next((file for file in files if reads(file)), None)
    return [] if first is None else write_probes(first, folder)


def code_of_recipe(text: str, signature: Signature, samples: Sequence[Array]) -> ImageCode | None:
    """Describe a recipe; None for gray of channels that are scaled differently."""
    side = sides.of_recipe(text, signature)
    return None if side is None else ImageCode(side)


def describe(files: Sequence[Path], samples: Sequence[Array], asking: Asking) -> ImageCode | None:
    """Describe the inputs of images; if transparency alone has no description, the other parts keep theirs."""
    found = sides.describe(files, np.stack(samples))
    if found is None:
        return None
    if found.error > EXACT_BYTES and "alpha" in found.seen:
        opaque = [number for number, file in enumerate(files) if not sides.is_transparent(file)]
        if opaque:
            other = sides.describe([files[k] for k in opaque], np.stack([samples[k] for k in opaque]))
            if other is not None and other.error <= found.error / 2:
                found = sides.with_alpha_of(other, found)
    return ImageCode(found)
