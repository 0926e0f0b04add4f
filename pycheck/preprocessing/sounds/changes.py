"""What may be different in a description of a spectrogram: the changes that a search tries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import ceil, floor, log2

from .description import ANCHORS, LOUDNESSES, Description, with_frames
from .parts import spectrum_of
from .spectra import CENTERS, NORMS, SCALES
from .waveforms import RATES

#: What pipelines have.
_WINDOWS = (200, 240, 255, 256, 320, 400, 440, 480, 512, 551, 600, 640, 800, 882, 1024, 1103, 1200, 2048, 4096)
HOPS = (64, 80, 100, 110, 128, 160, 200, 220, 221, 240, 256, 320, 400, 441, 480, 512, 1024)
_LOWS = (0.0, 20.0, 30.0, 40.0, 50.0, 60.0, 64.0, 80.0, 100.0, 125.0, 133.3333, 150.0, 200.0, 300.0)
_HIGHS = (3400.0, 3500.0, 3700.0, 3800.0, 4000.0, 5000.0, 5512.5, 6000.0, 7000.0, 7500.0, 7600.0, 7700.0, 7800.0,
          8000.0, 10000.0, 11000.0, 11025.0, 12000.0, 14000.0, 16000.0, 20000.0, 22050.0, 24000.0)  # fmt: skip


def powers(d: Description) -> list[Description]:
    """Return the same of magnitudes, and of powers."""
    return [with_power(d, power) for power in (1, 2)]


def rates(d: Description) -> list[Description]:
    """Return other rates of the samples, of the bands, or of both."""
    every = (*RATES, None)
    spectrum = spectrum_of(d)
    # At another rate with the same bands in Hz, and with those for a rate that the samples do not have.
    made = [replace(d, rate=rate) for rate in every]
    made += [replace(d, rate=rate, spectrum=replace(spectrum, nominal=spectrum.nominal or d.rate)) for rate in every]
    made += [replace(d, spectrum=replace(spectrum, nominal=rate)) for rate in every]
    made += paced(d)
    half = [
        replace(each, spectrum=replace(spectrum_of(each), bands=replace(spectrum_of(each).bands, fmax=each.rate / 2)))
        for each in made
        if each.rate
    ]
    return made + half


def paced(d: Description) -> list[Description]:
    """Return descriptions with the same frames in seconds, at other rates."""
    frames, made = spectrum_of(d).frames, []
    for rate in RATES if spectrum_of(d).bands.scale != "linear" else ():  # whose frequencies say the rate
        sizes = [size * rate / (d.rate or rate) for size in (frames.window, frames.hop, frames.fft)]
        if d.rate and rate != d.rate and all(size == int(size) for size in sizes):
            window, hop, fft = map(int, sizes)
            made.append(with_frames(replace(d, rate=rate), window=window, hop=hop, fft=fft))
    return made


def repaced(d: Description) -> Iterator[Description]:
    """Yield descriptions with nearly the same frames in seconds at other rates, with nothing added to the levels."""
    own = spectrum_of(d)
    base = with_power(d, own.levels.power)
    for rate in RATES:
        by = rate / (d.rate or rate)
        hop, window = own.frames.hop * by, own.frames.window * by
        near = (round(window), 1 << round(log2(window)), round(hop * 2.5), round(hop * 2), round(hop * 4))
        for length in dict.fromkeys(near):
            for fft in dict.fromkeys((length, power_of_two(length), 2 * power_of_two(length))):
                for step in dict.fromkeys((floor(hop), ceil(hop))):
                    yield with_frames(replace(base, rate=rate), window=length, hop=step, fft=fft)


def bands(d: Description) -> Iterator[Description]:
    """Yield other scales and ends of the bands."""
    spectrum = spectrum_of(d)
    own = spectrum.bands
    if own.scale == "linear":
        return
    changed = [replace(own, scale=scale, norm=norm) for scale in SCALES[1:] for norm in NORMS]
    changed += [replace(own, fmin=low) for low in _LOWS]
    limit = (spectrum.nominal or d.rate or 48000) / 2
    changed += [replace(own, fmax=high) for high in (*_HIGHS, limit) if high <= limit]
    changed += [replace(own, fmin=low, fmax=high) for low in (0.0, 20.0, 125.0) for high in (7500.0, 8000.0, limit)]
    changed += [
        replace(own, scale=scale, norm=norm, fmax=high)
        for scale in SCALES[1:] for norm in NORMS for high in (7500.0, 7600.0, limit)
    ]  # fmt: skip
    for each in changed:
        yield replace(d, spectrum=replace(spectrum, bands=each))


def windows(d: Description) -> Iterator[Description]:
    """Yield other lengths of the window and of the FFT."""
    frames = spectrum_of(d).frames
    is_linear = spectrum_of(d).bands.scale == "linear"
    for window in (*_WINDOWS, frames.fft, frames.fft // 2):
        for fft in (frames.fft,) if is_linear else (frames.fft, window, *(power_of_two(window) << k for k in range(4))):
            if window <= fft:
                yield with_frames(d, window=window, fft=fft)


def places(d: Description) -> list[Description]:
    """Return other places of the first frame."""
    frames = spectrum_of(d).frames
    made = [with_frames(d, center=center) for center in CENTERS]
    made += [replace(d, anchor=anchor, shift=0) for anchor in ANCHORS]
    half = frames.window // 2
    shifts = {
        0,
        -half,
        half,
        -(frames.fft // 2),
        frames.hop,
        -frames.hop,
        *(d.shift + k * frames.hop // 4 for k in range(-4, 5)),
    }
    return made + [replace(d, shift=shift) for shift in sorted(shifts)]


def waves(d: Description, mixes: Sequence[str], methods: Sequence[str]) -> list[Description]:
    """Return other channels, resamplers and loudnesses."""
    made = [replace(d, mix=mix) for mix in mixes]
    made += [replace(d, method=method) for method in methods]
    return made + [replace(d, loudness=loudness) for loudness in LOUDNESSES]


def moved(d: Description, factor: float) -> Iterator[Description]:
    """Yield windows and ends of bands that are longer or shorter, higher or lower by a factor."""
    spectrum = spectrum_of(d)
    for step in (factor, 1 / factor):
        if spectrum.frames.window * step <= spectrum.frames.fft:
            yield with_frames(d, window=round(spectrum.frames.window * step))
        if spectrum.bands.scale != "linear":
            limit = (spectrum.nominal or d.rate or 48000) / 2
            for name in ("fmin", "fmax"):
                at = min(getattr(spectrum.bands, name) * step, limit)
                yield replace(d, spectrum=replace(spectrum, bands=replace(spectrum.bands, **{name: at})))


def written(description: Description) -> Description:
    """Return a description with frequencies as people write them."""
    bands = spectrum_of(description).bands
    low, high = (float(f"{value:.2g}") for value in (bands.fmin, bands.fmax))
    return replace(description, spectrum=replace(spectrum_of(description), bands=replace(bands, fmin=low, fmax=high)))


def with_power(description: Description, power: int) -> Description:
    """Return a description with another power of the magnitudes, and nothing added to it."""
    spectrum = spectrum_of(description)
    levels = replace(spectrum.levels, power=power, add=0.0, floor=0.0)
    return replace(description, spectrum=replace(spectrum, levels=levels))


def power_of_two(count: int) -> int:
    """Return the power of two that is not smaller."""
    return 1 << max(count - 1, 1).bit_length()
