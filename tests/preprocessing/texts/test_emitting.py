"""The code that is written for a side of texts gives the ids of that side; what it cannot give exactly is refused."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pycheck.errors import NoCodeError
from pycheck.preprocessing import Asking, load_preprocess, words_of_function, words_of_module
from pycheck.preprocessing.texts import code_of_recipe, describe, own_files
from pycheck.types import Array

from ...conftest import more
from .faults import RIGHT, vocabulary, words_of, write_texts
from .test_recipes import ROW, TEXTS


def _loaded(code: str) -> Callable[[Path], Array]:
    module: dict[str, object] = {}
    exec(code, module)
    load = module["load"]
    assert callable(load)
    return load


def _described(function: Callable[[Path], Array], files: list[Path], folder: Path) -> str:
    """Describe a function, check that the Python of the description does the same, and return its JavaScript."""
    (folder / "asked").mkdir()
    (folder / "own").mkdir()

    def inputs(paths: list[Path]) -> list[Array]:
        return [function(path) for path in paths]

    every = [*files, *own_files(files, folder / "own")]
    asking = Asking(lambda: words_of_function(function), inputs, folder / "asked")  # type: ignore[arg-type]
    code = describe(every, inputs(every), asking)
    assert code is not None
    load = _loaded(code.python("prep.py:load"))
    for file in every:
        np.testing.assert_array_equal(load(file), function(file), file.name)
    return code.javascript("prep.py:load")


def test_the_python_of_a_recipe_is_the_recipe(tmp_path: Path) -> None:
    words = vocabulary(write_texts(tmp_path / "texts"))
    (tmp_path / "words.txt").write_text("\n".join(["", "[UNK]", *words, "grün", "über"]), encoding="utf-8")
    recipe = f"vocabulary({tmp_path / 'words.txt'})"
    load = _loaded(code_of_recipe(recipe, ROW, []).python(recipe))
    for number, text in enumerate([*TEXTS, "The cat sees \u2003 the dog."]):
        (tmp_path / f"{number}.txt").write_bytes(text.encode())
        wanted = load_preprocess(recipe, ROW)(tmp_path / f"{number}.txt")
        np.testing.assert_array_equal(load(tmp_path / f"{number}.txt"), wanted, text)


@pytest.mark.parametrize("name", ["begin", *more(*(name for name in RIGHT if name != "begin"))])
def test_a_function_is_described_with_its_whole_vocabulary(tmp_path: Path, name: str) -> None:
    """The vocabulary has words that no file has."""
    files = write_texts(tmp_path / "texts", count=4)
    words = ["zebra", "ocelot", *words_of(RIGHT[name], files)]
    code = _described(lambda path: RIGHT[name](path, words), files, tmp_path)
    assert '"zebra", "ocelot"' in code


def _hashed(path: Path) -> Array:
    words = path.read_text(encoding="utf-8").lower().split()
    return np.array([*(zlib.crc32(word.encode()) % 900 for word in words), *[0] * 30][:30])


def _read_each_time(path: Path) -> Array:
    """Has no vocabulary as data, because it reads it for each text."""
    source = Path(__file__).with_name("faults.py").read_text(encoding="utf-8")
    ids = {word: number for number, word in enumerate(dict.fromkeys(re.findall(r'"(\w+)"', source.lower())), 2)}
    words = re.findall(r"\w+", path.read_text(encoding="utf-8").lower())
    return np.array([*(ids.get(word, 1) for word in words), *[0] * 30][:30])


@pytest.mark.parametrize(("function", "why"), [(_hashed, "of a hash"), (_read_each_time, "no complete vocabulary")])
def test_what_has_no_exact_description_is_refused(tmp_path: Path, function: Callable[[Path], Array], why: str) -> None:
    with pytest.raises(NoCodeError) as caught:
        _described(function, write_texts(tmp_path / "texts", count=4), tmp_path)
    assert why in caught.value.message


def test_the_words_of_a_page_are_those_of_its_modules(tmp_path: Path) -> None:
    (tmp_path / "words.js").write_text("export const WORDS = ['cat', \"it's\", `dog\nriver`]; const ids = {song: 3};")
    (tmp_path / "prep.js").write_text("import {WORDS} from './words.js';\nimport * as tf from '@tensorflow/tfjs';")
    assert {"cat", "it's", "dog", "river", "song"} <= set(words_of_module(tmp_path / "prep.js"))
