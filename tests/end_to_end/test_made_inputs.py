"""Made inputs reach what they are to check: rows of tables, in the browser, by the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.artifact.document import read_document
from pycheck.artifact.weights import decode_weights
from pycheck.conversion import convert
from pycheck.model import load
from pycheck.types import Verdict

from ..conftest import Cli
from ..shared import session
from .conftest import CPU

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def keras() -> Any:
    from pycheck.model.tensorflow_import import import_tensorflow

    import_tensorflow()
    import keras

    return keras


@pytest.fixture(scope="module")
def words(keras: Any) -> Any:
    """A table of 400 rows, of which samples read 10 each, as token ids that Keras takes as floats."""
    L, rng = keras.layers, np.random.default_rng(0)
    model = keras.Sequential(
        [keras.Input((10,), name="words"), L.Embedding(400, 8, name="tokens"), L.GlobalAveragePooling1D(), L.Dense(2)]
    )
    model.set_weights([rng.normal(0, 1, weight.shape) for weight in model.get_weights()])
    return model


def with_other_rows(artifact: Path, every: int) -> Path:
    """Overwrites rows of the table in the artifact's shard: each `every`-th, from the last on."""
    document = read_document(artifact / "model.json")
    weights = decode_weights(document)
    start = 0
    for group in json.loads((artifact / "model.json").read_text())["weightsManifest"]:
        shard = artifact / group["paths"][0]
        values = np.frombuffer(shard.read_bytes(), np.float32).copy()
        for entry in group["weights"]:
            size = weights[entry["name"]].size
            if entry["shape"] == [400, 8]:
                table = values[start : start + size].reshape(400, 8)
                table[399::-every] += 1.0
            start += size
        shard.write_bytes(values.tobytes())
    return artifact / "model.json"


def test_rows_that_are_wrong_in_the_artifact_are_found_without_inputs(words: Any, tmp_path: Path) -> None:
    convert(load(words), tmp_path / "web", format="layers")
    artifact = tmp_path / "web" / "model.json"
    sound = session.compare(words, tfjs_model=artifact, runtimes=["chromium:cpu"], samples=40)
    assert sound.verdict is Verdict.PASS and sound.inputs.ids == ("words",)
    assert not [found for found in sound.findings if found.code == "input-scale"]
    with_other_rows(tmp_path / "web", 50)
    assert session.compare(words, tfjs_model=artifact, runtimes=["chromium:cpu"], samples=40).verdict is Verdict.DRIFT


def test_ids_may_be_integers_where_keras_takes_floats_and_one_beyond_the_table_is_bad_input(
    words: Any, tmp_path: Path, command: Cli
) -> None:
    words.save(tmp_path / "words.keras")
    x = np.arange(160).reshape(16, 10)
    np.save(tmp_path / "x.npy", x)
    said = command("compare", tmp_path / "words.keras", tmp_path / "x.npy", *CPU)
    assert said.code == 0 and "input-scale" not in said.out
    x[3, 5] = 400
    np.save(tmp_path / "x.npy", x)
    said = command("compare", tmp_path / "words.keras", tmp_path / "x.npy", *CPU)
    assert said.code == 2
    assert all(fact in said.messages for fact in ("'words' holds 400 in sample 3", "tokens", "0 to 399"))


def test_range_and_size_of_one_input_reach_the_inputs(keras: Any, tmp_path: Path, command: Cli) -> None:
    L, kinds, sound = keras.layers, keras.Input((None,), name="kinds"), keras.Input((None, 1), name="sound")
    pooled = [L.GlobalAveragePooling1D()(x) for x in (L.Embedding(12, 3)(kinds), sound)]
    keras.Model([kinds, sound], L.Dense(2)(L.Concatenate()(pooled))).save(tmp_path / "m.keras")
    asked = ("--range", "kinds:3:5", "--range=-1:1", "--size", "sound:160", "--json", tmp_path / "r.json")
    assert command("compare", tmp_path / "m.keras", *asked, *CPU).code == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["inputs"]["notes"][1:] == [
        "kinds: whole numbers from 3 to 4 (--range), samples of shape (8,) (free dimensions)",
        "sound: uniform in [-1, 1), samples of shape (160, 1) (free dimensions)",
    ]
    said = command("compare", tmp_path / "m.keras", "--range", "kind:0:1", *CPU)
    assert said.code == 2 and "Did you mean 'kinds'?" in said.messages
