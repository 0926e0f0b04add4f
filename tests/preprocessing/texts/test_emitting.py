"""The code that is written for a side of texts gives the ids of that side; what it cannot give exactly is refused."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from itertools import chain, product
from pathlib import Path

import numpy as np
import pytest

from pycheck.errors import NoCodeError
from pycheck.preprocessing import Asking, load_preprocess, words_of_function, words_of_module
from pycheck.preprocessing.texts import code_of_recipe, describe, own_files
from pycheck.preprocessing.texts.description import CASES, FILLS, REMOVED, SPLITS, Description, Side
from pycheck.preprocessing.texts.emitting.javascript import javascript
from pycheck.preprocessing.texts.emitting.python import python
from pycheck.preprocessing.texts.layout import ENDS, Layout
from pycheck.types import AppCode, Array

from ...conftest import more
from ..pages import by_apps
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
    words = ["zebra", "ocelot", "it's", *words_of(RIGHT[name], files)]  # no text without punctuation has the third
    code = _described(lambda path: RIGHT[name](path, words), files, tmp_path)
    assert '"zebra"' in code and '"ocelot"' in code


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


def test_the_words_of_a_function_are_those_of_all_that_it_uses() -> None:
    """Of data, of an object with a vocabulary, and of what a function calls; weights are no words."""

    class Layer:
        dtype = "float32"

        def get_vocabulary(self) -> list[str]:
            return ["", "[UNK]", "cat"]

    layer, weights = Layer(), np.zeros(10_000_000)
    words, ids = np.array(["dog", "river"]), {"song": 3}

    def tokens(text: str) -> list[int]:
        return [ids.get(word, len(words)) for word in text.split()]

    def load(path: Path) -> object:
        return tokens(path.read_text()), layer, weights

    assert {"cat", "dog", "river", "song", "[UNK]"} <= set(chain.from_iterable(words_of_function(load)))


def test_the_words_of_a_page_are_those_of_its_modules(tmp_path: Path) -> None:
    (tmp_path / "words.js").write_text("export const WORDS = ['cat', \"it's\", `dog\nriver`]; const ids = {song: 3};")
    (tmp_path / "prep.js").write_text("import {WORDS} from './words.js';\nimport * as tf from '@tensorflow/tfjs';")
    assert {"cat", "it's", "dog", "river", "song"} <= set(chain.from_iterable(words_of_module(tmp_path / "prep.js")))


def _variants() -> list[Description]:
    """Return a rule with each value that a part may have; some words of the vocabulary are names of JavaScript."""
    numbers = {
        word: 5 + 3 * n for n, word in enumerate(("the", "cat", "__proto__", "constructor", "isn", "É", "é", "x_y"))
    }
    base = Description(9, numbers=numbers)
    made = [replace(base, case=case) for case in CASES]
    made += [replace(base, removed=removed, fill=fill) for removed in REMOVED for fill in FILLS]
    made += [replace(base, split=split, case=CASES[2]) for split in SPLITS]
    counted = {word: n for n, word in enumerate(numbers)}
    made += [replace(base, numbers=counted, unknown=unknown) for unknown in (None, 0, 99)]
    layouts = product(ENDS, ENDS, (False, True), (((), ()), ((2,), (3, 4))))
    return made + [
        replace(base, unknown=unknown, layout=Layout("", cut, side, turned, 0, *around))
        for cut, side, turned, around in layouts
        for unknown in (None, 1)
    ]


@pytest.mark.exhaustive
@pytest.mark.real
@pytest.mark.parametrize("engine", ["chromium", "firefox", "webkit"])
def test_each_part_of_a_rule_has_code_in_both_languages(tmp_path: Path, engine: str) -> None:
    texts = [
        *TEXTS,
        "The cat __proto__ constructor x_y isn't É é ÉCAT",
        "the\u2003cat\x1cthe\x85cat\u00a0the",
        "cat " * 30,
    ]
    files = [tmp_path / f"{number}.txt" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_bytes(text.encode())
    rules = _variants()
    apps = [AppCode(tmp_path / f"{number}.js") for number in range(len(rules))]
    for app, rule in zip(apps, rules, strict=True):
        app.module.write_text(javascript(Side(rule, (9,)), "prep.py:load"), encoding="utf-8")
    for rule, page in zip(rules, by_apps(engine, apps, files), strict=True):
        load = _loaded(python(Side(rule, (9,)), "prep.py:load"))
        for file, of_page in zip(files, page, strict=True):
            wanted = rule.row(file.read_text(encoding="utf-8"))
            assert load(file).tolist() == wanted, f"Python: {rule}"
            assert of_page.tolist() == wanted, f"JavaScript: {rule}"
