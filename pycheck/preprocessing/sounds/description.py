"""Describes how an input was made of a sound file, and makes it again by that description."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ...types import Array
from .decoding import Sound, decode, resample
from .resamplers import ENGINES, resample_as
from .spectra import Bands, Frames, Levels, banded, leveled, magnitudes

MIXES = ("mean of the channels", "left channel", "right channel", "sum of the channels")
#: How samples of another rate are made: by a filter, on a straight line between two samples, or the sample before.
METHODS = ("band-limited", "linear", "nearest")
#: The same, and as decodeAudioData of a browser does it.
METHODS_OF_PAGES = (*METHODS, *ENGINES)
#: What of a long file is taken, and on which side a short file gets zeros.
ANCHORS = (
    "start",
    "center",
    "end",
    "start, zeros at the front",
    "start, zeros on both sides",
    "center, zeros at the end",
)
#: What is made equal for all files by a gain of their own.
LOUDNESSES = ("as in the file", "peak of 1", "RMS of 1")
#: What is made equal for all spectrograms.
NORMALS = ("fixed", "mean 0 and deviation 1", "mean 0 and deviation 1 in each band", "0 to 1", "largest value 0")
#: Signals that a file keeps.
_KEPT = 12


@dataclass(frozen=True, slots=True)
class Spectrum:
    """How a spectrogram is made of a waveform. `nominal`: the rate for which the bands are; None: the waveform's."""

    frames: Frames = field(default_factory=Frames)
    bands: Bands = field(default_factory=Bands)
    levels: Levels = field(default_factory=Levels)
    nominal: int | None = None
    normal: str = NORMALS[0]
    first: bool = False  # the frequencies are the first axis


@dataclass(frozen=True, slots=True)
class Description:
    """How an input is made of a file: `rate` None is the file's own; `shift` is in samples of the input.

    `samples` are those of which a spectrogram is made, with zeros after them; None: as many as its frames take.
    """

    mix: str = MIXES[0]
    rate: int | None = 16000
    method: str = METHODS[0]
    anchor: str = ANCHORS[0]
    shift: int = 0
    loudness: str = LOUDNESSES[0]
    without_mean: bool = False
    gain: float = 1.0
    clip: float | None = None
    samples: int | None = None
    spectrum: Spectrum | None = None


class Source:
    """A sound file, with the signals that were made of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sound: Sound = decode(path)
        self._made: OrderedDict[tuple[str, int, str], Array] = OrderedDict()

    @property
    def is_stereo(self) -> bool:
        """Tell whether channels differ."""
        samples = self.sound.samples
        return samples.shape[1] > 1 and bool((samples != samples[:, :1]).any())

    def signal(self, mix: str, rate: int | None, method: str) -> Array:
        """Return one channel at a rate."""
        key = mix, rate or self.sound.rate, method
        if key not in self._made:
            self._made[key] = self._make(*key)
            if len(self._made) > _KEPT:
                self._made.popitem(last=False)
        return self._made[key]

    def _make(self, mix: str, rate: int, method: str) -> Array:
        samples = self.sound.samples
        if mix == MIXES[0]:
            one: Array = samples.mean(axis=1)
        elif mix == MIXES[3]:
            one = samples.sum(axis=1)
        else:
            one = samples[:, min(MIXES.index(mix) - 1, samples.shape[1] - 1)]
        if rate == self.sound.rate:
            return one
        if method == METHODS[0]:
            return resample(one, self.sound.rate, rate)
        if method in ENGINES:
            return resample_as(method, one, self.sound.rate, rate)
        at = np.arange(int(len(one) * rate / self.sound.rate)) * (self.sound.rate / rate)
        return np.asarray(np.interp(at, np.arange(len(one)), one) if method == METHODS[1] else one[at.astype(int)])


def waveform(source: Source, description: Description, count: int) -> Array:
    """Return `count` samples, with zeros where the file has none."""
    signal = source.signal(description.mix, description.rate, description.method)
    free = len(signal) - count
    start = description.shift + begin(description.anchor, free)
    made = np.zeros(count)
    have = signal[max(start, 0) : max(start + count, 0)]
    place = max(-start, 0)
    made[place : place + len(have)] = have[: max(count - place, 0)]
    if description.without_mean:
        made = made - made.mean()
    if description.loudness == LOUDNESSES[1]:
        made = made / (np.abs(made).max() or 1.0)
    elif description.loudness == LOUDNESSES[2]:
        made = made / (np.sqrt(np.mean(made**2)) or 1.0)
    made = made * description.gain
    return made if description.clip is None else np.clip(made, -description.clip, description.clip)


def begin(anchor: str, free: int) -> int:
    """Return the first sample that is taken of a file with `free` more samples than the input."""
    both = {"start": 0, "center": free // 2, "end": free}
    long, _, short = anchor.partition(", ")
    if not short or free >= 0:
        return both[long]
    return {"zeros at the front": free, "zeros on both sides": free // 2, "zeros at the end": 0}[short]


def length_of(frames: Frames, count: int) -> int:
    """Return the samples that `count` frames are made of."""
    return count * frames.hop if frames.center != "no" else frames.window + (count - 1) * frames.hop


def spectra(source: Source, description: Description, count: int, rows: Array | None = None) -> Array:
    """Return the magnitudes (frames, frequencies) of all frames or of some rows."""
    spectrum = description.spectrum
    assert spectrum is not None
    signal = waveform(source, description, description.samples or length_of(spectrum.frames, count))
    return magnitudes(signal, spectrum.frames, count, rows)


def energies(source: Source, description: Description, spectra: Array) -> Array:
    """Return magnitudes or powers in bands (frames, bands) of magnitudes."""
    spectrum = description.spectrum
    assert spectrum is not None
    values = spectra**2 if spectrum.levels.power == 2 else spectra
    rate = spectrum.nominal or description.rate or source.sound.rate
    return banded(values, spectrum.bands, spectrum.frames.fft, rate)


def made(source: Source, description: Description, shape: tuple[int, ...]) -> Array:
    """Make the input of a file, of the shape of a sample without axes of one."""
    spectrum = description.spectrum
    if spectrum is None:
        return waveform(source, description, shape[0])
    count = shape[1] if spectrum.first else shape[0]
    inner = energies(source, description, spectra(source, description, count))
    values = normalized(leveled(inner, spectrum.levels), spectrum.normal)
    return values.T if spectrum.first else values


def normalized(values: Array, normal: str) -> Array:
    """Make what NORMALS says equal for a spectrogram (frames, bands)."""
    if normal == NORMALS[1]:
        return np.asarray((values - values.mean()) / (values.std() or 1.0))
    if normal == NORMALS[2]:
        deviation = values.std(axis=0)
        return np.asarray((values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0))
    if normal == NORMALS[3]:
        return np.asarray((values - values.min()) / (np.ptp(values) or 1.0))
    return np.asarray(values - values.max()) if normal == NORMALS[4] else values


def with_frames(description: Description, **changes: object) -> Description:
    """Change fields of the frames."""
    assert description.spectrum is not None
    frames = replace(description.spectrum.frames, **changes)  # type: ignore[arg-type]
    return replace(description, spectrum=replace(description.spectrum, frames=frames))
