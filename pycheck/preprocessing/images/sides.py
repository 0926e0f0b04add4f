"""Describes how one side makes its inputs of image files: what the search may choose from, and where it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...errors import InputsFileError
from ...types import Array, Signature
from .describing import Choices, Scored, Search
from .description import MIXES, Description, Form, Making
from .placing import Placement
from .recipes import RECIPES, parts, size_of
from .resampling import Kernel
from .sources import ALPHAS, CURVES, Source

#: Files that are searched: as many as have these pixels together, but not fewer than three.
_SEARCHED_PIXELS = 16e6
_FEWEST_SEARCHED = 3
MOST_SEARCHED = 12
#: Up to this error, in steps of a byte (RMS), a description is exact.
EXACT_BYTES = 0.05
#: Resizes whose pixels are moved, as those of OpenCV and of TensorFlow 1.
_MOVING = tuple(Kernel(method, centers) for method in ("nearest", "bilinear") for centers in ("plain", "aligned"))


@dataclass(frozen=True, slots=True)
class Side:
    """How one side makes its inputs: samples of the shape `shape`.

    `error` is the RMS error of the description, in steps of a byte. `seen` has the parts that the files can tell:
    ``upright`` if one has an EXIF orientation, ``alpha`` if one is transparent, ``managed`` if one has a color profile.
    """

    description: Description
    shape: tuple[int, ...]
    error: float
    seen: frozenset[str]

    @property
    def byte(self) -> float:
        """Return the size of a step of a byte in the input."""
        return float(np.mean(np.abs(self.description.scale)))

    @property
    def form(self) -> Form:
        """Return the form of a sample."""
        form = Form.of(self.shape)
        assert form is not None  # `describe` makes no side of other samples
        return form


def describe(files: Sequence[Path], samples: Array) -> Side | None:
    """Describe samples (files, ...) that one side made of image files; None if no description fits.

    InputsFileError if Pillow cannot decode a file.
    """
    samples = np.asarray(samples)
    form = Form.of(samples.shape[1:])
    if form is None or samples.dtype.kind not in "biuf" or not np.isfinite(samples).all() or not np.ptp(samples):
        return None
    try:
        sources = [Source(file) for file in files]
    except (OSError, ValueError, SyntaxError) as error:
        raise InputsFileError(f"Pillow cannot read an image: {error}.") from error
    chosen = searched([source.pixel_count for source in sources])
    some = [sources[number] for number in chosen]
    found = _best(Search(some, samples[chosen], form, choices_of(some)), start_of(form))
    for source in sources:
        source.forget()
    if found is None:
        return None
    seen = {"upright": "turned", "alpha": "has_alpha", "managed": "has_colors"}
    told = frozenset(part for part, fact in seen.items() if any(getattr(source, fact) for source in some))
    return Side(found.description, samples.shape[1:], found.error, told)


def _best(search: Search, start: Description) -> Scored | None:
    """Search from further starts if one is not exact: a moved image hides that a resize has no pixel centers."""
    best: Scored | None = None
    for kernel in (start.making.kernel, *_MOVING):
        found = search.best(replace(start, making=replace(start.making, kernel=kernel)))
        if found is not None and (best is None or found.beats(best)):
            best = found
        if best is None or best.error <= EXACT_BYTES:
            break
    return best


def of_recipe(text: str, signature: Signature) -> Side | None:
    """Return the description of a recipe; None for gray of channels that are scaled differently."""
    place, scale = parts(text)
    height, width, channels = size_of(text, signature)
    scaling = RECIPES[scale]
    if channels == 1 and (len(set(scaling.factor)) > 1 or scaling.channels != "RGB"):
        return None
    kind = {"center-crop": "crop"}.get(place, place)
    placement = Placement(kind, fill=(0.0, 0.0, 0.0) if kind == "letterbox" else ())
    offsets = tuple(-mean * factor for mean, factor in zip(scaling.mean, scaling.factor, strict=True))
    if channels == 1:
        mix: tuple[str, ...] = start_of(Form(height, width, 1)).mix
        offsets = (sum(share * value for share, value in zip(MIXES[mix[0]], offsets, strict=True)),)
    else:
        mix = tuple(scaling.channels)
    making = Making(alpha=ALPHAS[2], placement=placement)
    made = Description(making, mix=mix, scale=scaling.factor[:channels], offset=offsets)
    return Side(made, (height, width, channels), 0.0, frozenset({"upright", "alpha", "managed"}))


def is_transparent(file: Path) -> bool:
    """Tell whether an image has transparent pixels."""
    return Source(file).has_alpha


def with_alpha_of(side: Side, other: Side) -> Side:
    """Return a side that treats transparency as another one does."""
    making = replace(side.description.making, alpha=other.description.making.alpha)
    return replace(side, description=replace(side.description, making=making), seen=side.seen | {"alpha"})


def choices_of(sources: Sequence[Source]) -> Choices:
    """Return what a search in these files may choose from: what no file can tell is left as it is."""
    return Choices(
        uprights=(True, False) if any(source.turned for source in sources) else (True,),
        alphas=ALPHAS if any(source.has_alpha for source in sources) else (),
        managed=(False, True) if any(source.has_colors for source in sources) else (),
        curves=CURVES,
    )


def start_of(form: Form) -> Description:
    """Return what is likely for a form."""
    mix = ("R", "G", "B") if form.channels == 3 else ("gray (0.299 R + 0.587 G + 0.114 B)",)
    ones = (1.0,) * form.channels
    return replace(Description(), first=form.first, mix=mix, scale=ones, offset=(0.0,) * form.channels)


def searched(pixel_counts: Sequence[int]) -> list[int]:
    """Return the files to search in: spread over all, until they have too many pixels."""
    order = np.linspace(0, len(pixel_counts) - 1, min(len(pixel_counts), MOST_SEARCHED)).astype(int)
    chosen: list[int] = []
    total = 0
    for number in order[np.argsort(np.arange(len(order)) * 7 % max(len(order), 1), kind="stable")]:
        total += pixel_counts[number]
        if total > _SEARCHED_PIXELS and len(chosen) >= _FEWEST_SEARCHED:
            continue
        chosen.append(int(number))
    return sorted(chosen)
