"""Finds how one side makes token ids of texts: it is asked for the ids of further texts, until one rule gives them all.

A row is described only if the rule gives every id of every text, and if the code of the side has all words of its
vocabulary as data. Otherwise there is no description: NoCodeError says why.
"""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...errors import NoCodeError
from .description import CASES, FILLS, REMOVED, SPACES, SPLITS, Description, words_in
from .layout import ENDS, Layout

#: Words of no language: they are unknown, unless the side makes ids of parts of words, or hashes them.
_NONSENSE = ("qzxjvk", "wvkqxzj", "xjqzvwk")
#: Words of which three with ids of their own are looked for.
_TRIED = 60
#: What may stand between words, beside ASCII punctuation.
_BETWEEN = ("\t", "\n", "\u00a0", "\u2003", "\u2019", "\u201c", "\u2014", "\u2026", "\u00a9", "\u00e9", "7", "  ")
#: The most words that a vocabulary may have.
_MOST_WORDS = 60_000
_BY_HAND = "Write the code of the other side by hand, and check it: pycheck compare --js-preprocess."

Row = tuple[int, ...]
#: Gives the ids of texts, None for a text that the side refuses.
Ask = Callable[[Sequence[str]], list[Row | None]]


@dataclass(frozen=True, slots=True)
class _Frame:
    """How a row lies, and the id of a word that the vocabulary does not have; None if it is left out."""

    layout: Layout
    unknown: int | None
    length: int

    @property
    def room(self) -> int:
        """Return how many words a row has at most."""
        return self.length - len(self.layout.before) - len(self.layout.after)

    def inside(self, row: Row) -> list[int] | None:
        """Return the ids of the words of a row; None if the row does not lie like this."""
        layout, kept = self.layout, list(row)
        while kept and kept[-1 if layout.side == ENDS[0] else 0] == layout.padding:
            kept.pop(-1 if layout.side == ENDS[0] else 0)
        before, after = list(layout.before), list(layout.after)
        if kept[: len(before)] != before or (after and kept[-len(after) :] != after):
            return None
        kept = kept[len(before) : len(kept) - len(after)]
        return kept[::-1] if layout.reversed else kept


