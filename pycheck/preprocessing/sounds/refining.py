"""Makes a description exact: with the length of the waveform of a spectrogram, and with numbers that people write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from ...types import Array
from .description import Description, Source, length_of, made, with_frames
from .levels import step_of
from .parts import spectrum_of
from .spectra import NORMS, SCALES, TAPERS, Levels
from .waveforms import RATES, Scored

#: An error must become smaller by this factor; a rounder number may make it larger by the other one, and this share.
_BETTER, _SAME, _SAME_SHARE = 0.9, 1.05, 1e-7
#: An error up to this share leaves nothing to improve.
_ENOUGH = 1e-5
#: Lengths of waveforms, in seconds.
_SECONDS = (0.5, 0.96, 0.975, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15, 20, 30)
_FLOORS = (1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
#: Fields of a description and of its levels.
_NUMBERS = ("gain", "clip", "add", "floor", "top", "mean", "deviation")
_DIGITS = (1, 2, 3, 4, 5, 6, 7)


def refined(description: Description, sources: Sequence[Source], values: Array, size: float) -> Scored:
    """Return a description that is at least as near to values (files, ...), with its error as a share of `size`."""

    def error(option: Description) -> float:
        with np.errstate(all="ignore"):  # the logarithm of silence
            rests = [np.mean((made(s, option, v.shape) - v) ** 2) for s, v in zip(sources, values, strict=True)]
        found = float(np.sqrt(np.mean(rests))) / size
        return found if np.isfinite(found) else np.inf  # silence without a floor

    best = Scored(description, error(description))
    for _ in range(2):  # a rounded mean shows what is added under a logarithm
        for options in (_rates, _levels, _waves, _bands):
            for option in options(best.description, values.shape[1:]) if best.error > _ENOUGH else ():
                scored = Scored(option, error(option))
                best = scored if scored.error < _BETTER * best.error else best
        for name in _NUMBERS:
            best = _with_fewer_digits(best, name, error)
    return best


def _with_fewer_digits(best: Scored, name: str, error: Callable[[Description], float]) -> Scored:
    """Return a description with as few digits of a number as give nearly the same error."""
    for digits in _DIGITS:
        rounded = _rounded(best.description, name, digits)
        if rounded is None or rounded == best.description:
            break
        if (after := error(rounded)) <= best.error * _SAME + _SAME_SHARE:
            return Scored(rounded, after)
    return best


def _levels(description: Description, shape: tuple[int, ...]) -> Iterator[Description]:
    """Yield descriptions with other numbers that keep a logarithm from minus infinity: silence tells them."""
    spectrum = description.spectrum
    if spectrum is None or spectrum.levels.log == "none":
        return
    levels = spectrum.levels
    for value in _FLOORS:
        for add, floor in ((levels.add, value), (0.0, value), (value, 0.0)):
            changed = replace(levels, add=add, floor=floor)
            yield replace(description, spectrum=replace(spectrum, levels=changed))


def _rates(description: Description, shape: tuple[int, ...]) -> Iterator[Description]:
    """Yield descriptions with the same frames in seconds at other rates: a search takes the first that is near."""
    spectrum = description.spectrum
    if spectrum is None or not description.rate or spectrum.bands.scale == "linear":  # whose number follows the window
        return
    frames = spectrum.frames
    for rate in RATES:
        sizes = [size * rate / description.rate for size in (frames.window, frames.hop, frames.fft)]
        if all(size == int(size) for size in sizes):
            window, hop, fft = map(int, sizes)
            made_at = replace(with_frames(description, window=window, hop=hop, fft=fft), rate=rate)
            louder = _louder(spectrum.levels, rate / description.rate)
            yield replace(made_at, spectrum=replace(spectrum_of(made_at), levels=louder))


def _louder(levels: Levels, factor: float) -> Levels:
    """Return levels that give the same values of magnitudes that are larger by a factor."""
    power = factor**levels.power
    if levels.log == "none":
        return replace(levels, add=levels.add * power, deviation=levels.deviation * power, mean=levels.mean * power)
    mean = levels.mean + step_of(levels.log, levels.power) * float(np.log(power))
    return replace(levels, add=levels.add * power, floor=levels.floor * power, mean=mean)


def _waves(description: Description, shape: tuple[int, ...]) -> Iterator[Description]:
    """Yield descriptions of shorter waveforms, with zeros or the mirrored end after them."""
    spectrum = description.spectrum
    if spectrum is None or spectrum.frames.center == "no":
        return
    frames, count = spectrum.frames, shape[1] if spectrum.first else shape[0]
    whole = length_of(frames, count)
    lengths = {whole - frames.hop, *(round(seconds * (description.rate or 0)) for seconds in _SECONDS)}
    yield from (replace(description, samples=each) for each in sorted(lengths) if whole / 2 < each < whole)


def _bands(description: Description, shape: tuple[int, ...]) -> Iterator[Description]:
    """Yield descriptions with other triangles and windows, which may be nearly the same."""
    spectrum = description.spectrum
    if spectrum is None:
        return
    for name in TAPERS:
        yield replace(description, spectrum=replace(spectrum, frames=replace(spectrum.frames, taper=name)))
    for scale, norm in product(SCALES[1:], NORMS) if spectrum.bands.scale != "linear" else ():
        bands = replace(spectrum.bands, scale=scale, norm=norm)
        yield replace(description, spectrum=replace(spectrum, bands=bands))


def _rounded(description: Description, name: str, digits: int) -> Description | None:
    """Return a description with one of its numbers rounded; None if it does not have it."""
    spectrum = description.spectrum
    if name in ("gain", "clip"):
        value = getattr(description, name)
        return None if value is None else replace(description, **{name: _near(value, digits)})  # type: ignore[arg-type]
    if spectrum is None or (value := getattr(spectrum.levels, name)) is None:
        return None
    levels: Levels = replace(spectrum.levels, **{name: _near(value, digits)})  # type: ignore[arg-type]
    return replace(description, spectrum=replace(spectrum, levels=levels))


def _near(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")
