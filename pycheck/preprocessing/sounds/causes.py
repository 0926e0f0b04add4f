"""Finds why the page's inputs of sounds differ from Python's: both are described by their files, and that is proven."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import InputsFileError, InstallationError
from ...types import Array, PipelineCause
from ..explained import Explained
from ..proof import proven
from .decoding import is_lossy
from .description import METHODS, METHODS_OF_PAGES, Description, Source, made
from .parts import PARTS
from .refining import refined
from .relating import related
from .sides import is_usable, size_of, spread_over, squeezed, starts_of
from .spectrograms import SpectrogramSearch
from .waveforms import Scored, WaveformSearch
from .words import words

#: A difference whose share of the RMS of the input (of a spectrogram: of its deviation) is smaller is no cause.
_LEAST = 2e-3
#: A description that misses a larger share of Python's own inputs is none: changes of it are not what the page did.
_MOST_MISSED = 0.1
#: A description of Python's inputs with a larger error is refined.
_REFINED = 1e-5
#: The resampler of a browser is named if the error of the description is smaller by this factor.
_FITS_BETTER = 0.5
#: The fewest files without loss, whose decoders agree, that describe a page by themselves.
_FEWEST = 3
#: What another filter of a resampler leaves, as a share.
_FILTER = (1e-3, 0.25)
#: The descriptions of Python's inputs by a digest of the inputs and the files, of which the newest are kept.
_KEPT = 8
_PYTHON: dict[str, Scored | None] = {}
_LOCK = threading.Lock()  # the models of a check are explained in several threads


def find_causes(files: Sequence[Path], python: Array, page: Array) -> Explained:
    """Explain the difference between the inputs that Python and the page made of sound files, one for each file.

    An input is a waveform, or a spectrogram with time and frequency in any order; axes of one do not matter.
    """
    nothing = Explained((), _rms(python, page))
    sides = squeezed(python), squeezed(page)
    if not all(is_usable(side) for side in sides) or sides[0].ndim != sides[1].ndim or sides[0].size != sides[1].size:
        return nothing
    if not nothing.unexplained_rms:
        return nothing
    try:
        sources = [Source(file) for file in files]
    except (InputsFileError, InstallationError):
        return nothing
    searched = spread_over(sources)
    descriptions = _described([sources[k] for k in searched], (sides[0][searched], sides[1][searched]))
    if descriptions is None:
        return nothing
    return _explained(sources, sides, descriptions)


def _described(sources: Sequence[Source], sides: tuple[Array, Array]) -> tuple[Description, Description] | None:
    """Return the descriptions of Python's inputs and of the page's, which differ as little as they can."""
    python, page = sides
    first = _described_python(sources, python)
    if first is None or first.error > _MOST_MISSED:
        return None
    second = _described_page(sources, page, first)
    if second is None:
        return None
    size = size_of(page)

    def errors(description: Description) -> Array:
        with np.errstate(all="ignore"):  # the logarithm of silence
            rests = [
                np.mean((made(source, description, wanted.shape) - wanted) ** 2)
                if _fits(description, wanted)
                else np.inf
                for source, wanted in zip(sources, page, strict=True)
            ]
        return np.asarray(np.sqrt(np.nan_to_num(rests, nan=np.inf, posinf=np.inf)) / size)

    kept = np.array([not is_lossy(source.path) for source in sources])
    if second.error > _LEAST and _FEWEST <= kept.sum() < len(kept):  # numbers are fitted to a decoder
        some = [source for source, keep in zip(sources, kept, strict=True) if keep]
        again = _described_page(some, page[kept], Scored(second.description, 0.0))
        before = _rms_of(errors(second.description)[kept])
        if again is not None and _rms_of(errors(again.description)[kept]) < _FITS_BETTER * before:
            second = again
    return first.description, _of_browser(related(second.description, first.description, errors), errors)


def _described_page(sources: Sequence[Source], page: Array, start: Scored) -> Scored | None:
    """Return the description of the page's inputs that is near to `start`; None if there is none."""
    if page.ndim == 2:
        return WaveformSearch(sources, page, METHODS_OF_PAGES).best(start.description, 1.05 * start.error)
    return SpectrogramSearch(sources, page, METHODS_OF_PAGES).best([start.description], 1.05 * start.error)


def _rms_of(errors: Array) -> float:
    return float(np.sqrt(np.mean(np.square(errors))))


def _of_browser(page: Description, errors: Callable[[Description], Array]) -> Description:
    """Return the description with the resampler of the browser that fits best, if it fits much better."""

    def error(option: Description) -> float:
        return _rms_of(errors(option))

    browsers = [replace(page, method=method) for method in METHODS_OF_PAGES if method not in METHODS]
    before = error(page) if page.rate else 0.0
    if before < _LEAST / 4:
        return page
    after, best = min(((error(option), option) for option in browsers), key=lambda each: each[0])
    return best if after < before * (1 if page.method not in METHODS else _FITS_BETTER) else page


