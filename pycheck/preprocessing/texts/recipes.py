"""The known way to make token ids of a text: a vocabulary, as a layer TextVectorization of Keras has it.

``vocabulary(FILE)`` puts ASCII letters into lower case, removes punctuation, splits at white space, and gives each word
its number. The file has one word a line, as ``layer.get_vocabulary()`` lists them: line 0 is empty (padding), line 1 is
[UNK] (unknown words). If the first line is a word, its number is 2.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import InputsFileError, UsageError
from ...types import Array, Signature
from ..calls import Call

#: What keras.layers.TextVectorization removes (lower_and_strip_punctuation).
PUNCTUATION = r"""[!"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~']"""
_SPACE = re.compile(r"[ \t\n\v\f\r]+")
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
PADDING, UNKNOWN = 0, 1


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The number of each word, and how many numbers a sample has."""

    numbers: dict[str, int]
    length: int
    shape: tuple[int, ...]

    def __call__(self, path: Path) -> Array:
        """Make the input of a file: int32."""
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InputsFileError(f"Cannot decode {path}: it is no text in UTF-8.") from error
        made = np.full(self.length, PADDING, np.int32)
        ids = [self.numbers.get(word, UNKNOWN) for word in words(text)][: self.length]
        made[: len(ids)] = ids
        return made.reshape(self.shape)


def words(text: str) -> list[str]:
    """Return the words of a text as TextVectorization splits it."""
    return [word for word in _SPACE.split(re.sub(PUNCTUATION, "", text.translate(_LOWER))) if word]


def is_recipe(text: str) -> bool:
    """Tell whether a text names a recipe for texts."""
    call = Call.of(text)
    return call is not None and call.name == "vocabulary"


def recipe(text: str, signature: Signature) -> Callable[[Path], Array]:
    """Return the function of a recipe for a model with one input; UsageError for another model or no such file."""
    return made_for(text, signature)


def made_for(text: str, signature: Signature) -> Vocabulary:
    """Return a recipe with everything that the model decides."""
    call = Call.of(text)
    assert call is not None
    sizes = [size for spec in signature.inputs for size in spec.shape[1:] if size != 1]
    if len(signature.inputs) != 1 or len(sizes) != 1 or sizes[0] is None:
        raise UsageError(
            f"--preprocess {text} makes a row of numbers, but the model takes "
            f"{', '.join(f'{spec.name} {list(spec.shape)}' for spec in signature.inputs) or 'no input'}.",
            "Write a function: --preprocess FILE.py:FUNCTION.",
        )
    try:
        lines = Path(call.inside).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--preprocess {text}: the vocabulary {call.inside or '(no file)'} cannot be read.",
            'Write vocabulary(FILE), where FILE has one word a line: "\\n".join(layer.get_vocabulary()).',
        ) from error
    lines = [line.removesuffix("\r") for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    if lines[:1] != [""]:
        lines = ["", "[UNK]", *lines]
    numbers = {word: number for number, word in enumerate(lines) if number > UNKNOWN}
    return Vocabulary(numbers, sizes[0], tuple(size or 1 for size in signature.inputs[0].shape[1:]))
