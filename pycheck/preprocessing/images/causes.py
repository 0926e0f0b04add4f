"""Finds why the page's inputs differ from Python's: both are described by their files, and the differences proven."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...errors import InputsFileError, InstallationError
from ...types import Array, PipelineCause
from ..explained import Explained
from .decoders import decoder_cause
from .describing import Choices, Scored, Search
from .description import Description, Form
from .direct import Itself, guessed
from .placing import PLACEMENTS
from .proving import Proof, prove
from .resampling import Kernel
from .sides import MOST_SEARCHED, choices_of, searched, start_of
from .sources import Source
from .words import words

#: A description with a larger error (RMS, in steps of a byte) is left if Python and the page explain each other better.
_VAGUE_BYTES = 6.0


def find_causes(files: Sequence[Path], python: Array, page: Array) -> Explained:
    """Explain the difference between the inputs that Python and the page made of image files.

    `python` and `page` have one input for each file: (files, height, width, channels), with channels first or without
    an axis for them. Causes are proven over all files; other inputs than images have none. A search reads at most 12
    files. Pixels are steps of a byte in all thresholds, whatever the scale of the input is.
    """
    python, page = np.asarray(python), np.asarray(page)
    before = _rms(python, page)
    forms = Form.of(python.shape[1:]), Form.of(page.shape[1:])
    nothing = Explained((), before)
    if forms[0] is None or forms[1] is None or python.dtype.kind not in "biuf" or page.dtype.kind not in "biuf":
        return nothing
    if not (np.isfinite(python).all() and np.isfinite(page).all()):
        return nothing
    if not (np.ptp(python) and np.ptp(page)):  # one color, whatever the file is
        return nothing
    same_size = python[0].size == page[0].size and forms[0].channels == forms[1].channels
    if not before or not same_size:
        return nothing
    known = forms[0], forms[1]
    try:
        by_files = _by_files(files, (python, page), known)
    except InputsFileError:  # Pillow cannot decode what Python's own code can
        by_files = None
    if by_files is not None and by_files[1] < _VAGUE_BYTES:
        return by_files[0]
    direct = _by_one_another((python, page), known, before)
    options = [each for each in (by_files and by_files[0], direct, nothing) if each is not None]
    return min(options, key=lambda each: each.unexplained_rms)


def _by_files(
    files: Sequence[Path], sides: tuple[Array, Array], forms: tuple[Form, Form]
) -> tuple[Explained, float] | None:
    """Return the causes with the error of the worse description in steps of a byte; None if none describes a side."""
    try:
        sources = [Source(file) for file in files]
    except (InstallationError, OSError, ValueError, SyntaxError):  # not an image, or none that Pillow knows
        return None
    chosen = searched([source.pixel_count for source in sources])
    some = [sources[number] for number in chosen]
    made = _described(some, (sides[0][chosen], sides[1][chosen]), forms, choices_of(some), start_of(forms[0]))
    if made is None:
        return None
    python, page = made
    proof = prove(sources, sides, forms, (python.description, page.description))
    explained = _explained(proof, python.description, page.description)
    lossy = [source.lossy for source in sources]
    found = decoder_cause(proof, lossy, python.description) if max(python.error, page.error) < _VAGUE_BYTES else None
    if found is not None:
        explained = Explained((*explained.causes, found), found.after)
    return explained, max(python.error, page.error)


def _by_one_another(sides: tuple[Array, Array], forms: tuple[Form, Form], before: float) -> Explained | None:
    """Explain the page's inputs by Python's, without the files."""
    python, page = sides
    start = guessed(python, forms[0])
    sources = [Itself(sample, forms[0], start) for sample in python]
    chosen = np.linspace(0, len(sources) - 1, min(len(sources), MOST_SEARCHED)).astype(int)
    choices = Choices(kernels=(Kernel("nearest"),), placements=PLACEMENTS[:1], roundings=())
    found = Search([sources[k] for k in chosen], page[chosen], forms[1], choices).best(start)
    if found is None:
        return None
    proof = prove(sources, sides, forms, (start, found.description))
    return _explained(proof, start, found.description) if proof.unexplained < before else None


def _described(
    sources: Sequence[Source],
    sides: tuple[Array, Array],
    forms: tuple[Form, Form],
    choices: Choices,
    start: Description,
) -> tuple[Scored, Scored] | None:
    python = Search(sources, sides[0], forms[0], choices).best(start)
    if python is None:
        return None
    page = Search(sources, sides[1], forms[1], choices).best(
        python.description, enough=1.05 * min(python.error, _VAGUE_BYTES / 3)
    )
    return None if page is None else (python, page)


def _explained(proof: Proof, python: Description, page: Description) -> Explained:
    causes = tuple(
        PipelineCause(each.part.code, *words(each.part.code, python, page), each.before, each.after)
        for each in proof.proven
    )
    return Explained(causes, proof.unexplained)


def _rms(python: Array, page: Array) -> float:
    if python.shape != page.shape:
        if python.size != page.size:
            return float("inf")
        page = page.reshape(python.shape)
    with np.errstate(invalid="ignore"):  # infinities have no difference
        return float(np.sqrt(np.mean(np.square(page.astype(np.float64) - python))))
