"""What the decoders of browsers make of files, against Pillow (images) and soundfile (sounds)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DecodedFile:
    """One file in one engine: the difference from Python's decoder, or the reason why there is none (`failure`).

    `rms` and `largest` are in steps of 1 of 255 for images, over the pixels that are not fully transparent, and for
    sounds over the samples of both, of which the largest is 1. `facts` say what the engine applies or loses.
    """

    name: str
    kind: str
    failure: str = ""
    rms: float = 0.0
    largest: float = 0.0
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineDecoders:
    """The files in one engine. `missing` says why it did not run."""

    engine: str
    browser: str = ""
    missing: str = ""
    files: tuple[DecodedFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Decoders:
    """The same files in all engines; `python` are the versions of Python's decoders."""

    python: tuple[str, ...]
    engines: tuple[EngineDecoders, ...]
