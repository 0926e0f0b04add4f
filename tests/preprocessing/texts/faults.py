"""Puts faults into right pipelines for token ids, alone and in pairs, and says how many pycheck names exactly.

python -m tests.preprocessing.texts.faults prints the table; with --engine chromium, firefox or webkit the page is real.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pycheck.preprocessing import Explained, find_causes
from pycheck.types import Array

from ..pages import in_page

#: Nouns, verbs and names of which texts are made; a name has a capital.
_NOUNS = [
    "cat",
    "dog",
    "house",
    "river",
    "song",
    "bread",
    "morning",
    "winter",
    "train",
    "garden",
    "window",
    "letter",
    "friend",
    "story",
    "city",
    "mountain",
]
_VERBS = ["sees", "likes", "finds", "leaves", "paints", "follows", "hears", "brings", "keeps", "meets"]
_NAMES = ["Anna", "Berlin", "Carlos", "Delhi", "Emma", "Finland", "Grace", "Hamburg"]
_RARE = ["quagga", "zither", "umlaut", "xylem", "jackdaw", "vellum", "kumquat", "gneiss"]


def write_texts(folder: Path, seed: int = 0, count: int = 10) -> list[Path]:
    """Write texts of 4 to 40 words, with capitals, punctuation, and words that a small vocabulary does not have."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        sentences = []
        for _ in range(int(rng.integers(1, 7))):
            noun, other = rng.choice(_NOUNS, 2)
            rare = str(rng.choice(_RARE)) if rng.uniform() < 0.4 else str(other)
            name = str(rng.choice(_NAMES)) if rng.uniform() < 0.5 else f"The {noun}"
            end = str(rng.choice([".", "!", "?", ", isn't it?"]))
            sentences.append(f"{name} {rng.choice(_VERBS)} the {rare}{end}")
        (folder / f"{number:02}.txt").write_text(" ".join(sentences), encoding="utf-8")
    return sorted(folder.iterdir())


@dataclass(frozen=True)
class Steps:
    """A pipeline, step by step, in Python and in JavaScript."""

    length: int = 20
    lower: bool = True
    strip: bool = True  # punctuation is removed
    size: int = 30  # words in the vocabulary
    first: int = 2  # the id of the first word
    unknown: int | None = 1  # None: left out
    padding: int = 0
    side: str = "end"
    cut: str = "end"
    reversed: bool = False
    begin: int | None = None  # an id before the words

    def __call__(self, path: Path, words: Sequence[str]) -> np.ndarray:
        text = path.read_text(encoding="utf-8")
        text = text.lower() if self.lower else text
        text = re.sub(r"[^\w\s]", "", text) if self.strip else text
        known = {word: self.first + number for number, word in enumerate(words[: self.size])}
        ids = [known.get(word, self.unknown) for word in text.split()]
        kept = [each for each in ids if each is not None]
        room = self.length - (self.begin is not None)
        kept = kept[:room] if self.cut == "end" else kept[-room:]
        kept = kept[::-1] if self.reversed else kept
        kept = kept if self.begin is None else [self.begin, *kept]
        fill = [self.padding] * (self.length - len(kept))
        return np.array([*kept, *fill] if self.side == "end" else [*fill, *kept], np.int32)

    def javascript(self, words: Sequence[str]) -> str:
        known = {word: self.first + number for number, word in enumerate(words[: self.size])}
        room = self.length - (self.begin is not None)
        return f"""async (blob, tf) => {{
  const known = new Map(Object.entries({json.dumps(known)}));
  let text = await blob.text();
  {"text = text.toLowerCase();" if self.lower else ""}
  {"text = text.replace(/[^a-zA-Z0-9_ ]/g, '');" if self.strip else ""}
  let ids = text.split(/ +/).filter((word) => word).map((word) => known.get(word) ?? {json.dumps(self.unknown)});
  ids = ids.filter((id) => id !== null);
  ids = {f"ids.slice(0, {room})" if self.cut == "end" else f"ids.slice(-{room})"};
  {"ids.reverse();" if self.reversed else ""}
  {"" if self.begin is None else f"ids.unshift({self.begin});"}
  while (ids.length < {self.length}) ids.{"push" if self.side == "end" else "unshift"}({self.padding});
  return tf.tensor1d(ids, 'int32');
}}"""


def vocabulary(files: Sequence[Path]) -> list[str]:
    """The words of files in lower case, the most frequent first."""
    counts = Counter(
        word for file in files for word in re.sub(r"[^\w\s]", "", file.read_text(encoding="utf-8").lower()).split()
    )
    return sorted(counts, key=lambda word: (-counts[word], word))


RIGHT: dict[str, Steps] = {
    "keras": Steps(),
    "front": Steps(side="front", cut="front", length=16, first=1, unknown=None, size=1000),
    "begin": Steps(begin=1, unknown=2, first=4, length=24),
    "cased": Steps(lower=False, strip=False, unknown=99, first=100, padding=0),
}
EVERY = "keras, front, begin, cased"


@dataclass(frozen=True)
class Fault:
    """A change of the page, the codes that name it, and words that must be in what is said of the page."""

    title: str
    change: dict[str, Any]
    codes: frozenset[str]
    said: str
    of: tuple[str, ...]

    def goes_with(self, other: Fault) -> bool:
        """Tell whether both can be seen together."""
        return not self.codes & other.codes and not self.change.keys() & other.change.keys()


def _fault(title: str, codes: str, said: str, of: str, **change: Any) -> Fault:
    return Fault(title, change, frozenset(codes.split()), said, tuple(of.split(", ")))


