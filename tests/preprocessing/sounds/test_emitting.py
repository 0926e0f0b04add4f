"""The code that is written for a side of sounds gives the numbers of that side, and has no more than it needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.fft
import scipy.signal
import soundfile

from pycheck.preprocessing import Asking, load_preprocess
from pycheck.preprocessing.sounds import code_of_recipe, describe, own_files
from pycheck.preprocessing.sounds.description import (
    ANCHORS,
    LOUDNESSES,
    METHODS,
    MIXES,
    NORMALS,
    Description,
    Source,
    Spectrum,
    made,
)
from pycheck.preprocessing.sounds.emitting.javascript import javascript
from pycheck.preprocessing.sounds.emitting.python import python
from pycheck.preprocessing.sounds.parts import spectrum_of
from pycheck.preprocessing.sounds.sides import Side
from pycheck.preprocessing.sounds.spectra import CENTERS, LOGS, NORMS, SCALES, TAPERS, Bands, Levels
from pycheck.types import AppCode

from ...conftest import more
from ..pages import by_apps
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
    load_emitted = module["load"]
    assert callable(load_emitted)
    for file, each in zip(files, wanted, strict=True):
        assert load_emitted(file).dtype == np.float32
        np.testing.assert_allclose(load_emitted(file), each, atol=1e-4 * side.step)
    for code in (side.python(text), side.javascript(text)):
        assert max(map(len, code.splitlines())) <= 120


def _librosa(path: Path) -> np.ndarray:
    """Crops to a second, and centers the frames of that: the last ones have the mirrored end of the second."""
    signal, rate = soundfile.read(path, always_2d=True)
    signal = scipy.signal.resample_poly(signal.mean(axis=1), 22050, rate)[:22050]
    signal = np.pad(np.pad(signal, (0, 22050 - len(signal))), 1024, mode="reflect")
    cut = np.stack([signal[k * 512 : k * 512 + 2048] for k in range(44)]) * scipy.signal.get_window("hann", 2048)
    return np.log(np.abs(np.fft.rfft(cut)).T + 1e-3)[:, :, None].astype(np.float32)


@pytest.mark.parametrize("name", ["plain", "second", *more("wave", "long wave", "whisper", "own")])
def test_a_function_is_described_to_the_roundoff_of_floats(files: list[Path], tmp_path: Path, name: str) -> None:
    function = _librosa if name == "second" else RIGHT[name]
    every = [*files, *own_files(files, tmp_path)]
    wanted = [function(file) for file in every]
    side = describe(every, wanted, Asking(tuple, list, tmp_path))
    assert side is not None and side.error < 1e-5
    module: dict[str, object] = {}
    exec(side.python(name), module)
    load_emitted = module["load"]
    assert callable(load_emitted)
    for file, each in zip(every, wanted, strict=True):
        np.testing.assert_allclose(load_emitted(file), each, atol=1e-4 * side.step)


@pytest.mark.exhaustive
def test_a_cepstrum_has_no_description(files: list[Path], tmp_path: Path) -> None:
    wanted = [scipy.fft.dct(RIGHT["yamnet"](file), axis=1, norm="ortho") for file in files]
    side = describe(files, wanted, Asking(tuple, list, tmp_path))
    assert side is None or side.error > 0.02


def _variants() -> list[tuple[Description, tuple[int, ...]]]:
    """Return a description with each value that a part may have, and the shape of its input."""
    wave, mel = Description(), Description(spectrum=Spectrum(bands=Bands(count=20), levels=Levels(add=1e-6)))
    spectrum = spectrum_of(mel)
    waves: list[dict[str, Any]] = [
        *({"mix": mix} for mix in MIXES), *({"method": method, "rate": 11025} for method in METHODS), {"rate": None},
        *({"anchor": anchor, "shift": shift} for anchor in ANCHORS for shift in (0, 7, -40)),
        *({"loudness": loudness} for loudness in LOUDNESSES), {"without_mean": True, "gain": 32768.0}, {"clip": 0.1},
    ]  # fmt: skip
    frames: list[dict[str, Any]] = [{"taper": taper} for taper in TAPERS]
    frames += [{"window": window, "fft": fft, "center": c} for window, fft in ((400, 512), (300, 360)) for c in CENTERS]
    bands: list[dict[str, Any]] = [{"scale": scale, "norm": norm, "fmin": 60} for scale in SCALES[1:] for norm in NORMS]
    levels: list[dict[str, Any]] = [{"log": log, "power": power, "floor": 1e-7} for log in LOGS for power in (1, 2)]
    levels += [{"top": 3.0, "mean": 1.5, "deviation": 2.0}, {"add": 0.0, "floor": 1e-4, "mean": -2.0}]
    of_mels = [replace(mel, spectrum=replace(spectrum, frames=replace(spectrum.frames, **each))) for each in frames]
    of_mels += [replace(mel, spectrum=replace(spectrum, bands=replace(spectrum.bands, **each))) for each in bands]
    of_mels += [replace(mel, spectrum=replace(spectrum, levels=replace(spectrum.levels, **each))) for each in levels]
    of_mels += [
        replace(mel, spectrum=replace(spectrum, normal=name, first=k)) for name in NORMALS for k in (False, True)
    ]
    of_mels += [replace(mel, rate=None), replace(mel, rate=None, spectrum=replace(spectrum, nominal=22050))]
    of_mels += [replace(of_mels[9], samples=4000), replace(mel, spectrum=replace(spectrum, bands=Bands(257, "linear")))]
    return [*((replace(wave, **each), (6000,)) for each in waves), *((each, _shape(each)) for each in of_mels)]


def _shape(description: Description) -> tuple[int, ...]:
    spectrum = spectrum_of(description)
    return (spectrum.bands.count, 30) if spectrum.first else (30, spectrum.bands.count, 1)


@pytest.mark.exhaustive
@pytest.mark.real
@pytest.mark.parametrize("engine", ["chromium", "firefox", "webkit"])
def test_each_part_of_a_description_has_code_in_both_languages(files: list[Path], tmp_path: Path, engine: str) -> None:
    for number, file in enumerate(files):  # in 32 bits, which no decoder rounds
        samples, rate = soundfile.read(file, always_2d=True)
        soundfile.write(tmp_path / f"{number}.wav", samples, rate, subtype="FLOAT")
    sources = [Source(file) for file in sorted(tmp_path.glob("*.wav"))]
    sides = [Side(description, shape, 0.0, 1.0) for description, shape in _variants()]
    apps = [AppCode(tmp_path / f"{number}.js") for number in range(len(sides))]
    for app, side in zip(apps, sides, strict=True):
        app.module.write_text(javascript(side, "prep.py:load"), encoding="utf-8")
    for side, page in zip(sides, by_apps(engine, apps, [source.path for source in sources]), strict=True):
        module: dict[str, object] = {}
        exec(python(side, "prep.py:load"), module)
        load = module["load"]
        assert callable(load)
        for source, of_page in zip(sources, page, strict=True):
            wanted = made(source, side.description, side.sizes).reshape(side.shape)
            atol = 1e-5 * float(np.std(wanted))
            np.testing.assert_allclose(load(source.path), wanted, atol=atol, err_msg=f"Python: {side.description}")
            np.testing.assert_allclose(of_page, wanted, atol=atol, err_msg=f"JavaScript: {side.description}")


@pytest.mark.exhaustive
def test_another_resampler_leaves_the_other_parts_described(files: list[Path], tmp_path: Path) -> None:
    def function(path: Path) -> np.ndarray:
        signal, rate = soundfile.read(path, always_2d=True)
        wave = scipy.signal.resample(signal[:, 0], len(signal) * 16000 // rate) if rate != 16000 else signal[:, 0]
        return np.pad(wave[:5000], (0, max(0, 5000 - len(wave)))).astype(np.float32)

    every = [*files, *own_files(files, tmp_path)]
    side = describe(every, [function(file) for file in every], Asking(tuple, list, tmp_path))
    assert side is not None and side.error < 1e-5 and side.side.resamples_otherwise
    assert "left channel" in side.told() and side.told().endswith("in a way that has no description")
