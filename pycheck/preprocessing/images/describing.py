"""Searches the description that makes given inputs of given files with the smallest error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...types import Array
from .description import (
    LAYOUTS,
    ROUNDINGS,
    Description,
    Form,
    HasPlanes,
    Making,
    made_pixels,
    placed,
    turned_back,
    view,
)  # fmt: skip
from .placing import PLACEMENTS, Placement
from .resampling import KERNELS, Kernel, Window, resample, taps_of
from .scaling import fitted, limits, unexplained, unexplained_each
from .shifting import moved

#: Rows and columns of a sample that are looked at.
_LOOKED_AT = 40
_THUMB = 20
#: Another description must have an error smaller by this factor and by this part of a byte.
_BETTER, _BETTER_BYTES = 0.9, 0.02
#: Beyond this share of unexplained variance a description is no description.
_TOO_MUCH = 0.5
#: An error that is as small as this leaves nothing to search for (RMS, in steps of a byte).
_EXACT_BYTES = 0.05
#: What is larger than this is worth a search for another part of the image.
_CLOSE_BYTES = 1.0
_COARSE = (Kernel("bilinear"), Kernel("bilinear", antialias=True))


@dataclass(frozen=True, slots=True)
class Choices:
    """What a search may choose from."""

    kernels: Sequence[Kernel] = KERNELS
    placements: Sequence[Placement] = PLACEMENTS
    uprights: Sequence[bool] = (True,)
    alphas: Sequence[str] = ()
    managed: Sequence[bool] = ()
    curves: Sequence[str] = ()
    roundings: Sequence[str] = ROUNDINGS


@dataclass(frozen=True, slots=True)
class Scored:
    """A description with its error: RMS in steps of a byte."""

    description: Description
    error: float

    def beats(self, other: Scored) -> bool:
        """Tell whether the error is smaller by more than chance."""
        return self.error < other.error * _BETTER and self.error < other.error - _BETTER_BYTES


class Search:
    """Searches for one side: `samples` are its inputs, one for each source."""

    def __init__(self, sources: Sequence[HasPlanes], samples: Array, form: Form, choices: Choices) -> None:
        self._sources, self._form, self._choices = sources, form, choices
        self._samples = samples.reshape(len(samples), -1).astype(np.float32)
        self._ends = limits(self._samples)
        self._spread, self._enough = 60.0, _EXACT_BYTES
        self._values: dict[tuple[bool, int], Array] = {}

    def best(self, start: Description, enough: float = _EXACT_BYTES) -> Scored | None:
        """Return the best description, as near to `start` as it can be; None if none describes the samples.

        Errors up to `enough`, RMS in steps of a byte, leave nothing to search for.
        """
        found = self._scored(start)
        self._enough = max(enough, _EXACT_BYTES)
        if found.error > _CLOSE_BYTES and found.error > self._enough:
            coarse = [replace(start, **candidate_of(start, each)) for each in self._coarse(start)]
            found = self._better(found, coarse)
            found = self._better(
                found, [each for kept in coarse for each in _with_kernels(kept, self._first(kept)[1:])]
            )
        for _ in range(3):
            before = found
            found = self._refined(found)
            if not found.beats(before):
                break
        found = self._plain(found)
        if found.error / self._spread > _TOO_MUCH**0.5:
            return None
        pixels, values = self._pairs(found.description)
        made = fitted(pixels, values, self._ends, found.description)
        return Scored(made, found.error) if all(made.scale) else None  # a constant channel follows from no pixel

    def _plain(self, found: Scored) -> Scored:
        """Leave a turn out if the EXIF orientation explains it as well, as when all photos have the same one."""
        if found.description.layout == 0:
            return found
        straight = replace(found.description, layout=0)
        others = [self._scored(each) for each in _makings(straight, "upright", self._choices.uprights)]
        best = min(others, key=lambda each: each.error)
        return found if found.beats(best) else best

    def _first(self, start: Description) -> list[Kernel]:
        kernels = [start.making.kernel, *(kernel for kernel in _COARSE if kernel in self._choices.kernels)]
        return list(dict.fromkeys(kernels))

    def _refined(self, found: Scored) -> Scored:
        """Change one part after the other."""
        choices = self._choices
        parts = (
            ("kernel", choices.kernels, self._enough),
            ("alpha", choices.alphas, self._enough),
            ("managed", choices.managed, self._enough),
            ("curve", choices.curves, _CLOSE_BYTES),
            ("upright", choices.uprights, _CLOSE_BYTES),
            ("rounding", choices.roundings, self._enough),
            ("placement", _cut_otherwise(found.description.making.placement), self._enough),
        )
        for name, values, enough in parts:
            if found.error > enough:
                found = self._better(found, _makings(found.description, name, values))
        if found.error > _CLOSE_BYTES and found.error > self._enough:
            proposals = _makings(found.description, "placement", self._moves(found.description))
            better = self._better(found, proposals)
            if better is found:
                better = self._better(found, [e for p in proposals for e in _with_kernels(p, self._first(p)[1:])])
            found = better
        return found

    def _better(self, found: Scored, others: Iterable[Description]) -> Scored:
        scored = [self._scored(other) for other in dict.fromkeys(others) if other != found.description]
        best = min(scored, key=lambda each: each.error, default=found)
        return best if best.beats(found) else found

    def _scored(self, description: Description) -> Scored:
        pixels, values = self._pairs(description)
        inside = pixels[np.isfinite(pixels[:, 0])]
        self._spread = float(inside.std()) or 1.0
        return Scored(description, self._spread * unexplained(pixels, values, self._ends) ** 0.5)

    def _pairs(self, description: Description) -> tuple[Array, Array]:
        """Return pixels (n, 3) and values (n, channels) at some places of all samples."""
        size = self._form.upright(description.layout)
        rows, columns = (_some(count) for count in size)
        making = replace(description.making, placement=replace(description.making.placement, fill=()))
        pixels = np.concatenate(
            [made_pixels(source, making, size, rows, columns).reshape(3, -1).T for source in self._sources]
        )
        key = description.first, description.layout
        if key not in self._values:
            images = view(self._samples, self._form, *key)
            self._values[key] = images[:, rows][:, :, columns].reshape(-1, self._form.channels)
        return pixels, self._values[key]

    def _coarse(self, start: Description) -> list[tuple[bool, int, bool, Placement]]:
        """Return the likely combinations of channels first, layout, orientation and placement, judged by thumbnails."""
        found: list[tuple[float, tuple[bool, int, bool, Placement]]] = []
        turns = {self._form.upright(layout): [] for layout in range(len(LAYOUTS))}  # type: dict[tuple[int, int], list[int]]
        for layout in range(len(LAYOUTS)):
            turns[self._form.upright(layout)].append(layout)
        for first in (start.first, not start.first):
            images = _thumbs(view(self._samples, self._form, first, 0))
            for layouts in turns.values():
                turned = [turned_back(images, layout) for layout in layouts]
                values = np.stack([each.reshape(-1, self._form.channels) for each in turned])
                for upright in self._choices.uprights:
                    for placement in dict.fromkeys((start.making.placement, *self._choices.placements)):
                        pixels = self._thumb_pixels(start, upright, placement, turned[0].shape[1:3])
                        rests = unexplained_each(pixels, values)
                        found += [
                            (float(rest), (first, layout, upright, placement))
                            for rest, layout in zip(rests, layouts, strict=True)
                        ]
            if min(found, key=lambda each: each[0])[0] < _TOO_MUCH / 2 or self._form.channels == 1:
                break
        found.sort(key=lambda each: each[0])
        return [each for rest, each in found[:5] if rest < 3 * found[0][0] + 0.01]

    def _thumb_pixels(self, start: Description, upright: bool, placement: Placement, size: tuple[int, ...]) -> Array:
        making = Making(placement=replace(placement, shift=(0.0, 0.0), fill=()), kernel=Kernel("area", antialias=True))
        planes = (source.small(*replace(start.making, upright=upright).decoded) for source in self._sources)
        return np.concatenate([placed(each, making, (size[0], size[1])).reshape(3, -1).T for each in planes])

    def _moves(self, description: Description) -> list[Placement]:
        """Return placements with another cut, estimated from how the samples lie over the pixels."""
        size = self._form.upright(description.layout)
        images = view(self._samples, self._form, description.first, description.layout)
        return moved(self._sources, images, description, size)


def candidate_of(start: Description, candidate: tuple[bool, int, bool, Placement]) -> dict[str, Any]:
    """Return the changed fields of a description."""
    first, layout, upright, placement = candidate
    return {"first": first, "layout": layout, "making": replace(start.making, upright=upright, placement=placement)}


def _makings(description: Description, name: str, values: Iterable[Any]) -> list[Description]:
    return [replace(description, making=replace(description.making, **{name: value})) for value in values]


def _with_kernels(description: Description, kernels: Iterable[Kernel]) -> list[Description]:
    return _makings(description, "kernel", kernels)


def _cut_otherwise(placement: Placement) -> list[Placement]:
    """Return the same part cut before the resize if it is cut after it, and the other way round."""
    is_cut = placement.kind == "crop" or (placement.kind == "stretch" and placement.zoom != 1)
    return [replace(placement, resized=not placement.resized)] if is_cut else []


def _some(count: int) -> Array:
    """Return places along an axis, uneven, so that no pattern of the image hides between them."""
    if count <= _LOOKED_AT:
        return np.arange(count)
    at = np.linspace(0, count - 1, _LOOKED_AT)
    return np.unique(np.clip(np.round(at + 0.9 * np.sin(at * 12.9898)), 0, count - 1).astype(int))


def _thumbs(images: Array) -> Array:
    """Return images (samples, height, width, channels) with the longer side at most _THUMB pixels."""
    height, width = images.shape[1:3]
    factor = max(1.0, max(height, width) / _THUMB)
    size = max(1, round(height / factor)), max(1, round(width / factor))
    rows, columns = (
        taps_of(Kernel("area", antialias=True), Window(0.0, old, 0, old), new)
        for old, new in zip((height, width), size, strict=True)
    )
    return np.stack([resample(image.transpose(2, 0, 1), rows, columns).transpose(1, 2, 0) for image in images])
