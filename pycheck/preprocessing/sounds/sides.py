"""Describes how one side makes its inputs of sound files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...types import Array, Signature
from .description import Description, Source, Spectrum, length_of
from .recipes import SPECTROGRAMS, Waveform, made_for, made_for_size
from .refining import refined
from .spectrograms import SpectrogramSearch
from .waveforms import Scored, WaveformSearch

#: Up to this error, as a share of the size of the input, a description is exact.
EXACT = 1e-3
#: Files that are searched.
_SEARCHED = 5


@dataclass(frozen=True, slots=True)
class Side:
    """How one side makes its inputs: samples of the shape `shape`.

    `error` is the RMS error of the description as a share of `size`: the RMS of waveforms, the deviation of
    spectrograms. `resamples_otherwise`: files of another rate than most have no description.
    """

    description: Description
    shape: tuple[int, ...]
    error: float
    size: float
    resamples_otherwise: bool = False

    @property
    def sizes(self) -> tuple[int, ...]:
        """Return the shape without axes of one."""
        return tuple(size for size in self.shape if size != 1)

    @property
    def frames(self) -> int:
        """Return the frames of a spectrogram."""
        assert self.description.spectrum is not None
        return self.sizes[1] if self.description.spectrum.first else self.sizes[0]

    @property
    def has_bands_of_file(self) -> bool:
        """Tell whether the mel bands are those of the rate of each file."""
        spectrum = self.description.spectrum
        if spectrum is None or spectrum.bands.scale == "linear":
            return False
        return not (spectrum.nominal or self.description.rate)

    @property
    def samples(self) -> int:
        """Return the samples of which the input is made."""
        spectrum = self.description.spectrum
        if spectrum is None:
            return self.sizes[0]
        return self.description.samples or length_of(spectrum.frames, self.frames)


def describe(files: Sequence[Path], samples: Array) -> Side | None:
    """Describe samples (files, ...) that one side made of sound files; None if no description fits.

    If files of one rate are described much better than all, the resampler has no description, and the other parts keep
    theirs. InputsFileError if soundfile cannot decode a file.
    """
    values = squeezed(samples)
    finite = [number for number, value in enumerate(values) if np.isfinite(value).all()]  # not so silence, perhaps
    values = values[finite]
    if not finite or not is_usable(values):
        return None
    sources = [Source(files[number]) for number in finite]
    found = _described(sources, values)
    if found is not None and found.error <= EXACT:
        return Side(found.description, samples.shape[1:], found.error, size_of(values))
    otherwise = False
    (rate, count), *_ = Counter(source.sound.rate for source in sources).most_common(1)
    if count < len(sources):
        same = [number for number, source in enumerate(sources) if source.sound.rate == rate]
        other = _described([sources[number] for number in same], values[same])
        if other is not None and (found is None or other.error < found.error / 2):
            found, otherwise = other, True
    if found is None:
        return None
    return Side(found.description, samples.shape[1:], found.error, size_of(values), resamples_otherwise=otherwise)


def _described(sources: Sequence[Source], values: Array) -> Scored | None:
    """Search in some of the files, and measure the error over all."""
    loud = [number for number, source in enumerate(sources) if np.ptp(source.sound.samples)]
    if not loud:
        return None
    chosen = [loud[number] for number in spread_over([sources[number] for number in loud])]
    some = [sources[number] for number in chosen]
    found: Scored | None
    if values.ndim == 2:
        rates = {source.sound.rate for source in some}
        start = Description(rate=None if len(rates) > 1 else rates.pop())
        found = WaveformSearch(some, values[chosen]).best(start)
    else:
        found = SpectrogramSearch(some, values[chosen]).best(list(starts_of(values.shape[1:])))
    return None if found is None else refined(found.description, sources, values, size_of(values))


def of_recipe(text: str, signature: Signature) -> Side:
    """Return the description of a recipe; the size of its values is not known before they are made: 1."""
    made = made_for(text, signature)
    if isinstance(made, Waveform):
        return Side(Description(rate=made.rate), made.shape, 0.0, 1.0)
    spectrum = Spectrum(made.frames, made.bands, made.levels, first=made.frequencies_first)
    whole = length_of(made.frames, made.count)
    samples = None if made.waveform.count == whole else made.waveform.count
    return Side(Description(rate=made.waveform.rate, samples=samples, spectrum=spectrum), made.shape, 0.0, 1.0)


def squeezed(samples: Array) -> Array:
    """Return samples (files, ...) without axes of one, in float64."""
    sizes = [size for size in samples.shape[1:] if size != 1]
    return samples.reshape(len(samples), *sizes).astype(np.float64)


def is_usable(side: Array) -> bool:
    """Tell whether squeezed samples may be waveforms or spectrograms."""
    return side.ndim in (2, 3) and min(side.shape[1:]) > 3 and bool(np.isfinite(side).all()) and bool(np.ptp(side))


def size_of(samples: Array) -> float:
    """Return the RMS of waveforms, or the deviation of spectrograms (files, rows, columns)."""
    square = np.mean(np.square(samples - samples.mean() if samples.ndim == 3 else samples))
    return float(np.sqrt(square)) or 1.0


def starts_of(shape: tuple[int, ...]) -> Iterator[Description]:
    """Yield the known recipes for a spectrogram of a shape."""
    for name in SPECTROGRAMS:
        for first, sizes in ((False, (shape[0], shape[1])), (True, (shape[1], shape[0]))):
            recipe = made_for_size(name, sizes)
            if recipe is not None:
                spectrum = Spectrum(recipe.frames, recipe.bands, recipe.levels, first=first)
                yield Description(rate=recipe.waveform.rate, spectrum=spectrum)


def spread_over(sources: Sequence[Source]) -> list[int]:
    """Return the files to search in: those of different rates and channels first."""
    kinds: dict[tuple[int, bool], list[int]] = {}
    for number, source in enumerate(sources):
        kinds.setdefault((source.sound.rate, source.is_stereo), []).append(number)
    chosen: list[int] = []
    while len(chosen) < min(_SEARCHED, len(sources)):
        for numbers in kinds.values():
            if numbers and len(chosen) < _SEARCHED:
                chosen.append(numbers.pop(0))
    return sorted(chosen)
