"""The code that is written for a side of sounds gives the numbers of that side, and has no more than it needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.fft
import scipy.signal
import soundfile

from pycheck.preprocessing import Asking, load_preprocess
from pycheck.preprocessing.sounds import code_of_recipe, describe, own_files

from ...conftest import more
from .faults import RIGHT
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


def _librosa(path: Path) -> np.ndarray:
    """Crops to a second, and centers the frames of that: the last ones have the mirrored end of the second."""
    signal, rate = soundfile.read(path, always_2d=True)
    signal = scipy.signal.resample_poly(signal.mean(axis=1), 22050, rate)[:22050]
    signal = np.pad(np.pad(signal, (0, 22050 - len(signal))), 1024, mode="reflect")
    cut = np.stack([signal[k * 512 : k * 512 + 2048] for k in range(44)]) * scipy.signal.get_window("hann", 2048)
    return np.log(np.abs(np.fft.rfft(cut)).T + 1e-3)[:, :, None].astype(np.float32)


@pytest.mark.parametrize("name", ["plain", *more("second", "wave", "long wave", "whisper", "own")])
def test_a_function_is_described_to_the_roundoff_of_floats(files: list[Path], tmp_path: Path, name: str) -> None:
    function = _librosa if name == "second" else RIGHT[name]
    every = [*files, *own_files(files, tmp_path)]
    wanted = [function(file) for file in every]
    side = describe(every, wanted, Asking(tuple, list, tmp_path))
    assert side is not None and side.error < 1e-5
    module: dict[str, object] = {}
    exec(side.python(name), module)
    made = module["load"]
    assert callable(made)
    for file, each in zip(every, wanted, strict=True):
        np.testing.assert_allclose(made(file), each, atol=1e-4 * side.step)


@pytest.mark.exhaustive
def test_a_cepstrum_has_no_description(files: list[Path], tmp_path: Path) -> None:
    wanted = [scipy.fft.dct(RIGHT["yamnet"](file), axis=1, norm="ortho") for file in files]
    side = describe(files, wanted, Asking(tuple, list, tmp_path))
    assert side is None or side.error > 0.02
