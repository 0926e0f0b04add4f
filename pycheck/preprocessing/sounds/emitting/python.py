"""Writes a description as a Python module that makes the same input, with NumPy, SciPy and soundfile."""

from __future__ import annotations

from collections.abc import Iterator

from ...lines import wrapped
from ..description import ANCHORS, LOUDNESSES, METHODS, NORMALS, Description, Spectrum
from ..sides import Side
from ..spectra import Frames, Levels
from ..words import position, sentence
from . import python_parts as parts
from .values import number


def python(side: Side, origin: str) -> str:
    """Return the module whose function `load` takes the path of a file; `origin` names the code that it is like."""
    description = side.description
    filters = bool(description.rate) and description.method == METHODS[0]
    lines = [
        *wrapped(f'"""Makes of a sound the input that {origin} makes of it.'),
        "",
        *wrapped(f"{sentence(description)}."),
        "Written and checked by pycheck preprocess --emit python.",
        '"""',
        "",
        *(["from math import gcd", ""] if filters else []),
        "import numpy as np",
        "import soundfile",
        *(["from scipy.signal import resample_poly"] if filters else []),
        "",
        *_constants(side),
        "",
        "",
        *_body(side),
    ]
    functions = [function.rstrip("\n") for function in _functions(side)]
    return "\n".join(lines) + "\n\n\n" + "\n\n\n".join(functions) + "\n"


def _constants(side: Side) -> Iterator[str]:
    description = side.description
    if description.rate:
        yield f"RATE = {description.rate}  # samples per second"
    yield f"SAMPLES = {side.samples}"
    if (spectrum := description.spectrum) is None:
        return
    frames, bands = spectrum.frames, spectrum.bands
    yield f"FRAMES, BANDS = {side.frames}, {bands.count}"
    yield f"WINDOW, HOP, FFT = {frames.window}, {frames.hop}, {frames.fft}  # in samples"
    if bands.scale != "linear":
        yield f"FMIN, FMAX = {number(bands.fmin)}, {number(bands.fmax)}  # Hz"


def _body(side: Side) -> Iterator[str]:
    description = side.description
    yield "def load(path):"
    yield f'    """Return the input of one sound: float32 {list(side.shape)}."""'
    yield "    samples, rate = soundfile.read(path, always_2d=True)"
    signal = parts.MIXED[description.mix]
    if description.rate:
        signal = f"resampled({signal}, rate, RATE)"
    yield f"    signal = placed({signal})"
    yield from (f"    {line}" for line in _changes(description))
    made = "signal"
    if description.spectrum is not None:
        made = "spectrogram(signal, rate)" if side.has_bands_of_file else "spectrogram(signal)"
    yield f"    return np.asarray({made}, np.float32).reshape({side.shape})"


def _changes(description: Description) -> Iterator[str]:
    if description.without_mean:
        yield "signal = signal - signal.mean()"
    if description.loudness == LOUDNESSES[1]:
        yield "signal = signal / (np.abs(signal).max() or 1.0)"
    elif description.loudness == LOUDNESSES[2]:
        yield "signal = signal / (np.sqrt(np.mean(signal**2)) or 1.0)"
    if description.gain != 1:
        yield f"signal = signal * {number(description.gain)}"
    if description.clip is not None:
        clip = number(description.clip)
        yield f"signal = np.clip(signal, -{clip}, {clip})"


def _functions(side: Side) -> Iterator[str]:
    description = side.description
    if description.rate:
        yield parts.RESAMPLED[description.method]
    yield _placed(description)
    if description.spectrum is not None:
        yield from _spectrum_functions(side, description.spectrum)


def _placed(description: Description) -> str:
    start = parts.STARTS[description.anchor]
    if start == "0" and not description.shift:
        return parts.PLACED.format(remark=position(description), lines=parts.PLACED_PLAIN)
    if description.shift:
        sign = "+" if description.shift > 0 else "-"
        size = abs(description.shift)
        start = f"{start} {sign} {size}" if start != "0" else f"{description.shift}"
    free = "" if description.anchor == ANCHORS[0] else "    free = len(signal) - SAMPLES\n"
    lines = parts.PLACED_MOVED.format(free=free, start=start).replace("+ -", "- ")
    return parts.PLACED.format(remark=position(description), lines=lines)


