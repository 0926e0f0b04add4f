"""Sounds of a file in Python: decoded, mixed to one channel, resampled."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputsFileError, InstallationError
from ...types import Array

_LOSSY = frozenset({"OGG", "MP3"})


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples of -1 to 1 as float32 (samples, channels), and how many there are in a second."""

    samples: Array
    rate: int

    @property
    def mono(self) -> Array:
        """Return the mean of the channels."""
        return np.asarray(self.samples.mean(axis=1, dtype=np.float32))


def decode(path: Path) -> Sound:
    """Decode a WAV, FLAC, OGG, MP3 or AIFF file.

    Raises:
        InputsFileError: libsndfile cannot decode the file.
        InstallationError: soundfile is not installed.
    """
    library = soundfile()
    try:
        samples, rate = library.read(path, dtype="float32", always_2d=True)
    except (library.LibsndfileError, OSError, RuntimeError) as error:
        reason = str(error).partition(": ")[2] or str(error)
        raise InputsFileError(f"Cannot decode {path}: {reason.rstrip('.')}.") from error
    if not len(samples):
        raise InputsFileError(f"Cannot decode {path}: it has no samples.")
    return Sound(samples, int(rate))


def is_sound(path: Path) -> bool:
    """Tell by the first bytes whether a file is WAV, FLAC, OGG, AIFF or MP3."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[:4] in (b"fLaC", b"OggS", b"RF64") or (head[:4] == b"RIFF" and head[8:] == b"WAVE"):
        return True
    mp3 = len(head) > 2 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2  # the frame of layer III
    return mp3 or head[:3] == b"ID3" or (head[:4] == b"FORM" and head[8:] in (b"AIFF", b"AIFC"))


def is_lossy(path: Path) -> bool:
    """Tell whether a file is an OGG or MP3, which decoders round differently."""
    return str(soundfile().info(path).format) in _LOSSY


def resample(samples: Array, rate: int, wanted: int) -> Array:
    """Resample along the first axis as ``scipy.signal.resample_poly`` does: a Kaiser window of beta 5, float32."""
    if rate == wanted:
        return samples
    both = gcd(rate, wanted)
    made = signal().resample_poly(samples.astype(np.float64), wanted // both, rate // both, axis=0)
    return np.asarray(made, np.float32)


def fitted(samples: Array, count: int) -> Array:
    """Return the first `count` samples, with zeros at the end if there are fewer."""
    made = np.zeros(count, np.float32)
    made[: min(count, len(samples))] = samples[:count]
    return made


def soundfile() -> Any:
    """Return the package soundfile; InstallationError if it is not installed."""
    try:
        import soundfile as library
    except (ImportError, OSError) as error:  # OSError: the package is there, but libsndfile is not
        raise InstallationError(
            "Sounds need soundfile, which is not installed.", 'pip install "pycheck[files]"'
        ) from error
    return library


def signal() -> Any:
    """Return scipy.signal; InstallationError if SciPy is not installed."""
    return _of_scipy("signal")


def sparse() -> Any:
    """Return scipy.sparse; InstallationError if SciPy is not installed."""
    return _of_scipy("sparse")


def _of_scipy(name: str) -> Any:
    try:
        return import_module(f"scipy.{name}")
    except ImportError as error:
        raise InstallationError("Sounds need SciPy, which is not installed.", 'pip install "pycheck[files]"') from error
