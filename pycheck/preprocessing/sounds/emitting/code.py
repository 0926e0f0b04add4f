"""The description of a side of sounds, with its code in both languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ....types import Array, FileMedium, Signature
from ...side_code import Asking, Decoded
from .. import sides
from ..decoding import decode, is_sound, soundfile
from ..sides import Side
from ..words import sentence
from .javascript import decoding_module, javascript
from .python import python

UNDESCRIBED = "its input is no waveform and no spectrogram of the sound that is made in a known way"
#: How the samples of a page are written for Python: as they are, and for code that reads integers only.
_AGAIN = (("FLOAT", "float"), ("PCM_16", "integers"))
_LOSSY = frozenset({"OGG", "MP3"})


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

    def told(self) -> str:
        """Say what the side does."""
        return sentence(self.side.description)

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
        return str(soundfile().info(file).format) in _LOSSY


def reads(file: Path) -> bool:
    """Tell whether a file is a sound."""
    return is_sound(file)


def own_files(files: Sequence[Path], folder: Path) -> list[Path]:
    """Write no files."""
    return []


def code_of_recipe(text: str, signature: Signature, samples: Sequence[Array]) -> SoundCode:
    """Describe a recipe, with the size of the inputs that it makes."""
    return SoundCode(replace(sides.of_recipe(text, signature), size=sides.size_of(np.stack(samples))))


def describe(files: Sequence[Path], samples: Sequence[Array], asking: Asking) -> SoundCode | None:
    """Describe the inputs of sounds."""
    return None
