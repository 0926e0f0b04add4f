"""Estimates which part of an image an input shows, from the gradients of both (Lucas and Kanade, 1981)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...types import Array
from .description import Description, HasPlanes, Making
from .placing import Placement, part_of
from .resampling import Kernel, Window, resample, taps_of

_AREA = Kernel("area", antialias=True)
_FILES = 5
_LEVELS = (28, 56, 112)
_STEPS = 4


def moved(
    sources: Sequence[HasPlanes], images: Array, description: Description, size: tuple[int, int]
) -> list[Placement]:
    """Return placements near that of the description that may fit better; `images` are upright samples."""
    placement = description.making.placement
    if placement.kind == "letterbox":
        near = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]
        return [replace(placement, shift=(float(down), float(right))) for down, right in near]
    windows, shapes = [], []
    making = description.making
    for source, image in zip(sources[:_FILES], images[:_FILES], strict=False):
        planes = source.planes(*making.decoded)
        window = _window_of(planes, image, making, size)
        if window is not None:
            windows.append(window)
            shapes.append((planes.shape[1], planes.shape[2]))
    return _proposals(placement, windows, shapes, size) if windows else []


def _window_of(planes: Array, image: Array, making: Making, size: tuple[int, int]) -> Array | None:
    """Return start and length of rows and of columns, in pixels of the file: (2, 2)."""
    parts = part_of(making.placement, (planes.shape[1], planes.shape[2]), size)
    window = np.array([[part.window.start, part.window.length] for part in parts])
    for level in _LEVELS:
        small = [max(8, round(side * min(1.0, level / max(size)))) for side in size]
        wanted = _resized(image.transpose(2, 0, 1), np.array([[0.0, size[0]], [0.0, size[1]]]), small)
        for _ in range(_STEPS):
            made = _resized(planes, window, small)
            step = _step(made, wanted)
            if step is None:
                return None
            window = window + step * (window[:, 1:] / np.array(small)[:, None])
            if not (window[:, 1] > 4).all() or (np.abs(window) > 4 * max(planes.shape)).any():
                return None
    return window


def _resized(planes: Array, window: Array, size: Sequence[int]) -> Array:
    taps = [
        taps_of(_AREA, Window(float(start), float(length), 0, count), new)
        for (start, length), count, new in zip(window, planes.shape[1:], size, strict=True)
    ]
    return resample(planes, *taps)


def _step(made: Array, wanted: Array) -> Array | None:
    """Return how start and length of rows and columns must change, in pixels of `made`, so that it shows `wanted`."""
    gray = made.mean(axis=0)
    down, across = (np.gradient(gray, axis=axis) for axis in (0, 1))
    rest = _matched(wanted, gray) - gray
    height, width = gray.shape
    y, x = np.mgrid[0:height, 0:width] + 0.5
    columns = np.stack([each.ravel() for each in (down, down * y / height, across, across * x / width)])
    inner = np.zeros((height, width), bool)
    inner[2:-2, 2:-2] = True
    columns, target = columns[:, inner.ravel()], rest.ravel()[inner.ravel()]
    square = columns @ columns.T
    if not np.isfinite(square).all() or np.trace(square) < 1e-6:
        return None
    solved = np.linalg.lstsq(square, columns @ target, rcond=1e-6)[0]
    return np.asarray(np.clip(solved.reshape(2, 2), -6, 6))


def _matched(wanted: Array, gray: Array) -> Array:
    """Return `wanted` as gray in the units of `gray`: the weighted sum of its channels that is nearest."""
    x = wanted.reshape(len(wanted), -1).T.astype(np.float64)
    x = np.column_stack([x, np.ones(len(x))])
    weights = np.linalg.lstsq(x, gray.ravel().astype(np.float64), rcond=1e-9)[0]
    return np.asarray((x @ weights).reshape(gray.shape))


def _proposals(
    placement: Placement, windows: list[Array], shapes: list[tuple[int, int]], size: tuple[int, int]
) -> list[Placement]:
    """Return placements of which the windows would be a result, for shifts in pixels of the input or of the file."""
    made: list[Placement] = []
    for kind in ("crop", "stretch"):
        zooms = []
        for window, shape in zip(windows, shapes, strict=True):
            ratios = [have / want for have, want in zip(shape, size, strict=True)]
            each = [min(ratios)] * 2 if kind == "crop" else ratios
            zooms += [window[axis, 1] / (each[axis] * size[axis]) for axis in (0, 1)]
        share = float(np.median(zooms))
        resized = round(size[0] / share)
        options = {1.0} if abs(share - 1) < 0.02 else set()
        options |= {size[0] / near for near in (resized - 1, resized, resized + 1) if near > size[0]}
        near = {min(round(share * step) / step, 1.0) for step in (80, 200, 1000)}
        for zoom, resized in (*((zoom, True) for zoom in sorted(options)), *((zoom, False) for zoom in sorted(near))):
            base = Placement(kind, zoom, resized, fill=placement.fill)
            made += [base, *_shifted(base, windows, shapes, size)]
    return list(dict.fromkeys(made))


def _shifted(
    base: Placement, windows: list[Array], shapes: list[tuple[int, int]], size: tuple[int, int]
) -> list[Placement]:
    apart, shares = [], []
    for window, shape in zip(windows, shapes, strict=True):
        parts = part_of(base, shape, size)
        # The middle is known better than the start, which a wrong length moves.
        middles = [part.window.start + part.window.length / 2 for part in parts]
        apart.append(window[:, 0] + window[:, 1] / 2 - middles)
        shares.append([part.window.length / wanted for part, wanted in zip(parts, size, strict=True)])
    of_source = np.round(np.median(apart, axis=0))
    of_input = np.round(np.median(np.array(apart) / np.array(shares), axis=0))
    made = []
    for shift, in_file in ((of_input, False), (of_source, True)):
        if shift.any():
            made.append(replace(base, shift=(float(shift[0]), float(shift[1])), of_source=in_file))
    return made
