"""The description of a side of texts, with its code in both languages."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ....types import Array, FileMedium, Signature
from ...side_code import Asking, Decoded
from .. import sides
from ..describing import Learner, Row, row_of
from ..description import Side, sentence
from .javascript import javascript
from .python import python

#: Marks behind words, and the words of a text that is longer than every row.
_MARKS = (",", ".", "!", "'s", ";", "?", ")", "\u2019", "\u2014")
_MOST_WORDS = 2000
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

    @property
    def visible(self) -> float:
        """Return any step."""
        return 1e-9

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


def own_files(files: Sequence[Path], folder: Path) -> list[Path]:
    """Write variants of the first text: in capitals, with other white space, with marks, very long, and empty."""
    first = next((file for file in files if reads(file)), None)
    if first is None:
        return []
    words = first.read_text(encoding="utf-8").split()
    marked = [f"{word}{mark}" for word, mark in zip(words, itertools.cycle(_MARKS), strict=False)]
    variants = {
        "capitals": " ".join(words).upper(),
        "spaces": "\t".join(words[::2]) + "\r\n" + " \u00a0".join(words[1::2]),
        "marks": " ".join([*marked, *("-".join(words[k : k + 2]) for k in range(0, len(words), 2))]),
        "long": " ".join(words[k % len(words)] for k in range(_MOST_WORDS)) if words else "",
        "empty": "",
    }
    for name, text in variants.items():
        (folder / f"{name}.txt").write_bytes(text.encode("utf-8"))
    return [folder / f"{name}.txt" for name in variants]


def code_of_recipe(text: str, signature: Signature, samples: Sequence[Array]) -> TextCode:
    """Describe a recipe."""
    return TextCode(sides.of_recipe(text, signature))


def describe(files: Sequence[Path], samples: Sequence[Array], asking: Asking) -> TextCode | None:
    """Describe the token ids of texts; NoCodeError says which part has no description."""
    rows = [row_of(sample) for sample in samples]
    known = [row for row in rows if row is not None]
    if len(known) < len(rows) or not sides.is_row(samples[0].shape):
        return None
    texts = [file.read_text(encoding="utf-8") for file in files]
    learner = Learner(texts, known, asking.words(), partial(_ask, asking))
    return TextCode(Side(learner.description(), samples[0].shape))


def _ask(asking: Asking, texts: Sequence[str]) -> list[Row | None]:
    """Return the ids of texts."""
    paths = []
    for number, text in enumerate(texts):
        paths.append(asking.folder / f"asked {number}.txt")
        paths[-1].write_bytes(text.encode("utf-8"))
    return [None if isinstance(made, str) else row_of(made) for made in asking.inputs(paths)]
