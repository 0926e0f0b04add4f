"""Writes a description as an ES module that makes the same input in a page: TF.js only holds the result.

The FFT of TF.js is missing on some backends, and slow on the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...lines import wrapped
from ..description import ANCHORS, LOUDNESSES, NORMALS, Description, Spectrum
from ..sides import Side
from ..spectra import Frames, Levels
from ..words import position, sentence
from . import javascript_parts as parts
from .values import number


def javascript(side: Side, origin: str) -> str:
    """Return the module whose default export takes (blob, tf); `origin` names the code that it is like."""
    lines = [
        *(f"// {line}" for line in wrapped(f"Makes of a sound the input that {origin} makes of it:")),
        *(f"// {line}" for line in wrapped(f"{sentence(side.description)}.")),
        "// Written and checked by pycheck preprocess --emit js.",
        "",
        *_constants(side),
        "",
        *_body(side),
    ]
    return "\n".join(lines) + "\n\n" + "\n".join(_functions(side)).rstrip("\n") + "\n"


def decoding_module(count: int) -> str:
    """Return a module that gives the decoded samples (samples, channels) in `count` exports d0, d1 and so on."""
    exports = ", ".join(f"samples as d{k}" for k in range(count))
    return f"{parts.DECODING}\n{parts.DECODE}\n{parts.FILE_RATE}\nexport {{{exports}}};\n"


def _constants(side: Side) -> Iterator[str]:
    description = side.description
    if description.rate:
        yield f"const RATE = {description.rate}; // samples per second"
    yield f"const SAMPLES = {side.samples};"
    if (spectrum := description.spectrum) is None:
        return
    frames, bands = spectrum.frames, spectrum.bands
    yield f"const [FRAMES, BANDS] = [{side.frames}, {bands.count}];"
    yield f"const [WINDOW, HOP, FFT] = [{frames.window}, {frames.hop}, {frames.fft}]; // in samples"
    if bands.scale != "linear":
        yield f"const [FMIN, FMAX] = [{number(bands.fmin)}, {number(bands.fmax)}]; // Hz"


def _body(side: Side) -> Iterator[str]:
    description = side.description
    yield "export default async function (blob, tf) {"
    yield f"  const {{channels{', rate' if description.rate or side.has_bands_of_file else ''}}} = await decode(blob);"
    signal = "mixed(channels)"
    if description.rate:
        signal = f"resampled({signal}, rate, RATE)"
    changes = list(_changes(description))
    yield f"  {'let' if changes else 'const'} signal = placed({signal});"
    yield from (f"  {line}" for line in changes)
    made = "signal"
    if description.spectrum is not None:
        made = "spectrogram(signal, rate)" if side.has_bands_of_file else "spectrogram(signal)"
    yield f"  return tf.tensor(Float32Array.from({made}), {list(side.shape)});"
    yield "}"


def _changes(description: Description) -> Iterator[str]:
    """Yield the lines that change the samples."""
    if description.without_mean:
        yield "const mean = signal.reduce((sum, value) => sum + value) / SAMPLES;"
        yield "signal = signal.map((value) => value - mean);"
    if description.loudness == LOUDNESSES[1]:
        yield "const peak = signal.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;"
        yield "signal = signal.map((value) => value / peak);"
    elif description.loudness == LOUDNESSES[2]:
        yield "const rms = Math.sqrt(signal.reduce((sum, value) => sum + value ** 2, 0) / SAMPLES) || 1;"
        yield "signal = signal.map((value) => value / rms);"
    if description.gain != 1:
        yield f"signal = signal.map((value) => value * {number(description.gain)});"
    if description.clip is not None:
        clip = number(description.clip)
        yield f"signal = signal.map((value) => Math.min(Math.max(value, -{clip}), {clip}));"


def _functions(side: Side) -> Iterator[str]:
    description = side.description
    yield parts.DECODE
    yield parts.FILE_RATE
    yield parts.MIXED[description.mix]
    if description.rate:
        yield parts.RESAMPLED[description.method]
    yield _placed(description)
    if description.spectrum is not None:
        yield from _spectrum_functions(side, description.spectrum)


def _placed(description: Description) -> str:
    start = parts.STARTS[description.anchor]
    if description.shift:
        shift = f"{abs(description.shift)}"
        sign = "+" if description.shift > 0 else "-"
        start = f"{start} {sign} {shift}" if start != "0" else f"{'-' if sign == '-' else ''}{shift}"
    needs_free = description.anchor != ANCHORS[0]
    return parts.PLACED.format(
        remark=position(description),
        free="const free = signal.length - SAMPLES;\n  " if needs_free else "",
        place="n" if start == "0" else f"n + {start}".replace("+ -", "- "),
    )


def _spectrum_functions(side: Side, spectrum: Spectrum) -> Iterator[str]:
    frames, bands, levels = spectrum.frames, spectrum.bands, spectrum.levels
    is_linear = bands.scale == "linear"
    of_file = side.has_bands_of_file
    rate = spectrum.nominal or side.description.rate
    place = "band * FRAMES + frame" if spectrum.first else "frame * BANDS + band"
    power = "(x * x + y * y)" if levels.power == 2 else "Math.hypot(x, y)"
    sums = parts.SUMS_OF_FREQUENCIES if is_linear else parts.SUMS_OF_BANDS
    yield parts.SPECTROGRAM.format(
        first=", the frequencies first" if spectrum.first else "",
        rate=", rate" if of_file else "",
        taper=_taper(frames),
        triangles="" if is_linear else f"  const bands = triangles({'rate' if of_file else ''});\n",
        at=_sample(frames),
        sums=sums.format(place=place, power=power.strip("()") if is_linear and levels.power == 2 else power),
        levels="\n".join(f"  {line}" for line in _levels(levels, spectrum)) + "\n",
    )
    yield parts.FOURIER
    if frames.center == "reflect":
        yield parts.MIRRORED
    if is_linear:
        return
    yield parts.MELS["slaney" if bands.scale == "slaney" else "htk"]
    hz = f"(k * {'rate' if of_file else rate}) / FFT" if of_file or spectrum.nominal else "(k * RATE) / FFT"
    yield parts.TRIANGLES.format(
        rate="rate" if of_file else "",
        edge="edge" if bands.scale == "tf" else "(n) => toHz(edge(n))",
        # TensorFlow leaves the constant part out.
        place=f"k ? toMel({hz}) : -1" if bands.scale == "tf" else hz,
        weight="const weight =" if bands.norm == "slaney" else "return",
        norm=parts.NORM if bands.norm == "slaney" else "",
    )


def _sample(frames: Frames) -> str:
    start = frames.start
    at = "frame * HOP + n" + (f" - {-start}" if start < 0 else f" + {start}" if start else "")
    return f"mirrored(signal, {at})" if frames.center == "reflect" else f"(signal[{at}] ?? 0)"


def _taper(frames: Frames) -> str:
    kind, _, symmetric = frames.taper.partition(", ")
    turn = f"(2 * Math.PI * n) / {'(WINDOW - 1)' if symmetric else 'WINDOW'}"
    code = parts.TAPERS[kind]
    return code.replace("TURN", f"({turn})" if "TURN /" in code or "* TURN" in code else turn)


def _levels(levels: Levels, spectrum: Spectrum) -> Iterator[str]:
    value = "value"
    if levels.add:
        value += f" + {number(levels.add)}"
    if levels.floor:
        value = f"Math.max({value}, {number(levels.floor)})"
    if levels.log in ("10", "2", "e"):
        value = {"10": "Math.log10", "2": "Math.log2", "e": "Math.log"}[levels.log] + f"({value})"
    elif levels.log == "db":
        value = f"{20 if levels.power == 1 else 10} * Math.log10({value})"
    last = "value"
    if levels.top is not None:
        last = f"Math.max(value, largest - {number(levels.top)})"
    if levels.mean:
        last = f"{last} - {number(levels.mean)}" if levels.mean > 0 else f"{last} + {number(-levels.mean)}"
    if levels.deviation != 1:
        last = f"({last}) / {number(levels.deviation)}" if levels.mean else f"{last} / {number(levels.deviation)}"
    values, lines = "energies", []
    if value != "value":
        lines.append(f"const values = energies.map((value) => {value});")
        values = "values"
    if levels.top is not None:
        lines.append(f"const largest = {values}.reduce((a, b) => Math.max(a, b));")
    if last != "value":
        lines.append(f"const scaled = {values}.map((value) => {last});")
        values = "scaled"
    if spectrum.normal == NORMALS[0] and lines:
        yield from lines[:-1]
        yield f"return {lines[-1].partition(' = ')[2]}"
        return
    yield from lines
    yield from _normal(values, spectrum.normal, first=spectrum.first)


def _normal(values: str, normal: str, *, first: bool) -> Iterator[str]:
    """Yield the lines that make equal what `normal` says, and return the values."""
    if normal == NORMALS[1]:
        yield f"const mean = {values}.reduce((sum, value) => sum + value) / {values}.length;"
        yield f"const variance = {values}.reduce((sum, value) => sum + (value - mean) ** 2, 0) / {values}.length;"
        yield f"return {values}.map((value) => (value - mean) / (Math.sqrt(variance) || 1));"
    elif normal == NORMALS[2]:
        band = "Math.floor(n / FRAMES)" if first else "n % BANDS"
        yield "const [mean, variance] = [new Float64Array(BANDS), new Float64Array(BANDS)]; // of each band"
        yield f"{values}.forEach((value, n) => (mean[{band}] += value / FRAMES));"
        yield f"{values}.forEach((value, n) => (variance[{band}] += (value - mean[{band}]) ** 2 / FRAMES));"
        yield f"return {values}.map((value, n) => (value - mean[{band}]) / (Math.sqrt(variance[{band}]) || 1));"
    elif normal == NORMALS[3]:
        yield f"const low = {values}.reduce((a, b) => Math.min(a, b));"
        yield f"const high = {values}.reduce((a, b) => Math.max(a, b));"
        yield f"return {values}.map((value) => (value - low) / (high - low || 1));"
    elif normal == NORMALS[4]:
        yield f"const high = {values}.reduce((a, b) => Math.max(a, b));"
        yield f"return {values}.map((value) => value - high);"
    else:
        yield f"return {values};"
