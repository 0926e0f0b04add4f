"""Files of other kinds are named for what they are, before TensorFlow is imported, and end with 2."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path

import pytest

from pycheck.errors import ModelFileError
from pycheck.model import identify

pytestmark = pytest.mark.real

FILES = {
    "m.tflite": (b"\x1c\0\0\0TFL2" + bytes(20), "not a .tflite file", "convert the model again"),
    "m.onnx": (b"\x08\x07\x12\x07pytorch", "ONNX", "converted from"),
    "m.mlmodel": (b"\x08\x01\x12", "Core ML", "converted from"),
    "m.pt": (pickle.dumps({"w": 1}), "PyTorch", "Convert it"),
    "m.joblib": (pickle.dumps([1]), "Python pickle", "model.save"),
    "m.pkl": (pickle.dumps([1]), "Python pickle", "model.save"),
    "m.safetensors": ((10).to_bytes(8, "little") + b'{"a":{}}  ', "safetensors", "model.save"),
    "group1-shard1of1.bin": (bytes(40), "weights of a TF.js model", "model.json"),
    "frozen.pb": (b"\x0a\x10\x0a\x01x\x12\x0bPlaceholder", "frozen TensorFlow graph", "A frozen graph"),
    "tfhub_module.pb": (b"\x08\x03", "TensorFlow Hub", "TensorFlow 2"),
    "model.ckpt.data-00000-of-00001": (bytes(40), "checkpoint", "model.save"),
    "model.ckpt.index": (bytes(40), "checkpoint", "model.save"),
    "model.json": (json.dumps({"class_name": "Sequential", "config": {}}).encode(), "architecture", "model.save"),
}
ARCHIVES = {
    "torch.zip": (["archive/data.pkl", "archive/version"], "PyTorch", "Convert it"),
    "teachable.zip": (
        ["metadata.json", "model.json", "weights.bin"],
        "a TF.js model",
        "give model.json",
    ),
    "keras.zip": (["keras_model.h5", "labels.txt"], "keras_model.h5", "give keras_model.h5"),
    "saved.zip": (["m/saved_model.pb", "m/variables/variables.index"], "a SavedModel", "give m"),
}
FOLDERS = {
    "hub": (["tfhub_module.pb", "saved_model.pbx"], "TensorFlow Hub", "TensorFlow 2"),
    "checkpoint": (["ckpt-1.index", "ckpt-1.data-00000-of-00001"], "a checkpoint", "model.save"),
    "without graph": (["variables/variables.index"], "saved_model.pb is missing", "Copy the whole folder"),
    "transformers": (["config.json", "pytorch_model.bin"], "transformers", "tf.saved_model.save"),
    "versions": (["1/saved_model.pb"], "several SavedModels", "Give one of them"),
    "parent": (["best.keras"], "best.keras", "Give the file"),
}


def told(path: Path, what: str, advice: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        identify(path)
    assert what in caught.value.message
    assert advice in caught.value.advice


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_named_for_what_it_is(name: str, tmp_path: Path) -> None:
    content, what, advice = FILES[name]
    (tmp_path / name).write_bytes(content)
    told(tmp_path / name, what, advice)


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_is_named_for_what_it_holds(name: str, tmp_path: Path) -> None:
    members, what, advice = ARCHIVES[name]
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        for member in members:
            archive.writestr(member, "x")
    told(tmp_path / name, what, advice)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_is_named_for_what_it_holds(name: str, tmp_path: Path) -> None:
    members, what, advice = FOLDERS[name]
    for member in members:
        (tmp_path / member).parent.mkdir(exist_ok=True)
        (tmp_path / member).write_bytes(b"x")
    told(tmp_path, what, advice)
