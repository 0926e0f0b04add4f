"""Says a description of the page in the terms of Python's: as few differences as describe the page as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...types import Array
from .description import NORMALS, Description
from .levels import rounded, step_of, with_slope
from .parts import FINE, spectrum_of
from .spectra import LOGS, Levels

#: The error of a description may grow by this factor, and by this share, when it loses a difference.
_FACTOR, _SHARE = 1.1, 1e-4
#: How far a fitted slope may be from that of a known base; the error decides.
_NEAR = 0.05
#: How far a fitted gain may be from a known one; the error decides.
_NEAR_GAIN = 0.06
#: Full scales of integers.
_GAINS = (32768.0, 32767.0, 1 / 32768, 1 / 32767, 128.0, 2.0, 0.5)


def related(page: Description, python: Description, errors: Callable[[Description], Array]) -> Description:
    """Return the description of the page that differs least from Python's; `errors` has one for each input."""
    limit = _Limit(errors(page))
    for option in _relevel(page, python):
        if limit.allows(errors(option)):
            page = option
            break
    page = next((option for option in _rounded(page, python) if limit.allows(errors(option))), page)
    limit = min(limit, _Limit(errors(page)), key=lambda each: _rms(each.errors))  # what round numbers have made exact
    for undo in FINE:
        option = undo(page, python)
        if option != page and limit.allows(errors(option)):
            page = option
    return next((option for option in _rounded(page, python) if limit.allows(errors(option))), page)


def _rounded(page: Description, python: Description) -> Iterator[Description]:
    """Yield the page with round numbers for mean and deviation: a fitted one is off by what its error hides."""
    if page.spectrum is None or python.spectrum is None or page.spectrum.levels == python.spectrum.levels:
        return
    levels = page.spectrum.levels
    for mean in dict.fromkeys((0.0, levels.mean)):
        for digits in (1, 2, 3):
            at, by = (float(f"{value:.{digits}g}") for value in (mean, levels.deviation))
            yield _with(page, replace(levels, mean=at, deviation=by))


@dataclass(frozen=True, slots=True)
class _Limit:
    """The errors of files that a description may have to be as good as one with `errors`."""

    errors: Array

    def allows(self, errors: Array) -> bool:
        """Tell whether all together are as good, and most files by themselves: a decoder may lose the end of one."""
        if not _rms(errors) <= _rms(self.errors) * _FACTOR + _SHARE:
            return False
        changed = np.abs(errors - self.errors) > _SHARE
        worse = errors > self.errors * _FACTOR + _SHARE
        return not worse.any() or bool(worse.sum() * 2 < changed.sum())


def _rms(errors: Array) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))


def _relevel(page: Description, python: Description) -> Iterator[Description]:
    """Yield the page's levels in the terms of Python's: the same with a gain, another base, another scale."""
    if page.spectrum is None or python.spectrum is None:
        return
    mine, theirs = page.spectrum.levels, python.spectrum.levels
    if page.spectrum.normal in NORMALS[1:4]:  # they do not show the base, the mean and the deviation
        yield from _hidden(page, theirs)
    if NORMALS[0] not in (page.spectrum.normal, python.spectrum.normal):
        yield _with(page, theirs)
        return
    yield _with(page, theirs)
    if (mine.log == "none") != (theirs.log == "none"):
        return
    slope, offset = step_of(mine.log, mine.power) / mine.deviation, -mine.mean / mine.deviation
    their_slope = step_of(theirs.log, theirs.power) / theirs.deviation
    their_offset = -theirs.mean / theirs.deviation
    if mine.log == "none" and mine.power == theirs.power:
        gain = abs(slope / their_slope) ** (1 / mine.power)
        near = next((each for each in _GAINS if abs(gain / each - 1) < _NEAR_GAIN), None)
        if near:
            yield replace(_with(page, theirs), gain=near)
    if mine.log != "none":
        yield from _gained(page, theirs, slope, offset, their_slope, their_offset)
    for log in LOGS if mine.log != "none" else ("none",):
        if log == "none" and mine.log != "none":
            continue
        step = step_of(log, mine.power)
        if abs(slope / (step / theirs.deviation) - 1) < _NEAR:  # only the base differs, perhaps with the mean
            base = replace(mine, log=log, deviation=theirs.deviation, top=mine.top)
            yield _with(page, replace(base, mean=theirs.mean))
            yield _with(page, replace(base, mean=-offset * theirs.deviation))
    top = mine.top and mine.top / mine.deviation
    yield _with(page, with_slope(replace(mine, log=theirs.log, top=top), slope, offset))


def _hidden(page: Description, theirs: Levels) -> Iterator[Description]:
    """Yield Python's levels, then with what the page adds, its floor and its range."""
    yield _with(page, theirs)
    mine = spectrum_of(page).levels
    if mine.log != "none" and theirs.log != "none":
        by = step_of(theirs.log, mine.power) / step_of(mine.log, mine.power)
        same = replace(theirs, power=mine.power, top=mine.top and mine.top * by)
        lows = [(0.0, mine.add or mine.floor), (mine.add, mine.floor)]
        for add, floor in lows if not theirs.add else reversed(lows):
            yield _with(page, replace(same, add=add, floor=floor))


def _gained(
    page: Description, theirs: Levels, slope: float, offset: float, their_slope: float, their_offset: float
) -> Iterator[Description]:
    mine = spectrum_of(page).levels
    for log in LOGS:
        if log == "none":
            continue
        levels = replace(theirs, log=log, power=mine.power)
        own_slope = step_of(log, mine.power) / theirs.deviation
        if abs(slope / own_slope - 1) > _NEAR:
            continue
        apart = (offset - their_offset) / (slope * mine.power)
        gain = float(np.exp(np.clip(apart, -40, 40)))
        near = next((each for each in _GAINS if abs(np.log(gain / each)) < 0.01), None)
        shows = _shown(mine, theirs, gain)
        if near or (shows and abs(np.log(gain)) > 0.02):
            yield replace(_with(page, levels), gain=near or gain)
            if near and not shows:
                add, floor = (rounded(value * near**mine.power) for value in (mine.add, mine.floor))
                kept = replace(levels, add=add, floor=floor)
                yield replace(_with(page, kept), gain=near)


def _shown(mine: Levels, theirs: Levels, gain: float) -> bool:
    """Tell whether what is added, or the floor, has moved with the gain."""
    pairs = [(mine.add, theirs.add), (mine.floor, theirs.floor)]
    known = [(a, b) for a, b in pairs if a and b]
    return bool(known) and all(abs(np.log(b / a) / mine.power - np.log(gain)) < 0.1 for a, b in known)


def _with(page: Description, levels: Levels) -> Description:
    return replace(page, spectrum=replace(spectrum_of(page), levels=levels))
