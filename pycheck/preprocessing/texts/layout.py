"""Describes how a row of token ids lies: what is padding, where it is, which end of a long text is cut, the order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...types import Array
from .recipes import PUNCTUATION

ENDS = ("end", "front")
_SPACE = re.compile(r"\s+")


def _spaced(text: str) -> list[str]:
    return [word for word in _SPACE.split(text) if word]


#: How a text is split, the words as they stand in the text. The first one is for rules that change no count of words.
SPLITS: dict[str, Callable[[str], list[str]]] = {
    "split at white space": lambda text: [word for word in _spaced(text) if re.sub(PUNCTUATION, "", word)],
    "split at white space, marks alone are words": _spaced,
    "words and punctuation marks": lambda text: re.findall(r"\w+|[^\w\s]", text),
    "words without punctuation": lambda text: re.findall(r"\w+", text),
    "characters": list,
}


@dataclass(frozen=True, slots=True)
class Layout:
    """How words lie in a row: `cut` and `side` are the end that is cut, and that has the padding.

    `before` and `after` are ids that every row has around its words.
    """

    split: str
    cut: str = ENDS[0]
    side: str = ENDS[0]
    reversed: bool = False
    padding: int = 0
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()

    def row(self, ids: Sequence[int], length: int) -> Array:
        """Return the row of the ids of all words of a text."""
        room = length - len(self.before) - len(self.after)
        kept = list(ids[:room] if self.cut == ENDS[0] else ids[max(len(ids) - room, 0) :])
        kept = [*self.before, *(kept[::-1] if self.reversed else kept), *self.after]
        fill = [self.padding] * (length - len(kept))
        return np.array([*kept, *fill] if self.side == ENDS[0] else [*fill, *kept], np.int64)

    def words(self, row: Array, words: Sequence[str]) -> list[tuple[int, int]] | None:
        """Return the place of each word in the text with its id; None if the row has another number of ids."""
        room = len(row) - len(self.before) - len(self.after)
        count = min(len(words), room)
        whole = count + len(self.before) + len(self.after)
        inner = row[:whole] if self.side == ENDS[0] else row[len(row) - whole :]
        rest = row[whole:] if self.side == ENDS[0] else row[: len(row) - whole]
        inside = inner[len(self.before) : len(self.before) + count]
        if (rest != self.padding).any():
            return None
        if tuple(inner[: len(self.before)]) != self.before or tuple(inner[len(self.before) + count :]) != self.after:
            return None
        places = list(range(count)) if self.cut == ENDS[0] else list(range(len(words) - count, len(words)))
        return list(zip(places[::-1] if self.reversed else places, map(int, inside), strict=True))


def layouts(rows: Array) -> list[Layout]:
    """Return the layouts that rows may have, the usual ones first."""
    padding, side = padding_of(rows)
    frames: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((), ())]
    stripped = [_stripped(row, padding, side) for row in rows]
    firsts, lasts = {row[0] for row in stripped if len(row)}, {row[-1] for row in stripped if len(row)}
    first = tuple(int(each) for each in firsts) if len(firsts) == 1 and len(rows) > 2 else ()
    last = tuple(int(each) for each in lasts) if len(lasts) == 1 and len(rows) > 2 else ()
    frames += [pair for pair in ((first, last), (first, ()), ((), last)) if pair != ((), ())]
    return [
        Layout(split, cut, side, order, padding, before, after)
        for split in SPLITS
        for before, after in dict.fromkeys(frames)
        for order in (False, True)
        for cut in ENDS
    ]


def padding_of(rows: Array) -> tuple[int, str]:
    """Return the padding and the end that has it."""
    runs: Counter[tuple[int, str]] = Counter()
    for row in rows:
        for side, way in ((ENDS[0], row[::-1]), (ENDS[1], row)):
            same = int(np.argmax(way != way[0])) if (way != way[0]).any() else len(way)
            if same > 1:
                runs[int(way[0]), side] += same
    if runs:
        return runs.most_common(1)[0][0]
    ends: Counter[tuple[int, str]] = Counter()
    for row in rows:
        ends.update(((int(row[-1]), ENDS[0]), (int(row[0]), ENDS[1])))
    zeros = [each for each in ends if each[0] == 0]
    return zeros[0] if zeros else (0, ENDS[0])


def _stripped(row: Array, padding: int, side: str) -> Array:
    inside = np.flatnonzero(row != padding)
    if not len(inside):
        return row[:0]
    return row[: inside[-1] + 1] if side == ENDS[0] else row[inside[0] :]