def _described_python(sources: Sequence[Source], python: Array) -> Scored | None:
    """Return the description of Python's inputs, which is searched once for all pages with the same files."""
    inputs = hashlib.sha256(python.tobytes())
    for source in sources:
        inputs.update(source.sound.samples.tobytes() + source.sound.rate.to_bytes(8, "little"))
    key = inputs.hexdigest()
    with _LOCK:
        if key in _PYTHON:
            return _PYTHON[key]
    found = _search_python(sources, python)
    with _LOCK:
        _PYTHON[key] = found
        for oldest in list(_PYTHON)[:-_KEPT]:
            del _PYTHON[oldest]
    return found


def _search_python(sources: Sequence[Source], python: Array) -> Scored | None:
    if python.ndim == 2:
        rates = {source.sound.rate for source in sources}
        found = WaveformSearch(sources, python).best(Description(rate=None if len(rates) > 1 else rates.pop()))
    else:
        found = SpectrogramSearch(sources, python).best(list(starts_of(python.shape[1:])))
    if found is not None and _REFINED < found.error < _MOST_MISSED:
        return refined(found.description, sources, python, size_of(python))
    return found


def _fits(description: Description, wanted: Array) -> bool:
    spectrum = description.spectrum
    return spectrum is None or spectrum.bands.count == wanted.shape[0 if spectrum.first else 1]


def _explained(
    sources: Sequence[Source], sides: tuple[Array, Array], descriptions: tuple[Description, Description]
) -> Explained:
    bench = _Bench(sources, sides, descriptions)
    python, page = descriptions
    codes = [part.code for part in PARTS if part.undo(page, python) != page]
    found = proven(codes, bench.error, _LEAST * size_of(sides[0]))
    undone = frozenset(each.code for each in found)
    causes = [PipelineCause(each.code, *words(each.code, python, page), each.before, each.after) for each in found]
    unexplained = bench.error(undone)
    other = None if "resampler-differs" in undone else _resampler(bench, undone, unexplained, python)
    if other is not None:
        causes.append(other)
        unexplained = other.after
    return Explained(tuple(causes), unexplained)


def _resampler(bench: _Bench, undone: frozenset[str], unexplained: float, python: Description) -> PipelineCause | None:
    """Return the cause if only files of another rate leave something: then the filters of the resamplers differ."""
    if python.rate is None:
        return None
    squares = bench.rests(undone)
    is_resampled = [source.sound.rate != python.rate for source in bench.sources]
    changed = [rest for rest, other in zip(squares, is_resampled, strict=True) if other]
    kept = [rest for rest, other in zip(squares, is_resampled, strict=True) if not other]
    if not changed:
        return None
    size, rest = (float(np.sqrt(np.mean(each))) if each else 0.0 for each in (changed, kept))
    share = size / size_of(bench.sides[0])
    if not _FILTER[0] < share < _FILTER[1] or not kept or rest > size / 3:
        return None
    after = (sum(kept) / len(squares)) ** 0.5
    return PipelineCause(
        "resampler-differs", "the filter of Python's resampler",
        f"another filter (only files of another rate differ, by {100 * share:.2g} %)", unexplained, after,
    )  # fmt: skip


class _Bench:
    """Makes the page's inputs with some differences undone, and compares them with Python's."""

    def __init__(
        self, sources: Sequence[Source], sides: tuple[Array, Array], descriptions: tuple[Description, Description]
    ) -> None:
        self.sources, self.sides = sources, sides
        self._python, self._page = descriptions
        self._own = [made(source, self._page, each.shape) for source, each in zip(sources, sides[1], strict=True)]
        self._spread = float(np.std(self._own)) or 1.0

    def error(self, undone: frozenset[str]) -> float:
        """Return the RMS error of the input."""
        return float(np.sqrt(np.mean(self.rests(undone))))

    def rests(self, undone: frozenset[str]) -> list[float]:
        """Return the mean square error of each file."""
        wanted = self._page
        for part in PARTS:
            if part.code in undone:
                wanted = part.undo(wanted, self._python)
        is_turned = _first(wanted) != _first(self._page)
        shapes = [each.shape[::-1] if is_turned else each.shape for each in self.sides[1]]
        found = []
        with np.errstate(all="ignore"):  # the logarithm of silence
            again = [made(source, wanted, shape) for source, shape in zip(self.sources, shapes, strict=True)]
            factor = float(np.std(again)) / self._spread
            for new, own, page, python in zip(again, self._own, *self.sides[::-1], strict=True):
                rest = (page - own) * factor
                value = new + (rest.T if is_turned else rest)
                square = float(np.mean((value.reshape(-1) - python.reshape(-1)) ** 2))
                found.append(square if np.isfinite(square) else np.inf)
        return found


def _first(description: Description) -> bool:
    return description.spectrum is not None and description.spectrum.first


def _rms(python: Array, page: Array) -> float:
    if python.size != page.size:
        return float("inf")
    with np.errstate(invalid="ignore"):  # the logarithm of silence
        return float(np.sqrt(np.mean(np.square(page.astype(np.float64).reshape(python.shape) - python))))
