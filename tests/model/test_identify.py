"""Telling what a path holds, without TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from pycheck.errors import ModelFileError
from pycheck.model import identify

from .conftest import write_h5, write_keras

pytestmark = pytest.mark.real

CONFIG = {"class_name": "Sequential", "config": {"name": "s", "layers": []}}


def refusal(path: Path) -> ModelFileError:
    with pytest.raises(ModelFileError) as caught:
        identify(path)
    assert "\n" not in caught.value.message
    assert caught.value.exit_code == 2
    return caught.value


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("k3.h5", "keras-h5"),
        ("k2.h5", "keras-h5"),
        ("k3.keras", "keras-v3"),
        ("k2.keras", "keras-v3"),
        ("saved_model", "saved-model"),
    ],
)
def test_each_format_is_known_by_its_content(saved: dict[str, Path], name: str, format: str) -> None:
    source = identify(saved[name])
    assert (source.path, source.format) == (saved[name], format)
    assert len(source.sha256) == 64


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    assert identify(write_h5(tmp_path / "model.bin", CONFIG)).format == "keras-h5"
    assert identify(write_keras(tmp_path / "model", CONFIG)).format == "keras-v3"


def test_a_tfjs_model_is_known_as_a_file_and_as_its_folder(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(json.dumps({"format": "layers-model", "modelTopology": {}}))
    assert identify(tmp_path / "model.json").format == "tfjs"
    assert identify(tmp_path).format == "tfjs"


def test_tensorflow_is_not_imported(tmp_path: Path) -> None:
    path = write_h5(tmp_path / "m.h5", CONFIG)
    code = (
        "import sys; from pathlib import Path; from pycheck.model import identify; identify(Path(sys.argv[1]));"
        "print([name for name in ('tensorflow', 'keras', 'tf_keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_hash_of_a_folder_follows_contents_and_names_and_not_its_place(tmp_path: Path) -> None:
    def folder(name: str, files: dict[str, bytes]) -> str:
        for file, data in files.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return identify(tmp_path / name).sha256

    first = folder("a", {"saved_model.pb": b"graph", "variables/v": b"1"})
    assert folder("b", {"saved_model.pb": b"graph", "variables/v": b"1"}) == first
    assert folder("c", {"saved_model.pb": b"graph", "variables/v": b"2"}) != first
    assert folder("d", {"saved_model.pb": b"graph", "variables/w": b"1"}) != first


@pytest.mark.parametrize("name", ["k3.weights.h5", "k2.weights.h5", "k2_weights.h5"])
def test_weights_alone_are_told_to_save_the_whole_model(saved: dict[str, Path], name: str) -> None:
    error = refusal(saved[name])
    assert "only weights" in error.message
    assert "model.save('model.keras')" in error.advice


@pytest.mark.parametrize(("name", "told"), [("k3.h5", "truncated"), ("k3.keras", "truncated")])
def test_a_truncated_file_is_called_so(saved: dict[str, Path], tmp_path: Path, name: str, told: str) -> None:
    data = saved[name].read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) * 2 // 3])
    assert told in refusal(tmp_path / name).message


def test_a_gap_in_an_hdf5_file_is_found_where_hdf5_would_never_return(saved: dict[str, Path], tmp_path: Path) -> None:
    data = bytearray(saved["k3.h5"].read_bytes())
    heap = data.index(b"GCOL")
    assert identify(saved["k3.h5"]).format == "keras-h5"
    data[heap + 16 : heap + 216] = bytes(200)
    (tmp_path / "m.h5").write_bytes(data)
    assert "damaged" in refusal(tmp_path / "m.h5").message


def test_a_damaged_archive_is_called_so(saved: dict[str, Path], tmp_path: Path) -> None:
    data = bytearray(saved["k3.keras"].read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "m.keras").write_bytes(data)
    assert "damaged" in refusal(tmp_path / "m.keras").message
    with zipfile.ZipFile(saved["k3.keras"]) as whole, zipfile.ZipFile(tmp_path / "z.keras", "w", 8) as zipped:
        for name in whole.namelist():
            zipped.writestr(name, whole.read(name))
    data = bytearray((tmp_path / "z.keras").read_bytes())
    data[200:240] = bytes(range(100, 140))  # what it unpacks from is broken, not the checksum of what it gave
    (tmp_path / "z.keras").write_bytes(data)
    assert "damaged" in refusal(tmp_path / "z.keras").message


def test_a_missing_file_an_empty_file_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.h5").touch()
    (tmp_path / "folder").mkdir()
    assert "There is no model at" in refusal(tmp_path / "none.h5").message
    assert "is empty (0 bytes)" in refusal(tmp_path / "empty.h5").message
    assert "not a SavedModel" in refusal(tmp_path / "folder").message


@pytest.mark.parametrize("name", ["notes.txt", "model.h5", "model.keras"])
def test_a_text_file_is_no_model_whatever_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("hello, world\n")
    assert "it starts with 'hello, world" in refusal(tmp_path / name).message


def test_other_files_are_named_for_what_they_are(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["measurements"] = np.zeros(3)
    np.savez(tmp_path / "inputs.npz", x=np.zeros(3))
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    (tmp_path / "config.json").write_text("[1, 2]")
    (tmp_path / "architecture.json").write_text(json.dumps(CONFIG))
    (tmp_path / "broken.json").write_text('{"modelTopology": ')
    (tmp_path / "checkpoint_folder").mkdir()
    (tmp_path / "checkpoint_folder" / "checkpoint").write_text("model_checkpoint_path: 'x'")
    told = {
        "data.h5": "HDF5 data",
        "inputs.npz": "is a NumPy archive, not a model",
        "photos.zip": "not a Keras model",
        "config.json": "not a TF.js model",
        "architecture.json": "an architecture",
        "broken.json": "its JSON is cut off after 18 bytes",
        "checkpoint_folder": "a checkpoint",
    }
    for name, text in told.items():
        assert text in refusal(tmp_path / name).message


def test_the_graph_file_inside_a_saved_model_points_to_its_folder(saved: dict[str, Path], tmp_path: Path) -> None:
    assert str(saved["saved_model"]) in refusal(saved["saved_model"] / "saved_model.pb").advice
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "saved_model.pb").touch()
    assert "is empty" in refusal(tmp_path / "m").message