class Learner:
    """Learns a side of texts; `known` are the words that its code has as data, in several variables."""

    def __init__(self, texts: Sequence[str], rows: Sequence[Row], known: Sequence[Sequence[str]], ask: Ask) -> None:
        self._of_files = list(zip(texts, rows, strict=True))
        self._answers: dict[str, Row | None] = {}
        self._variables, self._ask = known, ask
        self._known = list(dict.fromkeys(itertools.chain.from_iterable(known)))
        self._length = len(rows[0])
        self._own: dict[str, int] = {}  # of words with an id that no other one has

    def description(self) -> Description:
        """Return the rule that gives all ids; NoCodeError if there is none."""
        seen = words_in([text for text, _ in self._of_files])
        frame, words = self._frame([*seen, *self._known])
        candidates = list(dict.fromkeys([*self._known, *seen, *self._changed(seen)]))
        if frame is None or len(words) < 3:
            raise NoCodeError(
                "pycheck finds no words with ids of their own: its input is made of parts of words, of a hash, or of "
                "something else.",
                _BY_HAND,
            )
        if len(candidates) > _MOST_WORDS:
            raise NoCodeError(
                f"Its code has {len(candidates)} texts as data: pycheck asks for {_MOST_WORDS} words.", _BY_HAND
            )
        ids = self._ids(candidates, frame)
        self._put(_questions(words, [word for word in ids if not word.isascii()][:5]))
        told = self._told()
        holding = [made for rule in _rules(frame) if (made := _with_words(rule, ids, told))]
        if not holding:
            raise NoCodeError(
                "No rule of pycheck gives all ids: the texts are changed or split in another way.", _BY_HAND
            )
        # A rule that keeps capitals or marks gives the same ids with more words.
        best = min(holding, key=lambda made: len(made.numbers))
        self._check(best)
        return best

    def _put(self, texts: Sequence[str]) -> list[Row | None]:
        """Ask what was not asked before."""
        new = [text for text in dict.fromkeys(texts) if text not in self._answers]
        if new:
            self._answers.update(zip(new, self._ask(new), strict=True))
        return [self._answers[text] for text in texts]

    def _frame(self, words: Sequence[str]) -> tuple[_Frame | None, list[str]]:
        """Return how rows lie, with words that have ids of their own."""
        some = [word for word in dict.fromkeys(words) if word.isalnum()][:_TRIED]
        self._put(["", *_NONSENSE, *some, *(f"{word} {word} {word}" for word in some)])
        once = {word: self._answers[word] for word in (*_NONSENSE, *some)}
        layout = next(filter(None, (self._layout(word) for word in some)), None)
        if layout is None:
            return None, []
        frame = _Frame(layout, None, self._length)
        ids = {word: frame.inside(row) for word, row in once.items() if row is not None}
        strange = [self._between(frame, word, some) if ids.get(word) == [] else ids.get(word) for word in _NONSENSE]
        if any(each != strange[0] for each in strange) or strange[0] is None or len(strange[0]) > 1:
            return None, []
        frame = replace(frame, unknown=strange[0][0] if strange[0] else None)
        found: dict[int, str] = {}
        for word in some:
            own = ids.get(word)
            if own is not None and len(own) == 1 and own[0] != frame.unknown:
                found.setdefault(own[0], word)
        self._own = {word: number for number, word in found.items()}
        chosen = list(self._own)
        return (self._turned(frame, chosen), chosen) if len(chosen) > 2 else (None, [])

    def _between(self, frame: _Frame, nonsense: str, words: Sequence[str]) -> list[int] | None:
        """Return the ids of a word that is unknown, or left out: between two others it is no padding."""
        for word in words:
            one = self._answers[word]
            if one is None or not frame.inside(one):
                continue
            (row,) = self._put([f"{word} {nonsense} {word}"])
            inside = None if row is None else frame.inside(row)
            return None if inside is None else inside[1:-1]
        return None

    def _layout(self, word: str) -> Layout | None:
        """Return the padding and the ids around the words, by a word that stands there three times."""
        empty, one, three = (self._answers[text] for text in ("", word, f"{word} {word} {word}"))
        if one is None or three is None or three == one:
            return None
        for side in ENDS:
            padding = three[-1 if side == ENDS[0] else 0]
            own = [each for each in dict.fromkeys(three) if three.count(each) - one.count(each) == 2]
            if len(own) != 1 or own[0] == padding:
                continue
            kept = _without_padding(three, padding, side)
            places = [place for place, each in enumerate(kept) if each == own[0]]
            before, after = kept[: places[0]], kept[places[-1] + 1 :]
            layout = Layout(SPACES[0], side=side, padding=padding, before=before, after=after)
            rows = [(0, empty), (1, one), (3, three)]  # a side may refuse an empty text
            if all(
                row is None or tuple(map(int, layout.row([own[0]] * count, self._length))) == row for count, row in rows
            ):
                return layout
        return None

    def _turned(self, frame: _Frame, words: Sequence[str]) -> _Frame | None:
        """Return the frame with the order of the words, and the end of a long text that is cut."""
        first, second, third = words[:3]
        long = " ".join([first, *[second] * (2 * self._length), third])
        pair, cut = self._put([f"{first} {second}", long])
        one, two, three = (self._own[word] for word in (first, second, third))
        inside = None if pair is None else frame.inside(pair)
        if inside is None or cut is None:
            return None
        layout = replace(frame.layout, reversed=inside == [two, one])
        if inside not in ([one, two], [two, one]) or (one in cut) == (three in cut):
            return None
        return replace(frame, layout=replace(layout, cut=ENDS[0] if one in cut else ENDS[1]))

    def _changed(self, words: Sequence[str]) -> Iterator[str]:
        """Yield the words as rules change them."""
        for word in words:
            yield word.lower()
            for pattern in filter(None, REMOVED.values()):
                yield re.sub(pattern, "", word.lower())

    def _ids(self, candidates: Sequence[str], frame: _Frame) -> Mapping[str, int]:
        """Return the ids of words that have one. Several are asked in one text, and again if that is unclear."""
        words = [word for word in candidates if word and not re.search(r"\s", word)]
        plain = [word for word in words if word.isalnum()]
        size = max(1, min(frame.room, 64))
        groups = [plain[at : at + size] for at in range(0, len(plain), size)]
        groups += [[word] for word in words if not word.isalnum()]
        found: dict[str, int] = {}
        while groups:
            rows = self._put([" ".join(group) for group in groups])
            unclear = []
            for group, row in zip(groups, rows, strict=True):
                ids = None if row is None else frame.inside(row)
                if ids is not None and len(ids) == len(group):
                    found.update(zip(group, ids, strict=True))
                elif len(group) > 1 and ids != []:
                    half = len(group) // 2
                    unclear += [group[:half], group[half:]]
            groups = unclear
        return {word: number for word, number in found.items() if number != frame.unknown}

    def _has_unreachable(self, rule: Description, count: int) -> bool:
        """Tell whether a variable has the whole vocabulary, with so many words that the rule makes of no text.

        An example: "it's" in a vocabulary of texts without punctuation.
        """
        return any(
            rule.numbers.keys() <= set(words) and sum(rule.words(word) != [word] for word in words) >= count
            for words in self._variables
        )

    def _told(self) -> list[tuple[str, Row]]:
        """Return the ids of files and of what was asked; first short texts with marks, which refute most rules."""
        asked = [(text, row) for text, row in self._answers.items() if row is not None]
        return sorted([*self._of_files, *asked], key=lambda each: (each[0].isalnum(), len(each[0])))

    def _check(self, rule: Description) -> None:
        """Raise NoCodeError if the code of the side does not have the whole vocabulary as data."""
        data = set(self._known)
        lost = [word for text, _ in self._of_files for word in rule.words(text) if word in rule.numbers]
        lost = [word for word in dict.fromkeys(lost) if word not in data]
        ids = set(rule.numbers.values())
        around = {rule.layout.padding, rule.unknown, *rule.layout.before, *rule.layout.after}
        holes = [each for each in range(min(ids), max(ids)) if each not in ids and each not in around]
        if not lost and (not holes or self._has_unreachable(rule, len(holes))):
            return
        why = f'"{lost[0]}" of your files is not there' if lost else f"no word there has the id {holes[0]}"
        more = len(lost or holes) - 1
        raise NoCodeError(
            "pycheck finds no complete vocabulary in its code: "
            f"{why}{f', and {more} more' if more else ''}. Words of other texts would be unknown in the other side.",
            "Keep the vocabulary in a variable of the module, as a list, a dictionary or a layer, or use "
            "vocabulary(FILE).",
        )


