"""Proves each difference of two descriptions: undone on the page's inputs, it makes their error smaller."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...types import Array
from .description import Description, Form, HasPlanes, Making, laid_out, made_pixels, numbers, view

#: An error must become smaller by this factor, and by this many steps of a byte (RMS), or the difference is no cause.
_PROVEN_FACTOR, _PROVEN_BYTES = 1.05, 0.05

Undo = Callable[[Description, Description], Description]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a description, and how it is taken over from another description."""

    code: str
    undo: Undo


def _of_making(*names: str) -> Undo:
    def undo(page: Description, python: Description) -> Description:
        taken = {name: getattr(python.making, name) for name in names}
        return replace(page, making=replace(page.making, **taken))

    return undo


def _mix(page: Description, python: Description) -> Description:
    """Take over the order of channels; scales that belong to a color go with it."""
    made = replace(page, mix=python.mix)
    if by_color(page, python):
        order = [page.mix.index(name) for name in python.mix]
        scale, offset, low, high = (
            tuple(values[k] for k in order) if values else ()
            for values in (page.scale, page.offset, page.low, page.high)
        )
        made = replace(made, scale=scale, offset=offset, low=low, high=high)
    return made


def _scale(page: Description, python: Description) -> Description:
    """Take over the scale; while the order of channels differs, each color may keep its own."""
    scale, offset = python.scale, python.offset
    if page.mix != python.mix and by_color(page, python):
        order = [python.mix.index(name) for name in page.mix]
        scale, offset = tuple(scale[k] for k in order), tuple(offset[k] for k in order)
    return replace(page, scale=scale, offset=offset)


def _range(page: Description, python: Description) -> Description:
    making = replace(page.making, rounding=python.making.rounding)
    return replace(page, making=making, low=python.low, high=python.high)


PARTS = (
    Part("channels-first", lambda page, python: replace(page, first=python.first)),
    Part("image-flipped", lambda page, python: replace(page, layout=python.layout)),
    Part("image-orientation", _of_making("upright")),
    Part("channels-swapped", _mix),
    Part("pixel-scale", _scale),
    Part("pixel-range", _range),
    Part("crop-differs", _of_making("placement")),
    Part("resize-differs", _of_making("kernel")),
    Part("alpha-differs", _of_making("alpha")),
    Part("color-differs", _of_making("managed", "curve")),
)


def by_color(page: Description, python: Description) -> bool:
    """Tell whether scale and offset are equal color by color, but not place by place."""
    if (page.scale, page.offset) == (python.scale, python.offset):
        return False
    if page.mix == python.mix or set(page.mix) != set(python.mix) or len(set(page.mix)) != len(page.mix):
        return False
    order = [page.mix.index(name) for name in python.mix]
    return tuple(page.scale[k] for k in order) == python.scale and tuple(page.offset[k] for k in order) == python.offset


@dataclass(frozen=True, slots=True)
class Proven:
    """A part that differs: `before` and `after` are RMS errors with all other differences undone, and with this too."""

    part: Part
    before: float
    after: float


@dataclass(slots=True)
class Proof:
    """The proven parts; `unexplained` is the RMS error with all of them undone, `leftover` the rest of each file.

    `leftover` has upright images (height, width, channels) in steps of a byte.
    """

    proven: list[Proven]
    unexplained: float
    leftover: Sequence[Array] = field(default_factory=list)


