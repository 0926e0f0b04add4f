"""The sample models are there, small, and show what models/README.md says of them, as far as Python can tell."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tf_keras

from models import make_models
from pycheck.system import installed

from ..conftest import more

pytestmark = pytest.mark.real

FOLDER = Path(__file__).parents[2] / "models"
FILES = [f"{stem}{suffix}" for stem, (_, suffixes) in make_models.SAMPLES.items() for suffix in suffixes]
OUTPUTS = {
    "cnn": {"digit": 10},
    "keras2": {"kind": 5},
    "two_io": {"score": 1, "category": 5},
    "recurrent": {"speed": 2},
    "attention": {"pace": 6},
    "half_overflow": {"loudness": 4},
    "webgl_nan": {"level": 3},
}


def load(file: str) -> Any:
    package = tf_keras if file == "keras2.h5" else keras
    return package.models.load_model(FOLDER / file)


def read_inputs(stem: str) -> Any:
    npz = FOLDER / f"{stem}_inputs.npz"
    return dict(np.load(npz)) if npz.exists() else np.load(FOLDER / f"{stem}_inputs.npy")


def outputs_of(model: Any, stem: str) -> dict[str, np.ndarray]:
    outputs = model.predict(read_inputs(stem), verbose=0)
    return outputs if isinstance(outputs, Mapping) else {next(iter(OUTPUTS[stem])): outputs}


@pytest.mark.parametrize("file", ["cnn.keras", "keras2.h5", *more(*sorted({*FILES} - {"cnn.keras", "keras2.h5"}))])
def test_a_sample_gives_finite_outputs_that_differ_from_sample_to_sample(file: str) -> None:
    stem = Path(file).stem
    outputs = outputs_of(load(file), stem)
    assert {name: array.shape for name, array in outputs.items()} == {
        name: (make_models.SAMPLE_COUNT, width) for name, width in OUTPUTS[stem].items()
    }
    for array in outputs.values():
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
        assert array.std(axis=0).max() > 0.05


def test_both_files_of_the_cnn_hold_the_same_weights() -> None:
    for one, other in zip(load("cnn.keras").weights, load("cnn.h5").weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_keras_2_sample_says_that_keras_2_wrote_it() -> None:
    with h5py.File(FOLDER / "keras2.h5") as file:
        assert file.attrs["keras_version"].startswith("2.")


@pytest.mark.parametrize("file", [file for file in FILES if file != "keras2.h5"])
def test_a_sample_of_keras_3_is_saved_as_the_oldest_supported_one_saves_it(file: str) -> None:
    if file.endswith(".h5"):
        with h5py.File(FOLDER / file) as opened:
            version = str(opened.attrs["keras_version"])
    else:
        with zipfile.ZipFile(FOLDER / file) as archive:
            version = json.loads(archive.read("metadata.json"))["keras_version"]
    assert tuple(map(int, version.split(".")[:2])) == installed.KERAS_OLDEST


def test_the_half_overflow_sample_exceeds_half_floats_inside_and_not_at_its_ends() -> None:
    model = load("half_overflow.keras")
    inside = keras.Model(model.inputs, model.get_layer("power").output).predict(read_inputs("half_overflow"), verbose=0)
    assert inside.max() > np.finfo(np.float16).max
    assert np.abs(read_inputs("half_overflow")).max() < np.finfo(np.float16).max


def test_the_webgl_nan_sample_has_minus_infinity_before_its_relu_and_nothing_but_finite_numbers_elsewhere() -> None:
    model = load("webgl_nan.keras")
    readings = read_inputs("webgl_nan")
    layers = [model.get_layer(name).output for name in ("headroom", "no_less_than_none")]
    before, after = keras.Model(model.inputs, layers).predict(readings, verbose=0)
    assert np.isfinite(readings).all()
    assert np.isneginf(before).any()
    assert np.isfinite(after).all()


def test_the_samples_stay_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 3 * 2**20


def test_the_readme_names_every_file() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    missing = [path.name for path in FOLDER.iterdir() if path.is_file() and f"`{path.name}`" not in text]
    assert missing == ["README.md"]


@pytest.mark.parametrize("stem", ["cnn", "keras2", *more(*sorted({*make_models.SAMPLES} - {"cnn", "keras2"}))])
def test_the_script_makes_the_same_inputs_and_the_same_architecture_again(
    stem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make_models, "train", lambda *_, **__: None)
    make, suffixes = make_models.SAMPLES[stem]
    model, inputs = make()
    saved = load(f"{stem}{suffixes[0]}")
    assert [(w.name, tuple(w.shape)) for w in model.weights] == [(w.name, tuple(w.shape)) for w in saved.weights]
    assert [layer.name for layer in model.layers] == [layer.name for layer in saved.layers]
    kept = read_inputs(stem)
    for name in kept if isinstance(kept, dict) else [...]:
        np.testing.assert_allclose(inputs[name], kept[name], rtol=1e-5)


@pytest.mark.exhaustive
def test_mobilenet_has_activations_and_answers_like_those_of_a_trained_one() -> None:
    model = make_models.mobilenet_v2()
    names = ("Conv1_relu", "block_8_add", "out_relu", model.layers[-1].name)
    taps = keras.Model(model.inputs, [model.get_layer(name).output for name in names])
    *activations, probabilities = taps.predict(make_models.photographs(9, 4), verbose=0)
    assert all(0.2 < activation.std() < 5 for activation in activations)
    assert probabilities.shape == (4, 1000)
    assert (probabilities.max(axis=1) > 0.05).all()
