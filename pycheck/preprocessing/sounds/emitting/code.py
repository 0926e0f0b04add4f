"""The description of a side of sounds, with its code in both languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ....types import Array, FileMedium, Signature
from ...side_code import Asking, Decoded
from .. import sides
from ..decoding import decode, is_lossy, is_sound, resample, soundfile
from ..sides import Side
from ..words import sentence
from .javascript import decoding_module, javascript
from .python import python

UNDESCRIBED = "its input is no waveform and no spectrogram of the sound that is made in a known way"
#: How the samples of a page are written for Python: as they are, and for code that reads integers only.
_AGAIN = (("FLOAT", "float"), ("PCM_16", "integers"))
_OTHERWISE = "files of another sample rate are resampled in a way that has no description"


@dataclass(frozen=True, slots=True)
class SoundCode:
    """A side of sounds; a step is the RMS of waveforms, or the deviation of spectrograms."""

    side: Side

    @property
    def medium(self) -> FileMedium:
        """Return that the files are sounds."""
        return "sound"

    @property
    def error(self) -> float:
        """Return the RMS error of the description as a share of the size of the input."""
        return self.side.error

    @property
    def step(self) -> float:
        """Return the size of the input."""
        return self.side.size

    @property
    def visible(self) -> float:
        """Return 2 % of the size of the input."""
        return 0.02

    def told(self) -> str:
        """Say what the side does."""
        told = sentence(self.side.description)
        return f"{told}; {_OTHERWISE}" if self.side.resamples_otherwise else told

    def javascript(self, origin: str) -> str:
        """Return the module of the page."""
        return javascript(self.side, origin)

    def python(self, origin: str) -> str:
        """Return the module of Python."""
        return python(self.side, origin)

    def decoding_module(self, count: int) -> str:
        """Return a module that gives the samples that a page decodes."""
        return decoding_module(count)

    def decoded(self, made: Array, file: Path, again: Path) -> Decoded:
        """Compare samples (samples, channels) of a page with those of soundfile; what one side lacks is zeros."""
        sound = decode(file)
        if made.shape[1] != sound.samples.shape[1]:
            return Decoded(np.inf, np.inf)
        count = max(len(made), len(sound.samples))
        page, python = (np.pad(each, ((0, count - len(each)), (0, 0))) for each in (made, sound.samples))
        error = np.abs(page.astype(np.float64) - python)
        rms, largest = float(np.sqrt(np.mean(np.square(error)))), float(error.max(initial=0.0))
        if not largest:
            return Decoded(rms, largest)
        paths = []
        for form, name in _AGAIN:
            paths.append(again.with_name(f"{again.name} {name}.wav"))
            soundfile().write(paths[-1], made, sound.rate, subtype=form)
        return Decoded(rms, largest, tuple(paths))

    def is_lossy(self, file: Path) -> bool:
        """Tell whether a file is an OGG or MP3."""
        return is_lossy(file)


def reads(file: Path) -> bool:
    """Tell whether a file is a sound."""
    return is_sound(file)


def own_files(files: Sequence[Path], folder: Path) -> list[Path]:
    """Write variants of the first sound: two channels, another rate, a short and a long one, and silence."""
    first = next((file for file in files if reads(file)), None)
    if first is None:
        return []
    sound = decode(first)
    mono, rate = sound.mono, sound.rate
    other = 44100 if rate != 44100 else 16000
    # Parts of different loudness, so that it is seen which part is taken.
    long = np.concatenate([mono * gain for gain in (1.0, 0.4, 0.7, 0.2)])
    variants = {
        "stereo": (np.stack([mono, 0.6 * mono[::-1]], axis=1), rate),
        "other rate": (resample(mono, rate, other), other),
        "short": (mono[: max(1, len(mono) // 4)], rate),
        "long": (long, rate),
        "silence": (np.zeros_like(mono), rate),
    }
    for name, (samples, samples_per_second) in variants.items():
        soundfile().write(folder / f"{name}.wav", samples, samples_per_second, subtype="PCM_16")
    return [folder / f"{name}.wav" for name in variants]


def code_of_recipe(text: str, signature: Signature, samples: Sequence[Array]) -> SoundCode:
    """Describe a recipe, with the size of the inputs that it makes."""
    return SoundCode(replace(sides.of_recipe(text, signature), size=sides.size_of(sides.squeezed(np.stack(samples)))))


def describe(files: Sequence[Path], samples: Sequence[Array], asking: Asking) -> SoundCode | None:
    """Describe the inputs of sounds."""
    side = sides.describe(files, np.stack(samples))
    return None if side is None else SoundCode(side)
