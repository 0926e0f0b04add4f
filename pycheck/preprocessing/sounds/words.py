"""Says in a short clause how a side makes its inputs of a sound, for each kind of difference."""

from __future__ import annotations

from collections.abc import Callable

from .description import LOUDNESSES, METHODS, NORMALS, Description
from .parts import spectrum_of

_LOGS = {"none": "no logarithm", "e": "natural logarithm", "10": "log10", "2": "log2", "db": "decibels"}
_CENTERS = {
    "no": "the first frame begins at the first sample",
    "reflect": "frames are centered, with the signal mirrored at its ends",
    "zeros": "frames are centered, with zeros at the ends",
}
_ANCHORS = {
    "start": "from the first sample, zeros at the end",
    "center": "the middle of the file, zeros on both sides",
    "end": "up to the last sample, zeros at the front",
    "start, zeros at the front": "from the first sample, zeros at the front of a short file",
    "start, zeros on both sides": "from the first sample, zeros on both sides of a short file",
    "center, zeros at the end": "the middle of the file, zeros at the end of a short file",
}
_ARTICLES = {"peak of 1": "a", "RMS of 1": "an"}
_SCALES = {"linear": "no mel scale", "tf": "HTK scale of TensorFlow", "htk": "HTK scale", "slaney": "Slaney scale"}


def words(code: str, python: Description, page: Description) -> tuple[str, str]:
    """Return the clauses for Python and for the page."""
    say = _WORDS[code]
    return say(python), say(page)


def _rate(side: Description) -> str:
    return f"{side.rate} samples a second" if side.rate else "the rate of each file"


def _method(side: Description) -> str:
    return f"{side.method} resampling" if side.method in METHODS else f"the resampler of {side.method}"


def _position(side: Description) -> str:
    if not side.shift:
        return _ANCHORS[side.anchor]
    size = abs(side.shift)
    way = "later" if side.shift > 0 else "earlier"
    if side.anchor == "start":
        return f"from sample {side.shift}" if side.shift > 0 else f"{size} zeros before the first sample"
    return f"{_ANCHORS[side.anchor]}, {size} samples {way}"


def _scale(side: Description) -> str:
    said = []
    if side.loudness != LOUDNESSES[0]:
        size = f" times {number(side.gain)}" if abs(side.gain - 1) > 1e-3 else ""
        said.append(f"each file scaled to {_ARTICLES[side.loudness]} {side.loudness}{size}")
    elif side.gain in (32768.0, 32767.0):
        said.append("integers of 16 bits, -32768 to 32767")
    elif abs(side.gain - 1) > 1e-6:
        said.append(f"-1 to 1 times {number(side.gain)}")
    if side.without_mean:
        said.append("mean of each file subtracted")
    if side.clip is not None:
        said.append(f"clipped at {number(side.clip)}")
    return ", ".join(said) or "-1 to 1, as decoded"


def _window(side: Description) -> str:
    frames = spectrum_of(side).frames
    return f"{frames.taper.capitalize()} window of {frames.window} samples, FFT of {frames.fft}"


def _frames(side: Description) -> str:
    frames = spectrum_of(side).frames
    return f"a frame every {frames.hop} samples, {_CENTERS[frames.center]}"


def _mel(side: Description) -> str:
    spectrum = spectrum_of(side)
    bands = spectrum.bands
    norm = ", each band divided by its width" if bands.norm == "slaney" else ""
    made = f"{_SCALES[bands.scale]}, {number(bands.fmin)} to {number(bands.fmax)} Hz{norm}"
    if spectrum.nominal is not None and spectrum.nominal != side.rate:
        made += f", computed for {spectrum.nominal} samples a second"
    return made


def _log(side: Description) -> str:
    levels = spectrum_of(side).levels
    of = "magnitude" if levels.power == 1 else "power"
    if levels.log == "none":
        return f"{of}, no logarithm"
    inner = f"{of} + {number(levels.add)}" if levels.add else of
    inner = f"{inner}, at least {number(levels.floor)}" if levels.floor else inner
    top = f", at most {number(levels.top)} below the largest value" if levels.top is not None else ""
    return f"{_LOGS[levels.log]} of {inner}{top}"


def _levels(side: Description) -> str:
    spectrum = spectrum_of(side)
    if spectrum.normal != NORMALS[0]:
        return f"each spectrogram scaled to {spectrum.normal}"
    mean, deviation = spectrum.levels.mean, spectrum.levels.deviation
    if not mean and deviation == 1:
        return "not scaled"
    minus = f"minus {number(mean)}" if mean > 0 else f"plus {number(-mean)}" if mean else ""
    return ", ".join(filter(None, (minus, f"divided by {number(deviation)}" if deviation != 1 else "")))


def number(value: float) -> str:
    """Return a number with the digits that people write."""
    return f"{int(value)}" if value == int(value) and abs(value) < 1e6 else f"{value:.4g}"


_WORDS: dict[str, Callable[[Description], str]] = {
    "axes-transposed": lambda side: "frequencies first" if spectrum_of(side).first else "time first",
    "sample-rate-differs": _rate,
    "resampler-differs": _method,
    "audio-channels-differ": lambda side: side.mix,
    "audio-position-differs": _position,
    "audio-scale": _scale,
    "window-differs": _window,
    "frames-differ": _frames,
    "mel-differs": _mel,
    "log-differs": _log,
    "spectrogram-scale": _levels,
}


def position(side: Description) -> str:
    """Say which samples of a file are taken."""
    return _position(side)


def sentence(side: Description) -> str:
    """Describe a side in one line."""
    said = [_rate(side)]
    said += [_method(side)] if side.rate else []
    said += [side.mix, _position(side), _scale(side)]
    if side.spectrum is not None:
        said += [_window(side), _frames(side), _mel(side), _log(side)]
        said += [_levels(side)] if _levels(side) != "not scaled" else []
        said += ["frequencies first"] if side.spectrum.first else []
    return "; ".join(said)
