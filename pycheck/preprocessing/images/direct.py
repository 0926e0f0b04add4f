"""Takes Python's inputs in the place of files, so that the page's are described by them."""

from __future__ import annotations

import numpy as np

from ...types import Array
from .description import Description, Form, Making, view
from .resampling import Kernel
from .scaling import KNOWN
from .sources import means_of_blocks

_SMALL = 96


class Itself:
    """An input of Python as if it were a file: its pixels lie between 0 and 255 as `start` has it."""

    def __init__(self, sample: Array, form: Form, start: Description) -> None:
        image = view(sample[None].reshape(1, -1).astype(np.float32), form, start.first, 0)[0]
        image = (image - np.array(start.offset, np.float32)) / np.array(start.scale, np.float32)
        order = [start.mix.index(name) for name in "RGB"] if form.channels == 3 else [0, 0, 0]
        self._planes = np.ascontiguousarray(image[..., order].transpose(2, 0, 1))

    def planes(self, upright: bool, alpha: str, managed: bool, curve: str) -> Array:
        """Return the pixels (3, height, width)."""
        return self._planes

    def small(self, upright: bool, alpha: str, managed: bool, curve: str) -> Array:
        """Return every few pixels' mean."""
        return means_of_blocks(self._planes, _SMALL)

    def forget(self) -> None:
        """Keep the pixels, which are no copy of a file."""


def guessed(python: Array, form: Form) -> Description:
    """Describe Python's inputs by themselves: the range of a known recipe that they fill, or their own."""
    low, high = float(python.min()), float(python.max())
    for name in ("rescale", "tf", "raw"):
        scales, offsets = KNOWN[name]
        bottom, top = offsets[0], 255 * scales[0] + offsets[0]
        slack = (top - bottom) * 0.02
        if bottom - slack <= low <= bottom + (top - bottom) / 3 and top - (top - bottom) / 3 <= high <= top + slack:
            scale, offset = scales[0], offsets[0]
            break
    else:
        scale, offset = (high - low) / 255 or 1.0, low
    mix = ("R", "G", "B") if form.channels == 3 else ("R",)
    return Description(
        making=Making(kernel=Kernel("nearest")),
        first=form.first,
        mix=mix,
        scale=(scale,) * form.channels,
        offset=(offset,) * form.channels,
    )
