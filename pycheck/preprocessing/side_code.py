"""What one side does with a file, described so that it can be written for the other side and proven there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..types import Array, FileMedium


@dataclass(frozen=True, slots=True)
class Decoded:
    """The difference of what a browser decodes of a file from what Python decodes: infinite for another size.

    `again` are files with what the browser decoded, for Python; a later one is for code that cannot read the first.
    """

    rms: float
    largest: float
    again: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Asking:
    """What a description may ask: the words that the code of the side has as data, and its inputs of further files.

    `words` gives those of each variable or file of the code.
    `inputs` gives the reason for a file of which there is no input. The files are written into `folder`.
    """

    words: Callable[[], Sequence[Sequence[str]]]
    inputs: Callable[[Sequence[Path]], Sequence[Array | str]]
    folder: Path


class SideCode(Protocol):
    """The description of a side, and its code in both languages.

    `error` is that of the description, RMS in steps, in which `rest` is measured, too. `step` is the size of one in the
    input.
    """

    @property
    def medium(self) -> FileMedium:
        """Return what the files are."""
        ...

    @property
    def error(self) -> float:
        """Return the RMS error of the description in steps; 0 for a recipe."""
        ...

    @property
    def step(self) -> float:
        """Return the size of a step in the input."""
        ...

    @property
    def visible(self) -> float:
        """Return the steps from which on a difference may be a part that the other side does not do."""
        ...

    def told(self) -> str:
        """Say what the side does."""
        ...

    def javascript(self, origin: str) -> str:
        """Return the module whose default export takes (blob, tf); `origin` names the code that it is like."""
        ...

    def python(self, origin: str) -> str:
        """Return the module whose function `load` takes the path of a file."""
        ...

    def decoding_module(self, count: int) -> str:
        """Return a module that gives what a page decodes, in `count` exports d0, d1, ...; "" if nothing can differ."""
        ...

    def decoded(self, made: Array, file: Path, again: Path) -> Decoded:
        """Compare what a page decoded of a file with Python; `again` is a path without suffix for new files."""
        ...

    def is_lossy(self, file: Path) -> bool:
        """Tell whether decoders may round a file in different ways."""
        ...