def prove(
    sources: Sequence[HasPlanes],
    sides: tuple[Array, Array],
    forms: tuple[Form, Form],
    descriptions: tuple[Description, Description],
) -> Proof:
    """Prove the differences between Python and the page: `sides`, `forms` and `descriptions` are in this order."""
    python, page = descriptions
    parts = [part for part in PARTS if part.undo(page, python) != page]
    if by_color(page, python):
        parts = [part for part in parts if part.code != "pixel-scale"]
    bench = _Bench(sources, sides, forms, descriptions)
    byte = float(np.mean(np.abs(python.scale))) or 1.0
    while True:
        sets = [frozenset(part.code for part in parts)]
        sets += [sets[0] - {part.code} for part in parts]
        errors = bench.errors(sets)
        unexplained = errors[0]
        falls = dict(zip((part.code for part in parts), errors[1:], strict=True))
        weak = [
            part for part in parts
            if not (falls[part.code] > unexplained * _PROVEN_FACTOR
                    and math.sqrt(max(falls[part.code] ** 2 - unexplained**2, 0.0)) > _PROVEN_BYTES * byte)
        ]  # fmt: skip
        if not weak:
            break
        worst = min(weak, key=lambda part: falls[part.code])
        parts = [part for part in parts if part is not worst]
    proven = [Proven(part, falls[part.code], unexplained) for part in parts]
    proven.sort(key=lambda each: each.before, reverse=True)
    return Proof(proven, unexplained, bench.leftover(sets[0]))


class _Bench:
    """Makes the page's inputs with some differences undone, and compares them with Python's."""

    def __init__(
        self,
        sources: Sequence[HasPlanes],
        sides: tuple[Array, Array],
        forms: tuple[Form, Form],
        descriptions: tuple[Description, Description],
    ) -> None:
        self._sources = sources
        self._python, self._page = (side.reshape(len(side), -1).astype(np.float32) for side in sides)
        self._forms, self._descriptions = forms, descriptions
        self._left: dict[frozenset[str], list[float]] = {}

    def errors(self, sets: Sequence[frozenset[str]]) -> list[float]:
        """Return the RMS error for each set of differences that are undone."""
        wanted = [each for each in dict.fromkeys(sets) if each not in self._left]
        for number in range(len(self._sources)):
            cache: dict[tuple[Making, tuple[int, int]], Array] = {}
            for each in wanted:
                rest = self._rest(number, each, cache)
                self._left.setdefault(each, []).append(float(np.mean(np.square(rest, dtype=np.float64))))
            self._sources[number].forget()
        return [math.sqrt(float(np.mean(self._left[each]))) for each in sets]

    def leftover(self, undone: frozenset[str]) -> list[Array]:
        """Return what remains of each file, upright, in steps of a byte."""
        python = self._descriptions[0]
        scale = np.array(python.scale, np.float32)
        return [
            view(self._rest(number, undone, {})[None], self._forms[0], python.first, python.layout)[0] / scale
            for number in range(len(self._sources))
        ]

    def _rest(self, number: int, undone: frozenset[str], cache: dict[tuple[Making, tuple[int, int]], Array]) -> Array:
        python, page = self._descriptions
        wanted = page
        for part in PARTS:
            if part.code in undone:
                wanted = part.undo(wanted, python)
        # Where the page's form differs, its numbers lie as the page has them until the layout is undone.
        own = self._made(number, page, self._forms[1], cache)
        made = self._made(number, wanted, self._forms[1], cache)
        rest = view((self._page[number] - own)[None], self._forms[1], page.first, page.layout)[0]
        return np.asarray(made + _carried(rest, page, wanted) - self._python[number])

    def _made(
        self, number: int, description: Description, form: Form, cache: dict[tuple[Making, tuple[int, int]], Array]
    ) -> Array:
        key = description.making, form.upright(description.layout)
        if key not in cache:
            cache[key] = made_pixels(self._sources[number], *key)
        return numbers(cache[key], description)


def _carried(rest: Array, page: Description, wanted: Description) -> Array:
    """Bring what the description of the page leaves into another scale, order and layout."""
    rest = rest / np.array(page.scale, np.float32)
    if page.mix != wanted.mix and set(page.mix) == set(wanted.mix):
        rest = rest[..., [page.mix.index(name) for name in wanted.mix]]
    return laid_out(rest * np.array(wanted.scale, np.float32), wanted.first, wanted.layout)
