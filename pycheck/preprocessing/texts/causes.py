"""Finds why the token ids of a page differ from Python's: how the rows lie, and which words get another id."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...types import Array, PipelineCause
from ..explained import Explained
from ..proof import proven
from .layout import ENDS, SPLITS, Layout, layouts, padding_of
from .recipes import PUNCTUATION

#: Words of which a smaller share is explained are not described.
_LEAST_SHARE = 0.35
#: A rule for a form of words holds if this share of them differs.
_MOST = 0.9
#: The share of words that may have another id than the same word elsewhere.
_MOST_CONFLICTS = 0.15
#: How many more words must have the id of Python in another layout, as a share.
_BETTER = 0.01
#: A text that is not split by any known rule: its words are the ids of Python.
_IDS = "the ids of Python"
_LAYOUT = ("tokens-reversed", "padding-differs", "truncation-differs", "punctuation-differs")
_WORDS = ("lower-case-differs", "punctuation-differs", "unknown-words-differ")


def find_causes(files: Sequence[Path], python: Array, page: Array) -> Explained:
    """Explain the difference between the token ids that Python and the page made of texts, a row for each file."""
    rest = _rms(python, page)
    nothing = Explained((), rest)
    if not rest or python.size != page.size or not all(are_ids(side) for side in (python, page)):
        return nothing
    rows = _rows(python), _rows(page)
    try:
        texts = [file.read_text(encoding="utf-8") for file in files]
    except (OSError, UnicodeDecodeError):
        texts = None
    described = _described(texts, rows)
    return nothing if described is None else described.explained()


def _described(texts: Sequence[str] | None, rows: tuple[Array, Array]) -> Described | None:
    """Return the layouts of both sides, and the ids of the words."""
    options = _of_texts(texts, rows[0]) if texts is not None else []
    for layout, words in [*options, _of_ids(rows[0])]:
        ids = _ids(rows[0], layout, words)
        found = None if ids is None else _of_page(rows[1], layout, words, ids, texts)
        if found is not None:
            return Described(rows, found.words, (layout, found.layout), found.shift)
    return None


def _of_texts(texts: Sequence[str], rows: Array) -> list[tuple[Layout, list[list[str]]]]:
    """Return the layouts with which the rows have as many ids as the texts have words; the fewest conflicts first."""
    found: list[tuple[int, Layout, list[list[str]]]] = []
    for layout in layouts(rows):
        words = [SPLITS[layout.split](text) for text in texts]
        pairs = [layout.words(row, each) for row, each in zip(rows, words, strict=True)]
        if all(pair is not None for pair in pairs) and any(words):
            found.append((_conflicts(pairs, words, layout.padding), layout, words))
    found.sort(key=lambda each: each[0])
    most = _MOST_CONFLICTS * sum(min(len(each), rows.shape[1]) for each in found[0][2]) if found else 0
    return [(layout, words) for conflicts, layout, words in found[:3] if conflicts <= min(found[0][0], most)]


def _of_ids(rows: Array) -> tuple[Layout, list[list[str]]]:
    padding, side = padding_of(rows)
    layout = Layout(_IDS, side=side, padding=padding)
    inside = [row[_content(row, padding, side)] for row in rows]
    return layout, [[str(each) for each in row] for row in inside]


def _content(row: Array, padding: int, side: str) -> slice:
    places = np.flatnonzero(row != padding)
    if not len(places):
        return slice(0, 0)
    return slice(0, int(places[-1]) + 1) if side == ENDS[0] else slice(int(places[0]), len(row))


def _conflicts(pairs: Sequence[list[tuple[int, int]] | None], words: Sequence[list[str]], padding: int) -> int:
    """Return how many words have another id than the same word elsewhere, or that of the padding."""
    ids: dict[str, Counter[int]] = {}
    paddings = 0
    for pair, each in zip(pairs, words, strict=True):
        for place, number in pair or ():
            ids.setdefault(each[place], Counter())[number] += 1
            paddings += number == padding
    return paddings + sum(sum(counts.values()) - max(counts.values()) for counts in ids.values())


def _ids(rows: Array, layout: Layout, words: Sequence[list[str]]) -> dict[str, int] | None:
    """Return the id of each word; None if a row does not have this layout."""
    counts: dict[str, Counter[int]] = {}
    for row, each in zip(rows, words, strict=True):
        pairs = layout.words(row, each)
        if pairs is None:
            return None
        for place, number in pairs:
            counts.setdefault(each[place], Counter())[number] += 1
    return {word: count.most_common(1)[0][0] for word, count in counts.items()}


@dataclass(frozen=True, slots=True)
class _Page:
    layout: Layout
    shift: int
    words: tuple[list[list[str]], list[list[str]]]
    count: int  # words with the id of Python, plus the shift
    share: float  # of the words that Python shows


def _of_page(
    rows: Array, python: Layout, words: list[list[str]], ids: dict[str, int], texts: Sequence[str] | None
) -> _Page | None:
    """Return the layout of the page in which most words have the id of Python, plus the same number."""
    best: _Page | None = None
    ids = {_plain(word): number for word, number in ids.items()} | ids
    for layout, own in _page_layouts(rows, python, words, texts):
        pairs = [layout.words(row, each) for row, each in zip(rows, own, strict=True)]
        if any(pair is None for pair in pairs):
            continue
        apart: Counter[int] = Counter()
        for pair, each in zip(pairs, own, strict=True):
            for place, number in pair or ():
                known = ids.get(each[place], ids.get(_plain(each[place])))
                if known is not None:
                    apart[number - known] += 1
        if not apart:
            continue
        shift, count = max(apart.items(), key=lambda each: (each[1], each[0] == 0))
        found = _Page(layout, shift, (words, own), count, count / sum(apart.values()))
        if best is None or found.count > best.count * (1 + _BETTER):
            best = found
    return best if best is not None and best.share >= _LEAST_SHARE else None


def _page_layouts(
    rows: Array, python: Layout, words: list[list[str]], texts: Sequence[str] | None
) -> Iterator[tuple[Layout, list[list[str]]]]:
    """Yield layouts, as near to Python's as possible first."""
    padding, side = padding_of(rows)
    options = [python] if python.split == _IDS or texts is None else [
        replace(python, split=split) for split in dict.fromkeys((python.split, *SPLITS))
    ]  # fmt: skip
    for base in options:
        own = words if base.split == python.split else [SPLITS[base.split](text) for text in texts or ()]
        for order in (python.reversed, not python.reversed):
            for cut in dict.fromkeys((python.cut, *ENDS)):
                for fill, where in dict.fromkeys(
                    ((python.padding, python.side), (padding, python.side), (padding, side))
                ):
                    for around in ((base.before, base.after), (), (rows[0][:1], base.after)):
                        before, after = around or ((), ())
                        layout = replace(base, reversed=order, cut=cut, padding=fill, side=where)
                        yield replace(layout, before=tuple(map(int, before)), after=tuple(map(int, after))), own


