"""The parts of a description of a sound's input, each with the code that names its difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from .description import Description, Spectrum

#: Takes one part over: the description of the page, then that of Python.
Undo = Callable[[Description, Description], Description]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a description, and how it is taken over from another one."""

    code: str
    undo: Undo


def of_wave(*names: str) -> Undo:
    """Take over fields of the description."""
    return lambda page, python: replace(page, **{name: getattr(python, name) for name in names})


def of_spectrum(place: str, *names: str) -> Undo:
    """Take over fields of the frames, bands or levels, or of the spectrum itself if `place` is empty."""

    def undo(page: Description, python: Description) -> Description:
        if page.spectrum is None or python.spectrum is None:
            return page
        if not place:
            taken = {name: getattr(python.spectrum, name) for name in names}
            return replace(page, spectrum=replace(page.spectrum, **taken))
        theirs = getattr(python.spectrum, place)
        inner = replace(getattr(page.spectrum, place), **{name: getattr(theirs, name) for name in names})
        return replace(page, spectrum=replace(page.spectrum, **{place: inner}))

    return undo


def both(*undos: Undo) -> Undo:
    """Take over several parts."""

    def undo(page: Description, python: Description) -> Description:
        for each in undos:
            page = each(page, python)
        return page

    return undo


def _rate(page: Description, python: Description) -> Description:
    """Take over the rate; bands that are those of the page's own rate go with it."""
    made = replace(page, rate=python.rate)
    if page.spectrum is None or python.spectrum is None or page.spectrum.nominal is not None:
        return made
    mine, theirs = page.spectrum, python.spectrum
    if page.rate and python.rate and mine.bands.fmax == page.rate / 2 and theirs.bands.fmax == python.rate / 2:
        made = replace(made, spectrum=replace(mine, bands=replace(mine.bands, fmax=theirs.bands.fmax)))
    return made


def _bands(page: Description, python: Description) -> Description:
    """Take over the bands, and the rate that they are for if the samples have another one."""
    made = of_spectrum("bands", "scale", "norm", "fmin", "fmax")(page, python)
    if page.spectrum is None or python.spectrum is None or made.spectrum is None:
        return made
    if page.spectrum.nominal is not None or python.spectrum.nominal is not None:
        nominal = python.spectrum.nominal or python.rate
        made = replace(made, spectrum=replace(made.spectrum, nominal=None if nominal == page.rate else nominal))
    return made


PARTS = (
    Part("axes-transposed", of_spectrum("", "first")),
    Part("sample-rate-differs", _rate),
    Part("resampler-differs", of_wave("method")),
    Part("audio-channels-differ", of_wave("mix")),
    Part("audio-position-differs", of_wave("anchor", "shift")),
    Part("audio-scale", of_wave("gain", "loudness", "without_mean", "clip")),
    Part("window-differs", of_spectrum("frames", "window", "fft", "taper")),
    Part("frames-differ", of_spectrum("frames", "hop", "center")),
    Part("mel-differs", _bands),
    Part("log-differs", of_spectrum("levels", "power", "log", "add", "floor", "top")),
    Part("spectrogram-scale", both(of_spectrum("levels", "mean", "deviation"), of_spectrum("", "normal"))),
)

#: Finer parts, which are taken over from Python's description if the page is described as well without the difference.
FINE: tuple[Undo, ...] = (
    both(_rate, of_spectrum("frames", "window", "hop", "fft")),  # another rate with the same frames in seconds
    of_wave("mix"), of_wave("method"), of_wave("rate"), _rate, of_wave("anchor", "shift"), of_wave("loudness"),
    of_wave("without_mean"), of_wave("clip"), of_spectrum("frames", "window", "fft"), of_spectrum("frames", "taper"),
    of_spectrum("frames", "fft"), of_spectrum("frames", "hop"), of_spectrum("frames", "center"),
    of_spectrum("bands", "scale", "norm"), of_spectrum("bands", "norm"), of_spectrum("bands", "fmin"),
    of_spectrum("bands", "fmax"), _bands, of_spectrum("levels", "power"),
    of_spectrum("levels", "add", "floor", "top"), of_spectrum("levels", "add"), of_spectrum("levels", "floor"),
    of_spectrum("levels", "top"), of_spectrum("", "levels"), of_spectrum("", "normal"),
)  # fmt: skip


def spectrum_of(description: Description) -> Spectrum:
    """Return the spectrum of a description that has one."""
    assert description.spectrum is not None
    return description.spectrum