FAULTS: tuple[Fault, ...] = (
    _fault("one less", "tokens-shifted", "all ids -1", "keras", first=1, unknown=0),
    _fault("one more", "tokens-shifted", "all ids +1", "front", first=2),
    _fault("three more", "tokens-shifted", "all ids +3", "keras", first=5, unknown=4),
    _fault("padding at the front", "padding-differs", "at the front", "keras, begin, cased", side="front"),
    _fault("padding at the end", "padding-differs", "at the end", "front", side="end"),
    _fault("padding of -7", "padding-differs", "padding -7", "keras, cased", padding=-7),
    _fault("cut at the front", "truncation-differs", "last words", "keras, begin, cased", cut="front"),
    _fault("cut at the end", "truncation-differs", "first words", "front", cut="end"),
    _fault("reversed", "tokens-reversed", "last word first", EVERY, reversed=True),
    _fault("not in lower case", "lower-case-differs", "unknown", "keras, begin", lower=False),
    _fault("in lower case", "lower-case-differs", "", "cased", lower=True),
    _fault("punctuation kept", "punctuation-differs", "punctuation kept", "keras, begin", strip=False),
    _fault("punctuation removed", "punctuation-differs", "removed", "cased", strip=True),
    _fault("unknown is 0", "unknown-words-differ", "is 0", "keras, begin", unknown=0),
    _fault("smaller vocabulary", "unknown-words-differ", "unknown", "keras, begin", size=18),
    _fault("unknown is 7", "unknown-words-differ", "is 7", "cased", unknown=7),
    _fault("no first id", "tokens-shifted", "[]", "begin", begin=None),
)


@dataclass(frozen=True)
class Case:
    """A pipeline whose page has faults: none, one or two."""

    right: str
    faults: tuple[Fault, ...]

    @property
    def title(self) -> str:
        return f"{self.right}: {' + '.join(fault.title for fault in self.faults) or 'right'}"

    @property
    def page(self) -> Steps:
        steps = RIGHT[self.right]
        for fault in self.faults:
            steps = replace(steps, **fault.change)
        return steps

    @property
    def codes(self) -> frozenset[str]:
        return frozenset().union(*(fault.codes for fault in self.faults))


def cases() -> list[Case]:
    """Every right pipeline, every fault wherever it can be, and every two faults that can be seen together."""
    made = [Case(name, ()) for name in RIGHT]
    made += [Case(name, (fault,)) for fault in FAULTS for name in fault.of]
    for number, fault in enumerate(FAULTS):
        for other in FAULTS[number + 1 :]:
            both = [name for name in fault.of if name in other.of]
            if both and fault.goes_with(other):
                made.append(Case(both[number % len(both)], (fault, other)))
    return made


@dataclass(frozen=True)
class Outcome:
    """What pycheck named for a case."""

    case: Case
    explained: Explained

    @property
    def exact(self) -> bool:
        """Tell whether the codes are those of the faults, and the words too."""
        said = " | ".join(cause.page for cause in self.explained.causes)
        named = frozenset(cause.code for cause in self.explained.causes)
        return named == self.case.codes and all(fault.said in said for fault in self.case.faults)

    def __str__(self) -> str:
        causes = "; ".join(f"{c.code}: {c.page} for {c.python}" for c in self.explained.causes) or "nothing"
        mark = "exact" if self.exact else "WRONG"
        return f"{mark}  {self.case.title:45} {causes} (left {self.explained.unexplained_rms:.2g})"


def words_of(steps: Steps, files: Sequence[Path]) -> list[str]:
    """The vocabulary of a pipeline: a cased one has the words as they stand."""
    if steps.lower:
        return vocabulary(files)
    counts = Counter(word for file in files for word in file.read_text(encoding="utf-8").split())
    return sorted(counts, key=lambda word: (-counts[word], word))


def inputs(steps: Steps, files: Sequence[Path], words: Sequence[str]) -> Array:
    return np.stack([steps(file, words) for file in files])


def outcome(case: Case, files: Sequence[Path], page: Array | None = None) -> Outcome:
    words = words_of(RIGHT[case.right], files)
    python = inputs(RIGHT[case.right], files, words)
    page = inputs(case.page, files, words) if page is None else page
    return Outcome(case, find_causes(files, python, page))


def outcomes_in(engine: str, some: Sequence[Case], files: Sequence[Path], folder: Path) -> list[Outcome]:
    """The outcomes with the inputs of a real page."""
    codes = [case.page.javascript(words_of(RIGHT[case.right], files)) for case in some]
    pages = in_page(engine, codes, files, folder)
    return [outcome(case, files, page) for case, page in zip(some, pages, strict=True)]


def summary(outcomes: Sequence[Outcome]) -> str:
    right = [each for each in outcomes if not each.case.faults]
    lines = []
    for count, title in ((1, "one fault"), (2, "two faults")):
        some = [each for each in outcomes if len(each.case.faults) == count]
        if some:
            lines.append(f"{title}: {sum(each.exact for each in some)} of {len(some)} named exactly")
    lines.append(f"right pipelines: {sum(bool(each.explained.causes) for each in right)} of {len(right)} have a cause")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose title has this text")
    parser.add_argument("--engine", default="", help="chromium, firefox or webkit: the page is real")
    parser.add_argument("--seed", type=int, default=0, help="other texts")
    options = parser.parse_args()
    some = [case for case in cases() if options.only in case.title]
    with tempfile.TemporaryDirectory() as folder:
        files = write_texts(Path(folder, "texts"), options.seed)
        if options.engine:
            made = outcomes_in(options.engine, some, files, Path(folder))
        else:
            made = [outcome(case, files) for case in some]
    print(*made, sep="\n")
    print(summary(made))


if __name__ == "__main__":
    main()