@dataclass(frozen=True, slots=True)
class Described:
    """Both sides: `words`, `layouts` are Python's and the page's; the page's ids are Python's plus `shift`."""

    rows: tuple[Array, Array]
    words: tuple[list[list[str]], list[list[str]]]
    layouts: tuple[Layout, Layout]
    shift: int

    def explained(self) -> Explained:
        """Return the proven causes."""
        made = _Made(self)
        found = proven(made.codes, made.error, 1e-9)
        causes = [PipelineCause(each.code, *made.clauses(each.code), each.before, each.after) for each in found]
        return Explained(tuple(causes), made.error(frozenset(each.code for each in found)))


class _Made:
    """Makes the page's rows with some differences undone."""

    def __init__(self, described: Described) -> None:
        self._rows, self._words = described.rows, described.words
        self._python, self._page = described.layouts
        self._shift = described.shift
        self._ids = tuple(
            _ids(rows, layout, words) or {}
            for rows, layout, words in zip(self._rows, described.layouts, self._words, strict=True)
        )
        self._unknown = _unknown(self._ids[0]), _unknown(self._ids[1])
        self._rules = self._held()
        self.codes = self._found()
        own = self._made(frozenset())
        self._rest = float(np.sqrt(np.mean((own - self._rows[1]) ** 2)))

    def _found(self) -> list[str]:
        """Return the differences that the descriptions have."""
        python, page = self._python, self._page
        found = ["tokens-shifted"] if self._shift or python.before != page.before or python.after != page.after else []
        found += ["tokens-reversed"] if python.reversed != page.reversed else []
        is_moved = page.padding - python.padding in (0, self._shift)
        found += ["padding-differs"] if python.side != page.side or not is_moved else []
        found += ["truncation-differs"] if python.cut != page.cut else []
        kinds = {self._kind(word) for words in self._words[1] for word in words}
        found += [
            code for code in _WORDS if code in kinds or (code == "punctuation-differs" and python.split != page.split)
        ]
        return found

    def error(self, undone: frozenset[str]) -> float:
        """Return the RMS error of the ids, with what the description of the page leaves."""
        apart = float(np.mean((self._made(undone) - self._rows[0]) ** 2))
        return float(np.sqrt(apart + self._rest**2))

    def _made(self, undone: frozenset[str]) -> Array:
        layout, python = self._page, self._python
        words = self._words[1]
        if "tokens-reversed" in undone:
            layout = replace(layout, reversed=python.reversed)
        if "truncation-differs" in undone:
            layout = replace(layout, cut=python.cut)
        if "padding-differs" in undone:
            fill = python.padding + (0 if "tokens-shifted" in undone else layout.padding - python.padding)
            layout = replace(
                layout,
                side=python.side,
                padding=fill if layout.padding - python.padding == self._shift else python.padding,
            )
        if "tokens-shifted" in undone:
            fill = layout.padding - (self._shift if layout.padding != python.padding else 0)
            layout = replace(layout, padding=fill, before=python.before, after=python.after)
        if "punctuation-differs" in undone:
            words = self._words[0]
        length = self._rows[1].shape[1]
        return np.stack([layout.row([self._id(word, undone) for word in each], length) for each in words])

    def _id(self, word: str, undone: frozenset[str]) -> int:
        python, page = self._known(0, word), self._ids[1].get(word)
        if page is None:  # the page does not show the word, which would differ as others of its kind do
            lost = [code for code in self._rules if self._has(word, code) and code not in undone]
            is_lost = bool(lost) and self._unknown[1] is not None
            page = self._unknown[1] if is_lost else (python or 0) + self._shift
            page = page or 0
        elif self._kind(word) in undone and python is not None:
            page = python + self._shift
        return page - self._shift if "tokens-shifted" in undone else page

    def _known(self, side: int, word: str) -> int | None:
        return self._ids[side].get(word, self._ids[side].get(_plain(word)))

    def _kind(self, word: str) -> str:
        """Return the code of the difference of a word; "" if both sides agree."""
        python, page = self._known(0, word), self._ids[1].get(word)
        if python is None or page is None or page == python + self._shift:
            return ""
        is_unknown = python == self._unknown[0], page == self._unknown[1]
        if all(is_unknown):
            return _WORDS[2]
        rule = next((code for code in self._rules if self._has(word, code)), "")
        return rule or (_WORDS[2] if any(is_unknown) else "")

    def _both_unknown(self, python: int, page: int) -> bool:
        return page == self._unknown[1] and python in (self._unknown[0], page - self._shift)

    def _has(self, word: str, code: str) -> bool:
        """Tell whether a word has the form that a rule is about."""
        return word != word.lower() if code == _WORDS[0] else bool(re.search(PUNCTUATION, word))

    def _held(self) -> list[str]:
        """Return the rules for capitals and punctuation in which the sides differ: nearly all such words differ."""
        found = []
        for code in _WORDS[:2]:
            other = _WORDS[1 - _WORDS.index(code)]
            apart = [
                self._ids[1][word] != python + self._shift
                for word in self._ids[1]
                if self._has(word, code) and (python := self._ids[0].get(word)) is not None
                and not self._both_unknown(python, self._ids[1][word])
                and not (self._has(word, other))
            ]  # fmt: skip
            if len(apart) > 1 and np.mean(apart) >= _MOST:
                found.append(code)
        return found

    def clauses(self, code: str) -> tuple[str, str]:
        """Say what each side does."""
        sides = self._python, self._page
        if code == "tokens-shifted":
            if not self._shift:
                around = [[*side.before, *side.after] for side in sides]
                return f"ids {around[0]} around the words", f"ids {around[1]} around the words"
            word, number = self._example()
            return f'"{word}" is {number}', f'"{word}" is {number + self._shift}, all ids {self._shift:+d}'
        if code == "tokens-reversed":
            said = ["last word first" if side.reversed else "first word first" for side in sides]
        elif code == "padding-differs":
            said = [f"padding {side.padding} at the {side.side}" for side in sides]
        elif code == "truncation-differs":
            said = [
                "the first words of a long text" if side.cut == ENDS[0] else "the last words of a long text"
                for side in sides
            ]
        elif code == "punctuation-differs" and sides[0].split != sides[1].split:
            said = [side.split for side in sides]
        else:
            return self._of_word(code)
        return said[0], said[1]

    def _of_word(self, code: str) -> tuple[str, str]:
        """Say the ids of the word that differs most often."""
        counts = Counter(
            word for words in self._words[1] for word in words if self._kind(word) == code and word in self._ids[1]
        )
        word = counts.most_common(1)[0][0]
        rule = {
            "lower-case-differs": ("capitals kept", "in lower case"),
            "punctuation-differs": ("punctuation kept", "punctuation removed"),
        }
        ids = self._known(0, word), self._ids[1][word]
        said = [
            f'"{word}" is {number}{" (unknown)" if number == unknown else ""}'
            for number, unknown in zip(ids, self._unknown, strict=True)
        ]
        if code in rule:
            keeps = self._keeps(code)
            said = [f"{rule[code][side != keeps]}: {text}" for side, text in enumerate(said)]
        return said[0], f"{said[1]}, and {_other(len(counts) - 1)}" if len(counts) > 1 else said[1]

    def _keeps(self, code: str) -> int:
        """Return the side that keeps capitals or punctuation: there, fewer such words have the id of the plain word."""
        same, lost = [0, 0], [0, 0]
        for side in (0, 1):
            ids, unknown = self._ids[side], self._unknown[side]
            for word, number in ids.items():
                if self._has(word, code):
                    plain = ids.get(word.lower() if code == _WORDS[0] else re.sub(PUNCTUATION, "", word))
                    same[side] += plain == number != unknown
                    lost[side] += number == unknown
        return int(same[1] < same[0]) if same[0] != same[1] else int(lost[1] >= lost[0])

    def _example(self) -> tuple[str, int]:
        known = [
            (word, number) for word, number in self._ids[0].items() if self._ids[1].get(word) == number + self._shift
        ]
        return max(known, key=lambda each: (_plain(each[0]) == each[0], len(each[0])), default=("?", 0))


def _unknown(ids: dict[str, int]) -> int | None:
    """Return the id that most different words have, if several have one."""
    counts = Counter(number for _, number in {(_plain(word), number) for word, number in ids.items()})
    if not counts:
        return None
    number, count = counts.most_common(1)[0]
    return number if count > 1 else None


def _other(count: int) -> str:
    return "another word differs" if count == 1 else f"{count} other words differ"


def _plain(word: str) -> str:
    return re.sub(PUNCTUATION, "", word.lower())


def are_ids(side: Array) -> bool:
    """Tell whether samples are rows of whole numbers."""
    if sum(size != 1 for size in side.shape[1:]) != 1 or side.dtype.kind not in "iuf":
        return False
    return bool(np.isfinite(side).all() and (side == np.round(side)).all() and np.abs(side).max() < 2**40)


def _rows(side: Array) -> Array:
    return side.reshape(len(side), -1).astype(np.int64)


def _rms(python: Array, page: Array) -> float:
    if python.size != page.size:
        return float("inf")
    return float(np.sqrt(np.mean(np.square(page.astype(np.float64).reshape(python.shape) - python))))