def _spectrum_functions(side: Side, spectrum: Spectrum) -> Iterator[str]:
    frames, bands, levels = spectrum.frames, spectrum.bands, spectrum.levels
    of_file = side.has_bands_of_file
    if bands.scale != "linear":
        lines = [f"energies = energies @ triangles({'rate' if of_file else ''})"]
    else:
        lines = [] if bands.count == frames.fft // 2 + 1 else ["energies = energies[:, :BANDS]"]
    lines += [*_levels(levels), *_normal(spectrum.normal)]
    lines.append("return energies.T" if spectrum.first else "return energies")
    yield parts.SPECTROGRAM.format(
        rate=", rate" if of_file else "",
        shape="the bands of each frame in a column" if spectrum.first else "the bands of each frame in a row",
        taper=_taper(frames),
        padded=_padded(frames),
        square=" ** 2" if levels.power == 2 else "",
        lines="".join(f"    {line}\n" for line in lines),
    )
    if bands.scale == "linear":
        return
    yield parts.MELS["slaney" if bands.scale == "slaney" else "htk"]
    yield _triangles(side, spectrum, of_file=of_file)


def _padded(frames: Frames) -> str:
    before = -frames.start
    cut = f"[{frames.fft // 2 - before} :]" if before != frames.fft // 2 else ""
    return parts.PADDED[frames.center].format(before=before, cut=cut)


def _taper(frames: Frames) -> str:
    kind, _, symmetric = frames.taper.partition(", ")
    return parts.TAPERS[kind].replace("TURN", f"2 * np.pi * n / {'(WINDOW - 1)' if symmetric else 'WINDOW'}")


def _triangles(side: Side, spectrum: Spectrum, *, of_file: bool) -> str:
    bands = spectrum.bands
    rate = "rate" if of_file else f"{spectrum.nominal}" if spectrum.nominal else "RATE"
    places = f"np.arange(FFT // 2 + 1) * {rate} / FFT"
    lines = ["made[0] = 0  # TensorFlow leaves the constant part out"] if bands.scale == "tf" else []
    lines += ["hz = to_hz(edges)", "made = made * 2 / (hz[2:] - hz[:-2])"] if bands.norm == "slaney" else []
    return parts.TRIANGLES.format(
        rate="rate" if of_file else "",
        edges="edges" if bands.scale == "tf" else "to_hz(edges)",
        places=f"to_mel({places})" if bands.scale == "tf" else places,
        lines="".join(f"    {line}\n" for line in lines),
    )


def _levels(levels: Levels) -> Iterator[str]:
    value = "energies"
    if levels.add:
        value += f" + {number(levels.add)}"
    if levels.floor:
        value = f"np.maximum({value}, {number(levels.floor)})"
    if levels.log in ("10", "2", "e"):
        value = {"10": "np.log10", "2": "np.log2", "e": "np.log"}[levels.log] + f"({value})"
    elif levels.log == "db":
        value = f"{20 if levels.power == 1 else 10} * np.log10({value})"
    if value != "energies":
        yield f"energies = {value}"
    if levels.top is not None:
        yield f"energies = np.maximum(energies, energies.max() - {number(levels.top)})"
    if levels.mean or levels.deviation != 1:
        value = "energies"
        if levels.mean:
            value = f"energies {'-' if levels.mean > 0 else '+'} {number(abs(levels.mean))}"
        if levels.deviation != 1:
            value = f"({value})" if levels.mean else value
            value = f"{value} / {number(levels.deviation)}"
        yield f"energies = {value}"


def _normal(normal: str) -> Iterator[str]:
    if normal == NORMALS[1]:
        yield "energies = (energies - energies.mean()) / (energies.std() or 1.0)"
    elif normal == NORMALS[2]:
        yield "deviation = energies.std(axis=0)"
        yield "energies = (energies - energies.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)"
    elif normal == NORMALS[3]:
        yield "energies = (energies - energies.min()) / (np.ptp(energies) or 1.0)"
    elif normal == NORMALS[4]:
        yield "energies = energies - energies.max()"
