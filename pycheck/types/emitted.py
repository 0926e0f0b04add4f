"""The code that does on one side what the other side does with a file, and how it was proven."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .names import RuntimeId

Language = Literal["js", "python"]
FileMedium = Literal["image", "sound", "text"]


@dataclass(frozen=True, slots=True)
class EmittedFile:
    """One file in Python and in a page, of which one runs the emitted code.

    `input_rms` and `input_max` are the difference of the inputs. `decoder` is that of what both decode: in steps of a
    byte for images, of the full scale of 1 for sounds, always 0 for texts. `rest` is the difference of the inputs if
    Python takes what the page decodes: in steps of a byte for images, as a share of the deviation of the input (of a
    waveform: its RMS) for sounds, in ids for texts. None: not measured. `own`: pycheck made the file.
    """

    name: str
    own: bool
    lossy: bool
    input_rms: float
    input_max: float
    decoder_rms: float | None
    decoder_max: float | None
    rest_rms: float | None
    rest_max: float | None
    passed: bool | None = None  # set by the gate


@dataclass(frozen=True, slots=True)
class EmittedProof:
    """The files in one runtime. `missing` says why it did not run; `without` are parts that it has no equivalent of."""

    runtime: RuntimeId
    files: tuple[EmittedFile, ...] = ()
    missing: str = ""
    failed: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    passed: bool | None = None  # set by the gate


@dataclass(frozen=True, slots=True)
class Emitted:
    """The code, what it is like, and the proof in each runtime.

    `described` is what the side does in words; `error` the error of that description, RMS as `rest` of a file is
    measured, None for a recipe, which needs none. `file_count` are the files of the user, of which `proofs` have some.
    """

    language: Language
    origin: str
    described: str
    error: float | None
    code: str
    file_count: int
    proofs: tuple[EmittedProof, ...]
    medium: FileMedium = "image"
    passed: bool = False
