"""The code that is written for a side of texts gives the ids of that side."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pycheck.preprocessing import load_preprocess
from pycheck.preprocessing.texts import code_of_recipe

from .faults import vocabulary, write_texts
from .test_recipes import ROW, TEXTS


def test_the_python_of_a_recipe_is_the_recipe(tmp_path: Path) -> None:
    words = vocabulary(write_texts(tmp_path / "texts"))
    (tmp_path / "words.txt").write_text("\n".join(["", "[UNK]", *words, "grün", "über"]), encoding="utf-8")
    recipe = f"vocabulary({tmp_path / 'words.txt'})"
    code = code_of_recipe(recipe, ROW, []).python(recipe)
    module: dict[str, object] = {}
    exec(code, module)
    load = module["load"]
    assert callable(load)
    for number, text in enumerate([*TEXTS, "The cat sees \u2003 the dog."]):
        (tmp_path / f"{number}.txt").write_bytes(text.encode())
        wanted = load_preprocess(recipe, ROW)(tmp_path / f"{number}.txt")
        np.testing.assert_array_equal(load(tmp_path / f"{number}.txt"), wanted, text)
