"""The code that is written for a side of sounds gives the numbers of that side, and has no more than it needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pycheck.preprocessing import load_preprocess
from pycheck.preprocessing.sounds import code_of_recipe

from ...conftest import more
from .sounds import voice
from .test_recipes import RECIPES, takes


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A voice at the rate of most models, and two channels of another length at a different rate."""
    folder = tmp_path_factory.mktemp("sounds")
    soundfile.write(folder / "a.wav", voice(16000, 0.5, 1), 16000)
    soundfile.write(folder / "b.flac", np.stack([voice(22050, 0.9, 2), voice(22050, 0.9, 3)], axis=1), 22050)
    return sorted(folder.iterdir())


@pytest.mark.parametrize(("text", "shape"), [RECIPES[1], *more(RECIPES[0], *RECIPES[2:])])
def test_the_python_of_a_recipe_is_the_recipe(files: list[Path], text: str, shape: tuple[int, ...]) -> None:
    load = load_preprocess(text, takes(*shape))
    wanted = [load(file) for file in files]
    side = code_of_recipe(text, takes(*shape), wanted)
    module: dict[str, object] = {}
    exec(side.python(text), module)
    assert "pycheck" not in [line.split()[1] for line in side.python(text).splitlines() if line.startswith("import")]
    made = module["load"]
    assert callable(made)
    for file, each in zip(files, wanted, strict=True):
        assert made(file).dtype == np.float32
        np.testing.assert_allclose(made(file), each, atol=1e-4 * side.step)
    for code in (side.python(text), side.javascript(text)):
        assert max(map(len, code.splitlines())) <= 120
