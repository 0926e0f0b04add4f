"""Describes how one side makes its inputs of sound files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...types import Array, Signature
from .description import Description, Spectrum, length_of
from .recipes import Waveform, made_for


@dataclass(frozen=True, slots=True)
class Side:
    """How one side makes its inputs: samples of the shape `shape`.

    `error` is the RMS error of the description as a share of `size`: the RMS of waveforms, the deviation of
    spectrograms.
    """

    description: Description
    shape: tuple[int, ...]
    error: float
    size: float

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
    def samples(self) -> int:
        """Return the samples of which the input is made."""
        spectrum = self.description.spectrum
        if spectrum is None:
            return self.sizes[0]
        return self.description.samples or length_of(spectrum.frames, self.frames)


def of_recipe(text: str, signature: Signature) -> Side:
    """Return the description of a recipe; the size of its values is not known before they are made: 1."""
    made = made_for(text, signature)
    if isinstance(made, Waveform):
        return Side(Description(rate=made.rate), made.shape, 0.0, 1.0)
    spectrum = Spectrum(made.frames, made.bands, made.levels, first=made.frequencies_first)
    whole = length_of(made.frames, made.count)
    samples = None if made.waveform.count == whole else made.waveform.count
    return Side(Description(rate=made.waveform.rate, samples=samples, spectrum=spectrum), made.shape, 0.0, 1.0)


def size_of(samples: Array) -> float:
    """Return the RMS of waveforms, or the deviation of spectrograms; axes of one do not matter."""
    values = np.asarray(samples, np.float64)
    axes = sum(size != 1 for size in values.shape[1:])
    square = np.mean(np.square(values - values.mean() if axes > 1 else values))
    return float(np.sqrt(square)) or 1.0
