"""Describes how an input was made of a file, and makes it again by that description."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ...types import Array
from .placing import Placement, part_of, resized_of
from .resampling import Kernel, is_rows_first, resample, taps_of, to_bytes
from .sources import ALPHAS, CURVES

#: What a channel of the input is made of: R, G or B, or a weighted sum of the three.
MIXES: dict[str, tuple[float, float, float]] = {
    "R": (1, 0, 0),
    "G": (0, 1, 0),
    "B": (0, 0, 1),
    "gray (0.299 R + 0.587 G + 0.114 B)": (0.299, 0.587, 0.114),
    "gray (mean of R, G and B)": (1 / 3, 1 / 3, 1 / 3),
    "gray (0.2126 R + 0.7152 G + 0.0722 B)": (0.2126, 0.7152, 0.0722),
}
ROUNDINGS = ("not rounded", "rounded to bytes", "rounded down to bytes")
#: Of an image that lies otherwise: transposed is 4, then rows flipped 1, then columns flipped 2.
LAYOUTS = (
    "upright", "upside down", "mirrored", "rotated by 180 degrees", "transposed",
    "rotated by 90 degrees to the left", "rotated by 90 degrees to the right", "transposed along the other diagonal",
)  # fmt: skip
_TRANSPOSED, _ROWS, _COLUMNS = 4, 1, 2


class HasPlanes(Protocol):
    """A file, or what stands for one: its pixels (3, height, width) from 0 to 255."""

    def planes(self, upright: bool, alpha: str, managed: bool, curve: str) -> Array:
        """Return them whole."""
        ...

    def small(self, upright: bool, alpha: str, managed: bool, curve: str) -> Array:
        """Return a small copy."""
        ...

    def forget(self) -> None:
        """Free the memory of what was decoded."""
        ...


@dataclass(frozen=True, slots=True)
class Making:
    """How pixels of the input's size are made of a file.

    `managed`: the color profile and the gamma of the file are applied.
    """

    upright: bool = True
    alpha: str = ALPHAS[0]
    managed: bool = False
    curve: str = CURVES[0]
    placement: Placement = field(default_factory=Placement)
    kernel: Kernel = field(default_factory=lambda: Kernel("bilinear"))
    rounding: str = ROUNDINGS[0]

    @property
    def decoded(self) -> tuple[bool, str, bool, str]:
        """Return what `HasPlanes` decodes."""
        return self.upright, self.alpha, self.managed, self.curve


@dataclass(frozen=True, slots=True)
class Description:
    """How an input is made of a file.

    `mix` names what each channel is made of; a channel is ``pixel * scale + offset``, with the pixel from 0 to 255
    between `low` and `high`. `layout` is a number of LAYOUTS; `first` tells whether channels come first in memory.
    """

    making: Making = field(default_factory=Making)
    layout: int = 0
    first: bool = False
    mix: tuple[str, ...] = ("R", "G", "B")
    scale: tuple[float, ...] = (1.0, 1.0, 1.0)
    offset: tuple[float, ...] = (0.0, 0.0, 0.0)
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    def weights(self, name: str) -> tuple[float, float, float]:
        """Return the shares of R, G and B in a channel that `mix` names."""
        return MIXES[name]


@dataclass(frozen=True, slots=True)
class Form:
    """The size of an input, and whether its shape has the channels first."""

    height: int
    width: int
    channels: int
    first: bool = False

    @classmethod
    def of(cls, shape: Sequence[int]) -> Form | None:
        """Return the form of a sample, or None if it is no image of one or three channels."""
        if len(shape) == 2:
            return cls(shape[0], shape[1], 1)
        if len(shape) != 3:
            return None
        if shape[2] in (1, 3):
            return cls(shape[0], shape[1], shape[2])
        return cls(shape[1], shape[2], shape[0], True) if shape[0] in (1, 3) else None

    def upright(self, layout: int) -> tuple[int, int]:
        """Return height and width before the layout."""
        return (self.width, self.height) if layout & _TRANSPOSED else (self.height, self.width)


def view(samples: Array, form: Form, first: bool, layout: int) -> Array:
    """Return samples as upright images (samples, height, width, channels)."""
    count = len(samples)
    if first:
        made = samples.reshape(count, form.channels, form.height, form.width).transpose(0, 2, 3, 1)
    else:
        made = samples.reshape(count, form.height, form.width, form.channels)
    return turned_back(made, layout)


def turned_back(images: Array, layout: int) -> Array:
    """Turn images (samples, height, width, channels) upright."""
    images = images[:, :, ::-1] if layout & _COLUMNS else images
    images = images[:, ::-1] if layout & _ROWS else images
    return images.transpose(0, 2, 1, 3) if layout & _TRANSPOSED else images


def laid_out(image: Array, first: bool, layout: int) -> Array:
    """Return the numbers of one upright image (height, width, channels) in the order of memory, flat."""
    image = image.transpose(1, 0, 2) if layout & _TRANSPOSED else image
    image = image[::-1] if layout & _ROWS else image
    image = image[:, ::-1] if layout & _COLUMNS else image
    return (image.transpose(2, 0, 1) if first else image).ravel()


def made_pixels(
    source: HasPlanes, making: Making, size: tuple[int, int], rows: Array | None = None, columns: Array | None = None
) -> Array:
    """Make the pixels (3, height, width) of a size, or some rows and columns of them; an unknown border is NaN."""
    planes = source.planes(*making.decoded)
    return placed(planes, making, size, rows, columns)


def placed(
    planes: Array, making: Making, size: tuple[int, int], rows: Array | None = None, columns: Array | None = None
) -> Array:
    """Bring planes to a size as `making` says."""
    rows = np.arange(size[0]) if rows is None else rows
    columns = np.arange(size[1]) if columns is None else columns
    down, across = part_of(making.placement, (planes.shape[1], planes.shape[2]), size)
    in_rows = (rows >= down.place) & (rows < down.place + down.size)
    in_columns = (columns >= across.place) & (columns < across.place + across.size)
    rounds = making.rounding == ROUNDINGS[1] and making.kernel.antialias
    inner = resample(
        planes,
        taps_of(making.kernel, down.window, down.size).at(rows[in_rows] - down.place),
        taps_of(making.kernel, across.window, across.size).at(columns[in_columns] - across.place),
        rounds=rounds,
        rows_first=rounds and is_rows_first(*resized_of((down, across), (planes.shape[1], planes.shape[2]))),
    )
    if making.rounding == ROUNDINGS[1]:
        inner = to_bytes(inner)
    elif making.rounding == ROUNDINGS[2]:
        inner = np.clip(np.floor(inner + np.float32(1e-3)), 0, 255)
    if in_rows.all() and in_columns.all():
        return inner
    made = np.empty((3, len(rows), len(columns)), np.float32)
    made[:] = np.array(making.placement.fill or (np.nan,) * 3, np.float32)[:, None, None]
    made[np.ix_(np.arange(3), in_rows, in_columns)] = inner
    return made


def mixed(pixels: Array, mix: Sequence[str]) -> Array:
    """Return the channels (height, width, channels) of pixels (3, height, width)."""
    channels = {"R": 0, "G": 1, "B": 2}
    if all(name in channels for name in mix):
        return pixels[[channels[name] for name in mix]].transpose(1, 2, 0)
    weights = np.array([MIXES[name] for name in mix], np.float32)
    return np.asarray(np.tensordot(pixels, weights, axes=(0, 1)), np.float32)


def numbers(pixels: Array, description: Description) -> Array:
    """Return the input, flat, of pixels (3, height, width)."""
    image = mixed(pixels, description.mix)
    if description.low:
        image = np.maximum(image, np.array(description.low, np.float32))
    if description.high:
        image = np.minimum(image, np.array(description.high, np.float32))
    image = image * np.array(description.scale, np.float32) + np.array(description.offset, np.float32)
    return laid_out(image, description.first, description.layout)
