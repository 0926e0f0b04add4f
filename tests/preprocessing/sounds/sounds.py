"""Sound files of the kinds that people have: speech-like, music-like, noise, silence before and after, two channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from pycheck.types import Array


def voice(rate: int, seconds: float, seed: int) -> Array:
    """A pulse train with a moving pitch through moving resonances, in syllables, with hiss between: (samples,)."""
    rng = np.random.default_rng(seed)
    count = int(rate * seconds)
    t = np.arange(count) / rate
    pitch = rng.uniform(90, 220) * (1 + 0.15 * np.sin(2 * np.pi * rng.uniform(0.5, 2) * t + rng.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    made = np.zeros(count)
    for harmonic in range(1, int(0.45 * rate / pitch.max())):
        frequency = harmonic * pitch
        gain = sum(
            np.exp(-(((frequency - center * (1 + 0.2 * np.sin(3 * t + k))) / width) ** 2))
            for k, (center, width) in enumerate(((500, 150), (1500, 250), (2600, 300), (3800, 500)))
        )
        made += (gain + 0.02) * np.sin(harmonic * phase) / harmonic**0.5
    syllables = np.clip(np.sin(2 * np.pi * rng.uniform(2, 4) * t + rng.uniform(0, 6)) + 0.4, 0, 1)
    hiss = rng.normal(size=count) * 0.15 * (1 - syllables) ** 2
    return _loud(made * syllables + hiss + 0.004 * rng.normal(size=count), rng.uniform(0.4, 0.9))


def strings(rate: int, seconds: float, seed: int) -> Array:
    """Plucked strings with decaying harmonics: (samples,)."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(rate * seconds)) / rate
    made = np.zeros(len(t))
    for _ in range(int(4 * seconds) + 2):
        start, pitch = rng.uniform(0, seconds * 0.9), 110 * 2 ** (rng.integers(0, 36) / 12)
        after = np.maximum(t - start, 0)
        for harmonic in range(1, 20):
            if harmonic * pitch < 0.45 * rate:
                fall = np.exp(-after * (2 + harmonic))
                made += (t >= start) * fall * np.sin(2 * np.pi * harmonic * pitch * after) / harmonic
    return _loud(made + 0.001 * rng.normal(size=len(t)), rng.uniform(0.3, 0.95))


def noise(rate: int, seconds: float, seed: int) -> Array:
    """Noise in bursts, with less of the high frequencies: (samples,)."""
    rng = np.random.default_rng(seed)
    count = int(rate * seconds)
    spectrum = np.fft.rfft(rng.normal(size=count)) / np.sqrt(1 + np.arange(count // 2 + 1) / count * rate / 300)
    bursts = np.abs(np.sin(np.arange(count) / rate * rng.uniform(3, 9))) ** rng.uniform(1, 6) + 0.03
    return _loud(np.fft.irfft(spectrum, count) * bursts, rng.uniform(0.3, 0.9))


def write_sounds(folder: Path, seed: int = 0) -> list[Path]:
    """Write eight files of 0.7 to 1.6 seconds: WAV, FLAC, OGG and MP3, at several rates, with one or two channels."""
    folder.mkdir(parents=True, exist_ok=True)

    def write(name: str, rate: int, channels: list[Array], **form: str) -> None:
        # A microphone's zero is not quite zero.
        samples = np.stack(channels, axis=1) + 0.004
        soundfile.write(folder / name, np.clip(samples, -1, 0.999).astype(np.float32), rate, **form)

    k = 100 * seed
    write("a_voice.wav", 16000, [voice(16000, 1.3, k + 1)], subtype="PCM_16")
    music = strings(44100, 1.4, k + 2)
    write("b_music.wav", 44100, [music, 0.5 * music + 0.5 * strings(44100, 1.4, k + 3)], subtype="PCM_24")
    write("c_noise.flac", 22050, [noise(22050, 0.7, k + 4)])
    write("d_voice.ogg", 48000, [voice(48000, 1.1, k + 5), voice(48000, 1.1, k + 6)], format="OGG", subtype="VORBIS")
    write("e_music.mp3", 44100, [strings(44100, 1.6, k + 7)], format="MP3")
    write("f_voice.wav", 8000, [voice(8000, 1.0, k + 8)], subtype="FLOAT")
    write("g_noise.wav", 48000, [noise(48000, 1.2, k + 9), noise(48000, 1.2, k + 10)], subtype="PCM_16")
    write("h_short.flac", 44100, [voice(44100, 0.8, k + 11), 0.3 * voice(44100, 0.8, k + 12)])
    return sorted(folder.iterdir())


def _loud(samples: Array, peak: float) -> Array:
    return np.asarray(samples / np.abs(samples).max() * peak)
