"""Searches how given spectrograms were made of given sound files."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...types import Array
from . import changes
from .description import (
    METHODS,
    MIXES,
    NORMALS,
    Description,
    Source,
    Spectrum,
    energies,
    normalized,
    spectra,
    with_frames,
)
from .levels import fit_levels, is_large, quick_curve, quick_error, roundness
from .pace import hops, paces
from .spectra import NORMS, SCALES, TAPERS, Bands, Frames, Levels, leveled
from .waveforms import Scored

#: Sets of magnitudes that are kept.
_KEPT = 24
#: Frames of a sample that are looked at.
_LOOKED_AT = 48
#: An error below this share of the deviation leaves nothing to search for; beyond the other nothing is described.
_EXACT, _TOO_MUCH = 2e-3, 0.5
_CLOSE = 0.05
#: Descriptions at other rates that are searched from.
_REPACED = 4


@dataclass(frozen=True, slots=True)
class _Tried:
    """A description with the share of the variance that it leaves."""

    description: Description
    rest: float


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Values (frames, bands) at `rows` of `count` frames, of each file or of all; and which of them are large."""

    values: list[Array]
    large: list[Array]
    rows: Array
    count: int
    columns: int


class SpectrogramSearch:
    """Searches for one side: `samples` (files, rows, columns) are its inputs, one for each source.

    Files of another rate than the waveform's are resampled by one of `methods`.
    """

    def __init__(self, sources: Sequence[Source], samples: Array, methods: Sequence[str] = METHODS) -> None:
        self._sources, self._methods = sources, methods
        self._samples = np.asarray(samples, np.float64)
        self._spread = float(self._samples.std()) or 1.0
        self._kept: dict[tuple[bool, bool], _Wanted] = {}
        self._spectra: OrderedDict[tuple[Description, int, bool], list[Array]] = OrderedDict()
        self._mixes = MIXES if any(source.is_stereo for source in sources) else MIXES[:1]

    def best(self, start: Sequence[Description], enough: float | None = None) -> Scored | None:
        """Return the best description, as near to the first of `start` as it can be; None if none describes them."""
        is_first, enough = enough is None, max(enough or 0.0, _EXACT)
        levels = _of(start[0]).levels
        laid = [self.leveled(each) for each in self._laid(start)]
        found = min(laid, key=lambda each: each.error)
        if found.error > enough:
            laid += [self.leveled(each) for each in self._laid(self._by_browsers(start))]
            found = min(laid, key=lambda each: each.error)
        if found.error > enough:
            for first in dict.fromkeys(
                (_of(start[0]).first, not _of(start[0]).first)
            ):  # either order may be better soon
                some = [each for each in laid if _of(each.description).first == first]
                if some and found.error > enough:
                    other = self._nearest(min(some, key=lambda each: each.error), enough, levels)
                    found = other if other.beats(found) else found
        if found.error > max(enough, _CLOSE / 2):
            found = self._unusual(found, start[0], enough)
        if found.error > max(enough, _CLOSE / 2):
            for each in self._guesses():
                other = self._nearest(self._refined(self.leveled(each), enough), enough, levels)
                if other.beats(found):
                    found = other
                if found.error < max(enough, _CLOSE / 2):
                    break
        if found.error > (enough if is_first else max(enough, _CLOSE / 2)):
            found = self._repaced(found, enough, levels)
        if found.error > enough:
            others = map(self.leveled, self._by_browsers([found.description]))
            best = min(others, key=lambda each: each.error, default=found)
            found = self._nearest(best, enough, levels) if best.beats(found) else found
        if found.error > enough:
            found = self._tuned(self._relaid(found))
        found = self._rounder(found) if is_first else found  # the other side is said in the terms of this one
        return found if found.error < _TOO_MUCH else None

    def _by_browsers(self, start: Sequence[Description]) -> Iterator[Description]:
        """Yield the descriptions with the resamplers of browsers, if files are resampled."""
        for each in start:
            if any(source.sound.rate != (each.rate or source.sound.rate) for source in self._sources):
                yield from (replace(each, method=method) for method in self._methods if method not in METHODS)

    def _unusual(self, found: Scored, start: Description, enough: float) -> Scored:
        """Try every hop in the likeliest places; one that no library has by itself is in no list."""
        first, rate = _of(found.description).first, start.rate
        if not rate or first != _of(start).first:
            return found
        levels, base = _of(start).levels, replace(start, spectrum=_of(next(self._laid([start]))))
        near = hops(self._sources, self._values(first), rate, _of(start).frames)
        options = [replace(with_frames(base, hop=hop), anchor=anchor, shift=0) for hop, anchor in near]
        tried = [_Tried(each, self._rest(each)) for each in options]
        best = min(tried, key=lambda each: each.rest).description
        other = self._nearest(self.leveled(best), enough, levels)
        return other if other.beats(found) else found

    def _repaced(self, found: Scored, enough: float, levels: Levels) -> Scored:
        """Try nearly the same frames in seconds at other rates: their loudness goes alike, their details do not."""
        if _of(found.description).bands.scale == "linear":  # whose frequencies say the rate
            return found
        tried = sorted(
            (_Tried(each, self._rest(each)) for each in dict.fromkeys(changes.repaced(found.description))),
            key=lambda each: each.rest,
        )
        for each in tried[:_REPACED]:
            other = self._nearest(self.leveled(each.description), enough, levels)
            found = other if other.beats(found) else found
            if found.error <= enough:
                break
        return found

    def _relaid(self, found: Scored) -> Scored:
        """Try forms of the bands and sizes of the FFT with levels of their own, which hide a factor of the energies."""
        spectrum = _of(found.description)
        if spectrum.bands.scale == "linear":
            return found
        forms = [replace(spectrum.bands, scale=scale, norm=norm) for scale in SCALES[1:] for norm in NORMS]
        others = [replace(found.description, spectrum=replace(spectrum, bands=bands)) for bands in forms]
        least = changes.power_of_two(spectrum.frames.window)
        others += [with_frames(found.description, fft=least << k) for k in range(4)]
        best = min(map(self.leveled, others), key=lambda each: each.error)
        return best if best.beats(found) else found

    def _tuned(self, found: Scored) -> Scored:
        """Move the numbers that follow no list: the window, and the ends of the bands."""
        tried = _Tried(found.description, self._rest(found.description))
        for factor in (1.2, 1.07, 1.02, 1.006):
            for _ in range(3):
                before = tried
                tried = self._better(tried, changes.moved(tried.description, factor))
                if tried is before:
                    break
        fitted = self.leveled(changes.written(tried.description)) if tried.description != found.description else found
        return fitted if fitted.beats(found) else found

    def _rounder(self, found: Scored) -> Scored:
        """Take another rate with the same frames in seconds, which may be no different, if its numbers are rounder."""
        if roundness(_of(found.description).levels) == 4:
            return found
        same = [each for each in map(self.leveled, changes.paced(found.description)) if not found.beats(each)]
        return max((found, *same), key=lambda each: roundness(_of(each.description).levels))

    def leveled(self, description: Description) -> Scored:
        """Return a description with fitted levels, as a logarithm and without one, whichever is nearer."""
        spectrum = _of(description)
        values = self._values(spectrum.first)
        made = self._energies(description, values[0].shape[0], None)
        if spectrum.normal != NORMALS[0]:
            return self._normal(description, made, values)
        fits = [fit_levels(made, values, spectrum.levels.power, (log,)) for log in ("e", "none")]
        if min(each.error for each in fits) > _EXACT:  # the curve and the power are one question
            other = 3 - spectrum.levels.power
            made = self._energies(changes.with_power(description, other), values[0].shape[0], None)
            fits += [fit_levels(made, values, other, (log,)) for log in ("e", "none")]
        fit = min(fits, key=lambda each: each.error * (1 if each.levels.power == spectrum.levels.power else 1 / 0.9))
        return Scored(replace(description, spectrum=replace(spectrum, levels=fit.levels)), fit.error)

    def _normal(self, description: Description, made: Sequence[Array], values: Sequence[Array]) -> Scored:
        """Fit what is before the normalization, of which only the curve matters: what is added, and the range."""
        spectrum = _of(description)
        best: Scored | None = None
        for log in ("e", "10", "2", "db", "none") if spectrum.normal == NORMALS[4] else ("e", "none"):
            for add in (0.0, *(10.0 ** np.arange(-12, 1))) if log != "none" else (0.0,):
                for top in _tops(values, spectrum.normal):
                    levels = Levels(spectrum.levels.power, log, add, top=top)
                    with np.errstate(all="ignore"):
                        rests = [
                            np.mean((normalized(leveled(each, levels), spectrum.normal) - value) ** 2)
                            for each, value in zip(made, values, strict=True)
                        ]
                    error = float(np.sqrt(np.mean(rests))) / self._spread
                    if np.isfinite(error) and (best is None or error < best.error * 0.9):
                        best = Scored(replace(description, spectrum=replace(spectrum, levels=levels)), error)
        return best or Scored(description, float("inf"))

    def _laid(self, start: Iterable[Description]) -> Iterator[Description]:
        """Yield the descriptions in both orders of the axes, with the normalization that the samples show."""
        rows, columns = self._samples.shape[1:]
        for each in start:
            spectrum = _of(each)
            for first in dict.fromkeys((spectrum.first, not spectrum.first)):
                count = rows if first else columns
                if spectrum.bands.scale == "linear" and count not in (
                    spectrum.frames.fft // 2 + 1,
                    spectrum.frames.fft // 2,
                ):
                    continue
                made = replace(spectrum, first=first, bands=replace(spectrum.bands, count=count))
                yield replace(each, spectrum=replace(made, normal=self._shown(first)))

    def _shown(self, first: bool) -> str:
        """Return the normalization that all samples show."""
        values = self._values(first)
        near = 2e-3
        if all(abs(each.mean(axis=0)).max() < near and abs(each.std(axis=0) - 1).max() < 0.02 for each in values):
            return NORMALS[2]
        if all(abs(each.mean()) < near and abs(each.std() - 1) < 0.01 for each in values):
            return NORMALS[1]
        if all(abs(each.min()) < 1e-6 and abs(each.max() - 1) < 1e-6 for each in values):
            return NORMALS[3]
        return NORMALS[4] if all(abs(each.max()) < 1e-4 for each in values) else NORMALS[0]

    def _nearest(self, found: Scored, enough: float, levels: Levels) -> Scored:
        """Change the one part that helps most, fit the levels again, and so on: few faults are few changes."""
        for _ in range(6):
            if found.error <= enough:
                break
            spectrum = _of(found.description)
            # Levels that were fitted to a wrong description hide what is wrong, so those of the start are tried too.
            bases = dict.fromkeys(
                (found.description, replace(found.description, spectrum=replace(spectrum, levels=levels)))
            )
            starts = [_Tried(base, self._rest(base)) for base in bases]
            tried = [self._better(start, options(start.description)) for options in self._options() for start in starts]
            fitted = self.leveled(min(tried, key=lambda each: each.rest).description)
            if not fitted.beats(found):
                break
            found = fitted
        return found

    def _refined(self, found: Scored, enough: float) -> Scored:
        """Change one part after the other, fit the levels again, and so on."""
        for _ in range(4):
            if found.error <= enough:
                break
            tried = _Tried(found.description, self._rest(found.description))
            for options in self._options():
                tried = self._better(tried, options(tried.description))
            fitted = self.leveled(tried.description)
            if not fitted.beats(found):
                break
            found = fitted
        return found

    def _options(self) -> Iterator[Callable[[Description], Iterable[Description]]]:
        """Yield what may change, the coarse parts first."""
        yield changes.powers
        yield changes.rates
        yield lambda d: [with_frames(d, hop=hop) for hop in changes.HOPS]
        yield changes.bands
        yield changes.windows
        yield changes.bands
        yield changes.places
        yield lambda d: [with_frames(d, taper=name) for name in TAPERS]
        yield lambda d: changes.waves(d, self._mixes, self._methods)

    def _better(self, tried: _Tried, others: Iterable[Description]) -> _Tried:
        best = tried
        for other in dict.fromkeys(others):
            if other != tried.description and (rest := self._rest(other)) < 0.85 * tried.rest and rest < best.rest:
                best = _Tried(other, rest)
        return best

    def _rest(self, description: Description) -> float:
        """Return the share of the variance that a description leaves, by its curve, at some frames."""
        spectrum = _of(description)
        if spectrum.frames.window > spectrum.frames.fft:
            return 1.0
        wanted = self._wanted(spectrum.first, spectrum.normal != NORMALS[0])
        made = self._energies(description, wanted.count, wanted.rows)
        if made[0].shape != (len(wanted.rows), wanted.columns):
            return 1.0
        energies = made if spectrum.normal != NORMALS[0] else [np.concatenate(made)]
        if spectrum.normal == NORMALS[2]:
            energies = [_by_band(each) for each in energies]
        pairs = list(zip(energies, wanted.values, wanted.large, strict=True))
        known = spectrum.levels.add or spectrum.levels.floor or spectrum.levels.log == "none"
        if known and spectrum.normal == NORMALS[0]:
            return float(np.mean([quick_curve(x, y, spectrum.levels) for x, y, _ in pairs]))
        as_log = float(np.mean([quick_error(x, y, large) for x, y, large in pairs]))
        if spectrum.normal == NORMALS[2]:
            return as_log
        return min(as_log, float(np.mean([quick_error(x, y, None) for x, y, _ in pairs])))

    def _wanted(self, first: bool, apart: bool) -> _Wanted:
        """Return the values at some frames, of each file or of all together."""
        key = first, apart
        if key not in self._kept:
            values = self._values(first)
            count, columns = values[0].shape
            rows = _some(count)
            some = [each[rows] for each in values] if apart else [np.concatenate([each[rows] for each in values])]
            self._kept[key] = _Wanted(some, [is_large(each) for each in some], rows, count, columns)
        return self._kept[key]

    def _energies(self, description: Description, count: int, rows: Array | None) -> list[Array]:
        """Return energies in bands of each file; the magnitudes are kept for the next bands."""
        key = replace(description, spectrum=Spectrum(_of(description).frames)), count, rows is None
        if key not in self._spectra:
            self._spectra[key] = [spectra(source, description, count, rows) for source in self._sources]
            if len(self._spectra) > _KEPT:
                self._spectra.popitem(last=False)
        self._spectra.move_to_end(key)
        return [
            energies(source, description, each) for source, each in zip(self._sources, self._spectra[key], strict=True)
        ]

    def _values(self, first: bool) -> list[Array]:
        return [each.T if first else each for each in self._samples]

    def _guesses(self) -> Iterator[Description]:
        """Yield descriptions found without a start: by how the loudness goes, then by the bands."""
        tried: list[_Tried] = []
        for first in (False, True):
            values = self._values(first)
            for hop, rate, center in paces(self._sources, values):
                for base in self._starts(hop, rate, center, values[0].shape[1], first):
                    tried.append(_Tried(base, self._rest(base)))
        tried.sort(key=lambda each: each.rest)
        yield from (each.description for each in tried[:3])

    def _starts(self, hop: int, rate: int | None, center: str, count: int, first: bool) -> Iterator[Description]:
        normal = self._shown(first)
        nominal = rate or 16000
        for window in dict.fromkeys((hop * 2, hop * 5 // 2, hop * 4)):
            fft = changes.power_of_two(window)
            frames = Frames(window, hop, fft, center=center)
            highs = [high for high in (3800.0, 7600.0, 11025.0, 16000.0, nominal / 2) if high <= nominal / 2]
            for power in (1, 2):
                levels = Levels(power)
                for scale in ("tf", "slaney"):
                    for high in dict.fromkeys(highs):
                        for low in (0.0, 125.0):
                            bands = Bands(count, scale, "slaney" if scale == "slaney" else "none", low, high)
                            yield Description(rate=rate, spectrum=Spectrum(frames, bands, levels, None, normal, first))
        for fft in (2 * (count - 1), 2 * count):
            for window in dict.fromkeys((fft, fft - 1, hop * 2, hop * 5 // 2)):
                if 0 < window <= fft:
                    for power in (1, 2):
                        frames = Frames(window, hop, fft, center=center)
                        spectrum = Spectrum(frames, Bands(count, "linear"), Levels(power), None, normal, first)
                        yield Description(rate=rate, spectrum=spectrum)


def _by_band(values: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(values + 1e-12)
        return np.asarray(np.exp((logs - logs.mean(axis=0)) / (logs.std(axis=0) + 1e-12)))


def _of(description: Description) -> Spectrum:
    assert description.spectrum is not None
    return description.spectrum


def _some(count: int) -> Array:
    """Return frames, uneven ones."""
    if count <= _LOOKED_AT:
        return np.arange(count)
    at = np.linspace(0, count - 1, _LOOKED_AT)
    return np.unique(np.clip(np.round(at + 0.9 * np.sin(at * 12.9898)), 0, count - 1).astype(int))


def _tops(values: Sequence[Array], normal: str) -> tuple[float | None, ...]:
    if normal != NORMALS[4]:
        return (None, 80.0 / 10 * np.log(10), 8.0 * np.log(10))
    low = min(float(each.min()) for each in values)
    return (None, -low) if sum(np.mean(each < low + 1e-6) > 0.002 for each in values) else (None,)
