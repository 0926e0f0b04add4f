"""Faults of pages for token ids: python -m tests.preprocessing.texts.faults prints how many are named exactly."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pycheck.types import Array

from ..table import Case, Fault, Table, fault

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


FAULTS: tuple[Fault, ...] = (
    fault("one less", "tokens-shifted", "all ids -1", "keras", first=1, unknown=0),
    fault("one more", "tokens-shifted", "all ids +1", "front", first=2),
    fault("three more", "tokens-shifted", "all ids +3", "keras", first=5, unknown=4),
    fault("padding at the front", "padding-differs", "at the front", "keras, begin, cased", side="front"),
    fault("padding at the end", "padding-differs", "at the end", "front", side="end"),
    fault("padding of -7", "padding-differs", "padding -7", "keras, cased", padding=-7),
    fault("cut at the front", "truncation-differs", "last words", "keras, begin, cased", cut="front"),
    fault("cut at the end", "truncation-differs", "first words", "front", cut="end"),
    fault("reversed", "tokens-reversed", "last word first", EVERY, reversed=True),
    fault("not in lower case", "lower-case-differs", "unknown", "keras, begin", lower=False),
    fault("in lower case", "lower-case-differs", "", "cased", lower=True),
    fault("punctuation kept", "punctuation-differs", "punctuation kept", "keras, begin", strip=False),
    fault("punctuation removed", "punctuation-differs", "removed", "cased", strip=True),
    fault("unknown is 0", "unknown-words-differ", "is 0", "keras, begin", unknown=0),
    fault("smaller vocabulary", "unknown-words-differ", "unknown", "keras, begin", size=18),
    fault("unknown is 7", "unknown-words-differ", "is 7", "cased", unknown=7),
    fault("no first id", "tokens-shifted", "[]", "begin", begin=None),
)


def cases() -> list[Case]:
    """Every right pipeline, every fault wherever it can be, and every two faults that can be seen together."""
    made = [Case(name, steps) for name, steps in RIGHT.items()]
    made += [Case(name, RIGHT[name], (each,)) for each in FAULTS for name in each.of]
    for number, each in enumerate(FAULTS):
        for other in FAULTS[number + 1 :]:
            both = [name for name in each.of if name in other.of]
            if both and each.goes_with(other):
                name = both[number % len(both)]
                made.append(Case(name, RIGHT[name], (each, other)))
    return made


def words_of(steps: Steps, files: Sequence[Path]) -> list[str]:
    """The vocabulary of a pipeline: a cased one has the words as they stand."""
    if steps.lower:
        return vocabulary(files)
    counts = Counter(word for file in files for word in file.read_text(encoding="utf-8").split())
    return sorted(counts, key=lambda word: (-counts[word], word))


def inputs(steps: Steps, files: Sequence[Path], words: Sequence[str]) -> Array:
    return np.stack([steps(file, words) for file in files])


TABLE = Table(
    cases,
    write=lambda folder, seed, whole: write_texts(folder, seed),
    inputs=lambda case, steps, files: inputs(steps, files, words_of(case.steps, files)),
    javascript=lambda case, files, engine: case.page.javascript(words_of(case.steps, files)),
)

if __name__ == "__main__":
    TABLE.main(__doc__)
