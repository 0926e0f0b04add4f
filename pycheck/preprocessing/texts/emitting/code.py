"""The description of a side of texts, with its code in both languages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ....types import Array, FileMedium, Signature
from ...side_code import Decoded
from .. import sides
from ..description import Side, sentence
from .javascript import javascript
from .python import python

UNDESCRIBED = "its input is no row of ids of words"


@dataclass(frozen=True, slots=True)
class TextCode:
    """A side of texts; a step is one of an id."""

    side: Side

    @property
    def medium(self) -> FileMedium:
        """Return that the files are texts."""
        return "text"

    @property
    def error(self) -> float:
        """Return the RMS error of the ids."""
        return self.side.error

    @property
    def step(self) -> float:
        """Return one id."""
        return 1.0

    def told(self) -> str:
        """Say what the side does."""
        return sentence(self.side.description)

    def javascript(self, origin: str) -> str:
        """Return the module of the page."""
        return javascript(self.side, origin)

    def python(self, origin: str) -> str:
        """Return the module of Python."""
        return python(self.side, origin)

    def decoding_module(self, count: int) -> str:
        """Return no module: UTF-8 is decoded in one way."""
        return ""

    def decoded(self, made: Array, file: Path, again: Path) -> Decoded:
        """Return no difference."""
        return Decoded(0.0, 0.0)

    def is_lossy(self, file: Path) -> bool:
        """Tell that no text is lossy."""
        return False


def reads(file: Path) -> bool:
    """Tell whether a file is a text in UTF-8."""
    try:
        return "\0" not in file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def own_files(files: Sequence[Path], folder: Path, words: Callable[[], Sequence[str]]) -> list[Path]:
    """Write no files."""
    return []


def code_of_recipe(text: str, signature: Signature, samples: Sequence[Array]) -> TextCode:
    """Describe a recipe."""
    return TextCode(sides.of_recipe(text, signature))


def describe(files: Sequence[Path], samples: Sequence[Array], words: Callable[[], Sequence[str]]) -> TextCode | None:
    """Describe the token ids of texts."""
    return None
