"""Places an image in the input of a model: stretched, cropped, or whole with a border."""

from __future__ import annotations

from dataclasses import dataclass

from .resampling import Window

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Placement:
    """The part of an image that becomes the input, and the part of the input that it fills.

    `kind` is ``stretch``, ``crop`` (the aspect of the input is cut out) or ``letterbox`` (the image is whole, with a
    border). `zoom` is the share of either side that is kept, such as 0.875. With `resized`, the whole image is resized
    first, and the input is cut out of that: 224 of 256 pixels; without, whole pixels of the file are cut. `anchor` is
    ``center`` or ``top left``. `shift` moves the cut down and to the right, in pixels of the input or, with
    `of_source`, of the file. `fill` is the border, from 0 to 255.
    """

    kind: str = "stretch"
    zoom: float = 1.0
    resized: bool = False
    anchor: str = "center"
    shift: Pair = (0.0, 0.0)
    of_source: bool = False
    fill: tuple[float, ...] = ()

    def __str__(self) -> str:
        if self.kind == "letterbox":
            words = "whole image with a border" if self.anchor == "center" else "whole image at the top left"
            words += f" of {_color(self.fill)}" if self.fill else ""
        elif self.kind == "crop":
            words = "square center crop" if self.anchor == "center" else "crop at the top left"
            words = words.replace("square ", "")
        else:
            words = "whole image, stretched"
        if self.zoom != 1:
            words = f"{'center ' if self.kind == 'stretch' else ''}crop of {self.zoom:.4g} of each side" + (
                ", stretched" if self.kind == "stretch" else ""
            )
        if self.kind != "letterbox" and self.resized != (self.zoom != 1):
            words += f", cut {'after' if self.resized else 'before'} the resize"
        if any(self.shift):
            ways = zip(self.shift, (("down", "up"), ("right", "left")), strict=True)
            moved = [f"{abs(value):g} {more if value > 0 else less}" for value, (more, less) in ways if value]
            words += f", moved {' and '.join(moved)}" + (" in the file" if self.of_source else "")
        return words


#: What is tried first; other zooms and shifts are estimated.
PLACEMENTS = (
    Placement(),
    Placement("crop"),
    Placement("letterbox"),
    Placement("crop", 0.875, resized=True),
    Placement("stretch", 0.875, resized=True),
    Placement("letterbox", anchor="top left"),
    Placement("crop", anchor="top left"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """One axis: what is read of the image, and where it goes in the input: `place` and `size` in pixels."""

    window: Window
    place: int
    size: int


def part_of(placement: Placement, image: tuple[int, int], wanted: tuple[int, int]) -> tuple[Part, Part]:
    """Return the rows and the columns of an image (height, width) in an input (height, width)."""
    ratios = image[0] / wanted[0], image[1] / wanted[1]
    if placement.kind == "letterbox":
        largest = max(ratios)
        made = []
        for axis in (0, 1):
            inner = min(wanted[axis], max(1, round(image[axis] / largest)))
            place = (wanted[axis] - inner) // 2 if placement.anchor == "center" else 0
            place = min(max(place + round(placement.shift[axis]), 0), wanted[axis] - inner)
            made.append(Part(Window(0.0, image[axis], 0, image[axis]), place, inner))
        return made[0], made[1]
    each = (min(ratios),) * 2 if placement.kind == "crop" else ratios
    rows, columns = (
        Part(_window(placement, axis, image[axis], wanted[axis], each[axis]), 0, wanted[axis]) for axis in (0, 1)
    )
    return rows, columns


def resized_of(parts: tuple[Part, Part], image: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return height and width of what is resized: before, and after.

    If the input is cut out of a larger, resized image, that is the whole image; otherwise it is the part that is read.
    """
    before, after = [], []
    for part, size in zip(parts, image, strict=True):
        length = size if part.window.end - part.window.first > part.window.length else part.window.length
        before.append(round(length))
        after.append(round(part.size * length / part.window.length))
    return (before[0], before[1]), (after[0], after[1])


def _window(placement: Placement, axis: int, size: int, wanted: int, ratio: float) -> Window:
    shift = placement.shift[axis]
    if not placement.resized:
        whole = size if placement.kind == "stretch" else ratio * wanted
        length = float(min(size, max(1, round(whole * placement.zoom))))
        start = float((size - int(length)) // 2) if placement.anchor == "center" else 0.0
        start += shift if placement.of_source else shift * length / wanted
        first = int(start) if placement.of_source or not shift else 0
        end = first + int(length) if placement.of_source or not shift else size
        first = min(max(first, 0), size - 1)
        return Window(start, length, first, max(min(end, size), first + 1))  # a shift may leave a small file
    resized = max(wanted, round(size / (ratio * placement.zoom)))
    scale = size / resized
    start = (resized - wanted) // 2 * scale if placement.anchor == "center" else 0.0
    return Window(start + shift * (1.0 if placement.of_source else scale), wanted * scale, 0, size)


def _color(fill: tuple[float, ...]) -> str:
    values = [round(value) for value in fill]
    if len(set(values)) == 1:
        return {0: "black", 255: "white"}.get(values[0], f"gray {values[0]}")
    return f"color {', '.join(map(str, values))}"
