"""The steps from a signal to a spectrogram, as TensorFlow, librosa and torchaudio have them, in NumPy.

A frame is weighted by a window, and the rest of its FFT is zeros. The magnitude or power of each frequency is summed
over triangles on a mel scale. The logarithm of that has a base, and something that keeps it from minus infinity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ...types import Array
from .decoding import sparse

#: Windows; periodic ones, unless it is said.
TAPERS = (
    "hann", "hann, symmetric", "hamming", "hamming, symmetric", "blackman", "rectangular", "bartlett", "sine",
)  # fmt: skip
#: What is before the first sample when a frame is centered on it: there is none, the mirrored signal, or zeros.
CENTERS = ("no", "reflect", "zeros")
#: tf: the formula of HTK, with triangles that are straight over mel (tf.signal.linear_to_mel_weight_matrix). htk: the
#: same formula, with triangles that are straight over Hz (librosa with htk=True, torchaudio). slaney: as librosa.
SCALES = ("linear", "tf", "htk", "slaney")
NORMS = ("none", "slaney")
#: What one step of the natural logarithm of a power is: dB are 10 log10(power), or 20 log10(magnitude).
LOGS = {"none": 1.0, "e": 1.0, "10": 1 / np.log(10), "2": 1 / np.log(2), "db": 10 / np.log(10)}


@dataclass(frozen=True, slots=True)
class Frames:
    """How a signal is cut: `window` samples each, `hop` samples apart, an FFT of `fft` samples."""

    window: int = 400
    hop: int = 160
    fft: int = 512
    taper: str = TAPERS[0]
    center: str = CENTERS[0]

    @property
    def start(self) -> int:
        """Return where the first frame begins, in samples."""
        return 0 if self.center == "no" else -(self.fft // 2) + (self.fft - self.window) // 2


@dataclass(frozen=True, slots=True)
class Bands:
    """Triangles on a scale: `count` from `fmin` to `fmax` Hz; the scale "linear" keeps the frequencies of the FFT."""

    count: int = 64
    scale: str = SCALES[1]
    norm: str = NORMS[0]
    fmin: float = 0.0
    fmax: float = 8000.0


@dataclass(frozen=True, slots=True)
class Levels:
    """How magnitudes become values: ``log(max(magnitude ** power + add, floor))``, at least the maximum minus `top`.

    Then `mean` is subtracted, and the rest is divided by `deviation`.
    """

    power: int = 2
    log: str = "e"
    add: float = 0.0
    floor: float = 0.0
    top: float | None = None
    mean: float = 0.0
    deviation: float = 1.0


def magnitudes(signal: Array, frames: Frames, count: int, rows: Array | None = None) -> Array:
    """Return the magnitudes of `count` frames, or of some `rows` of them: float64 (frames, fft // 2 + 1)."""
    padded = _padded(signal, frames, count)
    rows = np.arange(count) if rows is None else rows
    cut = np.lib.stride_tricks.sliding_window_view(padded, frames.window)[rows * frames.hop]
    return np.asarray(np.abs(np.fft.rfft(cut * taper(frames.taper, frames.window), frames.fft)))


def banded(values: Array, bands: Bands, fft: int, rate: float) -> Array:
    """Sum magnitudes or powers (frames, frequencies) over the triangles: (frames, bands)."""
    if bands.scale == "linear":
        return values[:, : bands.count]
    return np.asarray((_weights(bands, fft, rate) @ values.T).T)


def leveled(energies: Array, levels: Levels) -> Array:
    """Turn what `banded` returns into the values of a model."""
    made = np.maximum(energies + levels.add, levels.floor)
    if levels.log != "none":
        step = LOGS[levels.log] * (2 if levels.log == "db" and levels.power == 1 else 1)
        with np.errstate(divide="ignore"):
            made = step * np.log(made)
    if levels.top is not None:
        made = np.maximum(made, made.max() - levels.top)
    return np.asarray((made - levels.mean) / levels.deviation)


@lru_cache(256)
def _weights(bands: Bands, fft: int, rate: float) -> Any:
    """Return the weights of the triangles, a sparse matrix (bands, fft // 2 + 1): most are zero.

    A frequency between two edges is in two triangles: it rises to the upper edge in one, and falls from the lower edge
    in the one before.
    """
    to_mel, to_hz = _FORMULAS["slaney" if bands.scale == "slaney" else "htk"]
    columns = np.arange(bands.scale == "tf", fft // 2 + 1)  # TensorFlow leaves the constant part out
    at = columns * (rate / fft)
    edges = np.linspace(to_mel(np.array(bands.fmin)), to_mel(np.array(bands.fmax)), bands.count + 2)
    in_hz = to_hz(edges)
    if bands.scale == "tf":
        at = to_mel(at)
    else:
        edges = in_hz
    below = np.searchsorted(edges, at, "right") - 1
    inside = (below >= 0) & (below <= bands.count)
    columns, at, below = columns[inside], at[inside], below[inside]
    low, high = edges[below], edges[below + 1]
    rises, falls = below < bands.count, below > 0
    rows = np.concatenate([below[rises], below[falls] - 1])
    values = np.concatenate([((at - low) / (high - low))[rises], ((high - at) / (high - low))[falls]])
    if bands.norm == "slaney":
        values = values * (2 / (in_hz[2:] - in_hz[:-2]))[rows]
    columns = np.concatenate([columns[rises], columns[falls]])
    return sparse().csr_array((values, (rows, columns)), shape=(bands.count, fft // 2 + 1))


@lru_cache(256)
def taper(name: str, length: int) -> Array:
    """Return the weights of a window of TAPERS."""
    kind, _, symmetric = name.partition(", ")
    turn = 2 * np.pi * np.arange(length) / max(length - bool(symmetric), 1)
    if kind == "rectangular":
        return np.ones(length)
    if kind == "bartlett":
        return np.asarray(1 - np.abs(turn / np.pi - 1))
    if kind == "sine":
        return np.asarray(np.sin((np.arange(length) + 0.5) * np.pi / length))
    a = {"hann": (0.5, 0.5, 0.0), "hamming": (0.54, 0.46, 0.0), "blackman": (0.42, 0.5, 0.08)}[kind]
    return np.asarray(a[0] - a[1] * np.cos(turn) + a[2] * np.cos(2 * turn))


def _padded(signal: Array, frames: Frames, count: int) -> Array:
    """Return the signal from the start of the first frame to the end of the last; what is beyond it is zeros."""
    signal = np.asarray(signal, np.float64)
    before = -frames.start
    length = frames.window + (count - 1) * frames.hop
    if frames.center == "reflect" and len(signal) > frames.fft // 2 + 1:
        signal = np.pad(signal, frames.fft // 2, mode="reflect")[frames.fft // 2 - before :]
    elif before:
        signal = np.pad(signal, (before, 0))
    return signal[:length] if len(signal) >= length else np.pad(signal, (0, length - len(signal)))


def _mel_htk(hz: Array) -> Array:
    return np.asarray(1127 * np.log1p(hz / 700))


def _hz_htk(mel: Array) -> Array:
    return np.asarray(700 * np.expm1(mel / 1127))


#: Slaney's scale is straight up to 1000 Hz, and logarithmic above: 27 bands for a factor of 6.4.
_STEP, _BREAK, _LOG_STEP = 200 / 3, 1000.0, np.log(6.4) / 27


def _mel_slaney(hz: Array) -> Array:
    upper = _BREAK / _STEP + np.log(np.maximum(hz, _BREAK) / _BREAK) / _LOG_STEP
    return np.where(hz < _BREAK, hz / _STEP, upper)


def _hz_slaney(mel: Array) -> Array:
    upper = _BREAK * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK / _STEP) - _BREAK / _STEP))
    return np.where(mel < _BREAK / _STEP, mel * _STEP, upper)


_FORMULAS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "htk": (_mel_htk, _hz_htk),
    "slaney": (_mel_slaney, _hz_slaney),
}