def _with_words(rule: Description, ids: Mapping[str, int], told: Sequence[tuple[str, Row]]) -> Description | None:
    """Return a rule with its vocabulary: words that it leaves as they are; None if it does not give all ids."""
    if not _holds(replace(rule, numbers=ids), told):
        return None
    made = replace(rule, numbers={word: ids[word] for word in ids if rule.words(word) == [word]})
    return made if _holds(made, told) else None


def _holds(rule: Description, told: Sequence[tuple[str, Row]]) -> bool:
    return all(tuple(rule.row(text)) == row for text, row in told)


def _without_padding(row: Row, padding: int, side: str) -> Row:
    kept = list(row)
    while kept and kept[-1 if side == ENDS[0] else 0] == padding:
        kept.pop(-1 if side == ENDS[0] else 0)
    return tuple(kept)


def _questions(words: Sequence[str], foreign: Sequence[str]) -> list[str]:
    """Return texts that tell the rules apart: capitals, and each mark between, before, after and beside words."""
    one, two = words[:2]
    made = [change(word) for word in (*words[:5], *foreign) for change in (str.upper, str.title, str.lower, _mixed)]
    for mark in (*string.punctuation, *_BETWEEN):
        made += [f"{one}{mark}{two}", f"{mark}{one}", f"{one}{mark}", f"{one} {mark} {two}"]
    return made


def _mixed(word: str) -> str:
    """Return a word with capitals as no text has them, so that no vocabulary has it by chance."""
    return "".join(each.upper() if place % 2 else each.lower() for place, each in enumerate(word))


def _rules(frame: _Frame) -> Iterator[Description]:
    for split, removed, fill, case in itertools.product(SPLITS, REMOVED, FILLS, (CASES[0], CASES[2], CASES[1])):
        if fill == FILLS[0] or (REMOVED[removed] and split in SPACES):
            yield Description(frame.length, case, removed, fill, split, {}, frame.unknown, frame.layout)


def row_of(sample: object) -> Row | None:
    """Return the ids of a sample; None if they are no whole numbers."""
    values = np.asarray(sample).reshape(-1)
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all() or (values != np.round(values)).any():
        return None
    return tuple(int(each) for each in values)
