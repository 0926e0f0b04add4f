"""The steps of a pipeline for sounds as people write them, in NumPy and SciPy; nothing of pycheck is used here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile


@dataclass(frozen=True)
class Steps:
    """A pipeline, step by step; `frames` 0 makes a waveform of `count` samples."""

    count: int = 16000
    rate: int = 16000
    resample: str = "filter"  # filter, linear, skip; none: the samples are those of the file
    channels: str = "mean"  # mean, left, right, sum
    place: str = "start"  # start, center, end, front: what of a long file, and where a short one lies
    shift: int = 0
    loudness: str = "none"  # none, peak, rms
    gain: float = 1.0
    dc: bool = False  # the mean is removed
    clip: float = 0.0
    frames: int = 0
    window: int = 400
    hop: int = 160
    fft: int = 512
    taper: str = "hann"
    center: str = "no"  # no, reflect, zeros
    power: int = 2
    mel: str = "htk"  # htk, slaney, tf; none: all frequencies
    norm: bool = False
    bands: int = 40
    low: float = 0.0
    high: float = 8000.0
    nominal: int = 0  # the rate for which the bands are computed, if it is not that of the samples
    log: str = "ln"  # ln, log10, log2, dB, none
    add: float = 0.0
    floor: float = 0.0
    top: float = 0.0
    scaling: str = "none"  # none, fixed, each, band, range, max
    mean: float = 0.0
    deviation: float = 1.0
    first: bool = False  # frequencies first

    def __call__(self, path: Path) -> np.ndarray:
        samples, rate = _read(path)
        signal = self._one(samples)
        if self.resample != "none":
            signal = _resampled(signal, rate, self.rate, self.resample)
        wave = self._placed(signal)
        if self.dc:
            wave = wave - wave.mean()
        if self.loudness == "peak":
            wave = wave / np.abs(wave).max()
        elif self.loudness == "rms":
            wave = wave / np.sqrt(np.mean(wave**2))
        wave = wave * self.gain
        wave = np.clip(wave, -self.clip, self.clip) if self.clip else wave
        return np.asarray(self._spectrogram(wave) if self.frames else wave, np.float32)

    @property
    def samples(self) -> int:
        if not self.frames:
            return self.count
        return self.frames * self.hop if self.center != "no" else self.window + (self.frames - 1) * self.hop

    def _one(self, samples: np.ndarray) -> np.ndarray:
        last = samples.shape[1] - 1
        return {
            "mean": samples.mean(axis=1), "sum": samples.sum(axis=1), "left": samples[:, 0], "right": samples[:, last],
        }[self.channels]  # fmt: skip

    def _placed(self, signal: np.ndarray) -> np.ndarray:
        free = len(signal) - self.samples
        start = {"start": 0, "center": free // 2, "end": free, "front": min(free, 0)}[self.place] + self.shift
        made = np.zeros(self.samples)
        for n in (np.arange(self.samples),):
            inside = (n + start >= 0) & (n + start < len(signal))
            made[inside] = signal[(n + start)[inside]]
        return made

    def _spectrogram(self, wave: np.ndarray) -> np.ndarray:
        if self.center != "no":
            mode = "reflect" if self.center == "reflect" else "constant"
            wave = np.pad(wave, self.fft // 2, mode=mode)
            wave = wave[(self.fft - self.window) // 2 :]  # a short window stands in the middle of the FFT
        kind, _, symmetric = self.taper.partition(" ")
        weights = scipy.signal.get_window(kind, self.window, fftbins=not symmetric)
        cut = np.stack([wave[k * self.hop : k * self.hop + self.window] * weights for k in range(self.frames)])
        values = np.abs(np.fft.rfft(cut, self.fft)) ** self.power
        if self.mel != "none":
            values = values @ self.triangles()
        values = values[:, : self.bands]
        values = np.maximum(values + self.add, self.floor)
        if self.log != "none":
            scale = {"ln": 1, "log10": 1 / np.log(10), "log2": 1 / np.log(2), "dB": (3 - self.power) * 10 / np.log(10)}
            values = np.log(values) * scale[self.log]
        if self.top:
            values = np.maximum(values, values.max() - self.top)
        values = self._scaled(values)
        return values.T if self.first else values

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        if self.scaling == "each":
            return (values - values.mean()) / values.std()
        if self.scaling == "band":
            return (values - values.mean(axis=0)) / values.std(axis=0)
        if self.scaling == "range":
            return (values - values.min()) / np.ptp(values)
        if self.scaling == "max":
            return values - values.max()
        return (values - self.mean) / self.deviation

    def triangles(self) -> np.ndarray:
        rate = self.nominal or self.rate
        at = np.linspace(0, rate / 2, self.fft // 2 + 1)
        mel, hz = (_slaney, _from_slaney) if self.mel == "slaney" else (_htk, _from_htk)
        edges = np.linspace(mel(self.low), mel(self.high), self.bands + 2)
        made = np.zeros((len(at), self.bands))
        for band in range(self.bands):
            low, middle, high = edges[band : band + 3] if self.mel == "tf" else (hz(e) for e in edges[band : band + 3])
            for k, frequency in enumerate(at):
                x = mel(frequency) if self.mel == "tf" else frequency
                if low < x < high and not (self.mel == "tf" and k == 0):
                    made[k, band] = (x - low) / (middle - low) if x <= middle else (high - x) / (high - middle)
            if self.norm:
                made[:, band] *= 2 / (hz(edges[band + 2]) - hz(edges[band]))
        return made


@lru_cache(64)
def _read(path: Path) -> tuple[np.ndarray, int]:
    samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    return samples, rate


def _resampled(signal: np.ndarray, rate: int, wanted: int, how: str) -> np.ndarray:
    if rate == wanted:
        return signal
    if how == "filter":
        both = gcd(rate, wanted)
        return np.asarray(scipy.signal.resample_poly(signal, wanted // both, rate // both))
    at = np.arange(int(len(signal) * wanted / rate)) * rate / wanted
    return np.interp(at, np.arange(len(signal)), signal) if how == "linear" else signal[np.floor(at).astype(int)]


def _htk(hz: float) -> float:
    return float(2595 * np.log10(1 + hz / 700))


def _from_htk(mel: float) -> float:
    return float(700 * (10 ** (mel / 2595) - 1))


def _slaney(hz: float) -> float:
    return hz * 3 / 200 if hz < 1000 else float(15 + 27 * np.log(hz / 1000) / np.log(6.4))


def _from_slaney(mel: float) -> float:
    return mel * 200 / 3 if mel < 15 else float(1000 * np.exp((mel - 15) * np.log(6.4) / 27))
