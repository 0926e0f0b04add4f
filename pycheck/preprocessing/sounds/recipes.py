"""The known ways to make an input of a sound, by name and parameters: how Python does it.

``waveform(rate=16000)`` gives samples of -1 to 1: the mean of the channels, resampled, the first ones that the model
takes, with zeros at the end of a short file. ``log-mel(...)`` and ``spectrogram(...)`` go on to a spectrogram of that,
and ``yamnet``, ``whisper``, ``librosa`` and ``speech-commands`` are names for common parameters, which can be changed:
``whisper(mels=128)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UsageError
from ...types import Array, Signature, TensorSpec
from ..calls import Call
from .decoding import decode, fitted, resample
from .spectra import CENTERS, LOGS, NORMS, SCALES, TAPERS, Bands, Frames, Levels, banded, leveled, magnitudes

#: The parameters of a spectrogram with their defaults, which `log-mel` has. None: what the model or another one says.
LOG_MEL: Mapping[str, Any] = {
    "rate": 16000, "window": 400, "hop": 160, "fft": None, "taper": "hann", "center": "no", "samples": None,
    "mels": None, "scale": "tf", "norm": "none", "fmin": 0.0, "fmax": None,
    "power": 2, "log": "e", "add": 1e-6, "floor": 0.0, "top": None, "mean": 0.0, "deviation": 1.0,
}  # fmt: skip
_TEXTS = {"taper": TAPERS, "center": CENTERS, "scale": SCALES[1:], "norm": NORMS, "log": tuple(LOGS)}
_COUNTS = ("rate", "window", "hop", "fft", "samples", "mels", "power")

#: Recipes by name, as changes of LOG_MEL. Sources: tensorflow/models, yamnet/params.py; openai/whisper, audio.py;
#: librosa, feature.melspectrogram and power_to_db; TensorFlow's tutorial "Simple audio recognition".
SPECTROGRAMS: Mapping[str, Mapping[str, Any]] = {
    "log-mel": {},
    "spectrogram": {"scale": "linear", "power": 1, "log": "none", "add": 0.0},
    "yamnet": {"fft": 512, "mels": 64, "fmin": 125.0, "fmax": 7500.0, "power": 1, "add": 0.001},
    "whisper": {
        "fft": 400, "center": "reflect", "mels": 80, "scale": "slaney", "norm": "slaney", "log": "10", "add": 0.0,
        "floor": 1e-10, "top": 8.0, "mean": -4.0, "deviation": 4.0,
    },
    "librosa": {
        "rate": 22050, "window": 2048, "hop": 512, "center": "zeros", "mels": 128, "scale": "slaney", "norm": "slaney",
        "log": "db", "add": 0.0, "floor": 1e-10, "top": 80.0,
    },
    "speech-commands": {
        "window": 255, "hop": 128, "scale": "linear", "power": 1, "log": "none", "add": 0.0, "samples": 16000
    },
}  # fmt: skip
NAMES = ("waveform", *SPECTROGRAMS)


@dataclass(frozen=True, slots=True)
class Waveform:
    """`count` samples at a rate, in the shape of a sample."""

    rate: int
    count: int
    shape: tuple[int, ...]

    def __call__(self, path: Path) -> Array:
        """Make the input of a file."""
        return self.signal(path).reshape(self.shape)

    def signal(self, path: Path) -> Array:
        """Return the samples of a file."""
        sound = decode(path)
        return fitted(resample(sound.mono, sound.rate, self.rate), self.count)


@dataclass(frozen=True, slots=True)
class Spectrogram:
    """`count` frames of a waveform; `shape` is that of a sample, in which the frequencies may come first."""

    waveform: Waveform
    frames: Frames
    bands: Bands
    levels: Levels
    count: int
    shape: tuple[int, ...]
    frequencies_first: bool = False

    def __call__(self, path: Path) -> Array:
        """Make the input of a file."""
        return self.of(self.waveform.signal(path))

    def of(self, signal: Array) -> Array:
        """Make the input of a waveform."""
        spectrum = magnitudes(signal, self.frames, self.count)
        spectrum = spectrum**2 if self.levels.power == 2 else spectrum
        energies = banded(spectrum, self.bands, self.frames.fft, self.waveform.rate)
        values = leveled(energies, self.levels).astype(np.float32)
        return (values.T if self.frequencies_first else values).reshape(self.shape)


def is_recipe(text: str) -> bool:
    """Tell whether a text names a recipe for sounds."""
    call = Call.of(text)
    return call is not None and call.name in NAMES


def recipe(text: str, signature: Signature) -> Callable[[Path], Array]:
    """Return the function of a recipe for a model with one input; UsageError for another model or wrong parameters."""
    return made_for(text, signature)


def made_for(text: str, signature: Signature) -> Waveform | Spectrogram:
    """Return a recipe with everything that the model decides."""
    call = Call.of(text)
    assert call is not None
    spec = _one_input(text, signature)
    sizes = [size for size in spec.shape[1:] if size != 1]
    wanted = 1 if call.name == "waveform" else 2
    if len(sizes) != wanted:
        form = "samples" if wanted == 1 else "frames and frequencies"
        raise UsageError(
            f"--preprocess {text} makes {form}, but {spec.name} has the shape {list(spec.shape)}.",
            "Write a function: --preprocess FILE.py:FUNCTION.",
        )
    if None in sizes:
        raise UsageError(
            f"--preprocess {text} needs the size of the input, which {spec.name} leaves free: {list(spec.shape)}.",
            "Write a function: --preprocess FILE.py:FUNCTION.",
        )
    known: dict[str, Any] = {"rate": 16000} if call.name == "waveform" else {**LOG_MEL, **SPECTROGRAMS[call.name]}
    settings = known | {key: _value(call, key, value) for key, value in call.settings(known).items()}
    shape = tuple(size or 1 for size in spec.shape[1:])
    if call.name == "waveform":
        return Waveform(int(settings["rate"]), int(sizes[0] or 0), shape)
    return _spectrogram(text, settings, (int(sizes[0] or 0), int(sizes[1] or 0)), shape)


def made_for_size(text: str, sizes: tuple[int, int]) -> Spectrogram | None:
    """Return a known spectrogram of frames and frequencies; None if frequencies of the FFT have another number."""
    settings = {**LOG_MEL, **SPECTROGRAMS[text]}
    if settings["scale"] != "linear":
        settings["mels"] = sizes[1]
    try:
        return _spectrogram(text, settings, sizes, sizes)
    except UsageError:
        return None


def _spectrogram(text: str, settings: Mapping[str, Any], sizes: tuple[int, int], shape: tuple[int, ...]) -> Spectrogram:
    rate, window, hop = (int(settings[key]) for key in ("rate", "window", "hop"))
    fft = int(settings["fft"] or 2 ** int(np.ceil(np.log2(window))))
    if window > fft:
        raise UsageError(f"{text}: a window of {window} samples is longer than the FFT of {fft}.", "Give a longer fft.")
    frames = Frames(window, hop, fft, settings["taper"], settings["center"])
    is_linear = settings["scale"] == "linear"
    mels = fft // 2 + 1 if is_linear else int(settings["mels"] or sizes[1])
    if mels not in sizes or (is_linear and settings["mels"]):
        raise UsageError(
            f"{text} gives {mels} frequencies, but the model takes {sizes[0]} by {sizes[1]}.",
            "Give another fft." if is_linear else f"Write mels={sizes[1]}, or mels={sizes[0]} for frequencies first.",
        )
    first = sizes[1] != mels
    count = sizes[1] if first else sizes[0]
    whole = count * hop if frames.center != "no" else window + (count - 1) * hop
    bands = Bands(mels, settings["scale"], settings["norm"], settings["fmin"], settings["fmax"] or rate / 2)
    levels = Levels(**{key: settings[key] for key in ("power", "log", "add", "floor", "top", "mean", "deviation")})
    samples = int(settings["samples"] or whole)
    return Spectrogram(Waveform(rate, samples, (samples,)), frames, bands, levels, count, shape, first)


def _one_input(text: str, signature: Signature) -> TensorSpec:
    if len(signature.inputs) == 1:
        return signature.inputs[0]
    raise UsageError(
        f"--preprocess {text} makes one input, but the model takes "
        f"{', '.join(f'{spec.name} {list(spec.shape)}' for spec in signature.inputs) or 'no input'}.",
        "Write a function: --preprocess FILE.py:FUNCTION.",
    )


def _value(call: Call, key: str, text: str) -> Any:
    """Read the value of a parameter."""
    if key in _TEXTS:
        if text in _TEXTS[key]:
            return text
        expected = ", ".join(_TEXTS[key])
    else:
        try:
            value = int(text) if key in _COUNTS else float(text)
        except ValueError:
            value = -1
        least = -np.inf if key == "mean" else 0 if key in ("fmin", "add", "floor") else 1e-300
        if value >= least and (key != "power" or value in (1, 2)) and np.isfinite(value):
            return value
        expected = "1 or 2" if key == "power" else "a whole number" if key in _COUNTS else "a number"
    raise UsageError(f"{call.name}: {key}={text} is not valid.", f"Give {key} one of: {expected}.")
