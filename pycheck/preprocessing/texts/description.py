"""Describes how the token ids of a text are made, and makes them by that description."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .layout import ENDS, Layout
from .recipes import PUNCTUATION

#: What becomes of capitals.
CASES = ("capitals kept", "ASCII letters in lower case", "in lower case")
#: What is removed before the text is split, as regular expressions of Python.
REMOVED: dict[str, str] = {
    "punctuation kept": "",
    "ASCII punctuation removed": PUNCTUATION,
    "ASCII punctuation but ' removed": PUNCTUATION.replace("'", ""),
    "all but letters, digits, _ and white space removed": r"[^\w\s]",
    "all but letters, digits, _, ' and white space removed": r"[^\w\s']",
    "all but ASCII letters and white space removed": r"[^a-zA-Z\s]",
    "all but ASCII letters, digits and white space removed": r"[^a-zA-Z0-9\s]",
    "all but ASCII letters and spaces removed": r"[^a-zA-Z ]",
    "all but ASCII letters, digits and spaces removed": r"[^a-zA-Z0-9 ]",
    "all but ASCII letters, digits, _ and white space removed": r"[^a-zA-Z0-9_\s]",
    "all but ASCII letters, digits, _ and spaces removed": r"[^a-zA-Z0-9_ ]",
}
#: What becomes of what is removed: nothing, or a space.
FILLS = ("", " ")
#: How a text is split, as regular expressions of Python: at these (the first three), or into these.
SPLITS: dict[str, str] = {
    "split at white space": r"\s+",
    "split at ASCII white space": r"[ \t\n\v\f\r]+",
    "split at spaces": " +",
    "words and punctuation marks": r"\w+|[^\w\s]",
    "words without punctuation": r"\w+",
    "words of ASCII letters": r"[a-zA-Z]+",
    "words of ASCII letters and '": r"[a-zA-Z']+",
    "words of ASCII letters and digits": r"[a-zA-Z0-9]+",
    "words of ASCII letters, digits and _": r"[a-zA-Z0-9_]+",
}
SPACES = tuple(SPLITS)[:3]
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


@dataclass(frozen=True, slots=True)
class Description:
    """How token ids are made of a text: `numbers` has the id of each word, `unknown` None leaves other words out.

    `length` are the ids of a row. Of `layout`, the split does not count.
    """

    length: int
    case: str = CASES[0]
    removed: str = "punctuation kept"
    fill: str = FILLS[0]
    split: str = SPACES[0]
    numbers: Mapping[str, int] = field(default_factory=dict)
    unknown: int | None = 1
    layout: Layout = field(default_factory=lambda: Layout(SPACES[0]))

    def words(self, text: str) -> list[str]:
        """Return the words of a text, as they stand in the vocabulary."""
        if self.case == CASES[1]:
            text = text.translate(_LOWER)
        elif self.case == CASES[2]:
            text = text.lower()
        if pattern := REMOVED[self.removed]:
            text = re.sub(pattern, self.fill, text)
        if self.split in SPACES:
            return [word for word in re.split(SPLITS[self.split], text) if word]
        return re.findall(SPLITS[self.split], text)

    def row(self, text: str) -> list[int]:
        """Return the ids of a text."""
        ids = [self.numbers.get(word, self.unknown) for word in self.words(text)]
        kept = [each for each in ids if each is not None]
        return [int(each) for each in self.layout.row(kept, self.length)]


@dataclass(frozen=True, slots=True)
class Side:
    """How one side makes its inputs: samples of the shape `shape`. `error` is the RMS error of the ids."""

    description: Description
    shape: tuple[int, ...]
    error: float = 0.0


def sentence(description: Description) -> str:
    """Describe a side in one line."""
    layout = description.layout
    said = [description.case, description.removed]
    if description.removed != "punctuation kept" and description.fill:
        said[-1] = said[-1].replace("removed", "replaced by a space")
    said += [description.split, f"a vocabulary of {len(description.numbers)} words"]
    unknown = "left out" if description.unknown is None else f"{description.unknown}"
    said += [f"unknown words: {unknown}"]
    said += ["last word first"] if layout.reversed else []
    around = [*(f"{each} before" for each in layout.before), *(f"{each} after" for each in layout.after)]
    said += [f"ids around the words: {', '.join(around)}"] if around else []
    said += [f"the {'first' if layout.cut == ENDS[0] else 'last'} words of a long text"]
    said += [f"padding {layout.padding} at the {layout.side} to {description.length} ids"]
    return "; ".join(said)


def words_in(texts: Sequence[str]) -> list[str]:
    """Return all that may be words of texts, as they stand there."""
    found: dict[str, None] = {}
    for text in texts:
        for pattern in (r"\S+", r"\w+", r"[^\w\s]", r"[^\W_]+"):
            found.update(dict.fromkeys(re.findall(pattern, text)))
    return list(found)
