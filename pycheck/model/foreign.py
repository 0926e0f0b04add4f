"""Name files that are models or weights of other kinds for what they are, with what to give instead."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from ..errors import ModelFileError

_SOURCE = "Give the Keras model or the SavedModel that it was converted from."
_SAVE_WHOLE = "Save the whole model instead: model.save('model.keras')."
_PYTORCH = "Export it to Keras or to a SavedModel first; pycheck compares TensorFlow with TensorFlow.js."
_FROZEN = (
    "Save it once as a SavedModel that says its inputs and outputs: docs/troubleshooting.md has the lines, under "
    '"A frozen graph".'
)
_PICKLE_VERSIONS = (2, 3, 4, 5)


def foreign_file(path: Path, head: bytes) -> ModelFileError | None:
    """What a file is that no model of pycheck begins like; None where that is not known."""
    name = path.name.lower()
    suffix = path.suffix.lower()
    if head[4:8] == b"TFL3":
        return ModelFileError(f"{path} is a TensorFlow Lite model.", _SOURCE)
    if suffix == ".onnx":
        return ModelFileError(f"{path} is an ONNX model.", _SOURCE)
    if suffix in (".mlmodel", ".mlpackage"):
        return ModelFileError(f"{path} is a Core ML model.", _SOURCE)
    if re.search(r"shard\d+of\d+", name) or (suffix == ".bin" and (path.parent / "model.json").is_file()):
        return ModelFileError(
            f"{path} holds weights of a TF.js model, without the model.",
            f"Give the model.json beside it: {path.parent / 'model.json'}",
        )
    if re.search(r"\.data-\d+-of-\d+$", name) or suffix in (".ckpt", ".index", ".meta"):
        return ModelFileError(f"{path} is part of a checkpoint: weights without a model.", _SAVE_WHOLE)
    if suffix == ".safetensors" or head[8:10] == b'{"':
        return ModelFileError(f"{path} is a safetensors file: weights without a model.", _SAVE_WHOLE)
    if suffix in (".pt", ".pth", ".ckpt"):
        return ModelFileError(f"{path} is a PyTorch file.", _PYTORCH)
    if (head[:1] == b"\x80" and head[1] in _PICKLE_VERSIONS) or suffix in (".pkl", ".pickle", ".joblib"):
        return ModelFileError(
            f"{path} is a Python pickle, as scikit-learn and joblib write them; it could run code and is not opened.",
            "Save a Keras model with model.save('model.keras').",
        )
    if name == "tfhub_module.pb":
        return _hub_module(path.parent)
    if suffix == ".pb" and name != "saved_model.pb":
        return ModelFileError(
            f"{path} is a frozen graph of TensorFlow, which does not say its inputs and outputs.", _FROZEN
        )
    return None


def foreign_archive(path: Path, names: Collection[str]) -> ModelFileError | None:
    """What a zip archive is that holds no Keras model."""
    files = {name.rpartition("/")[2]: name for name in sorted(names)}
    if "data.pkl" in files:
        return ModelFileError(f"{path} is a PyTorch file.", _PYTORCH)
    for inner, what in (("model.json", "a TF.js model"), ("saved_model.pb", "a SavedModel")):
        if inner in files:
            given = files[inner] if inner == "model.json" else files[inner].rpartition("/")[0] or "the folder"
            return ModelFileError(f"{path} is an archive with {what} in it.", f"Unzip it and give {given}.")
    models = [name for name in sorted(names) if name.endswith((".h5", ".hdf5", ".keras", ".tflite"))]
    if models:
        return ModelFileError(f"{path} is an archive with {models[0]} in it.", f"Unzip it and give {models[0]}.")
    return None


def foreign_folder(path: Path) -> ModelFileError | None:
    """What a folder is that holds neither a SavedModel nor a TF.js model."""
    names = {file.name for file in path.iterdir()}
    if "tfhub_module.pb" in names:
        return _hub_module(path)
    if any(name.endswith(".index") for name in names):
        return ModelFileError(f"{path} holds a checkpoint: weights without a model.", _SAVE_WHOLE)
    if "variables" in names:
        return ModelFileError(
            f"{path} is a SavedModel without its graph: saved_model.pb is missing.", "Copy the whole folder again."
        )
    if path.suffix == ".mlpackage":
        return ModelFileError(f"{path} is a Core ML model.", _SOURCE)
    if names & {"pytorch_model.bin", "model.safetensors", "tf_model.h5"}:
        return ModelFileError(
            f"{path} is a model of Hugging Face's transformers: weights and a configuration.",
            "Load it there, and export the part for the browser: tf.saved_model.save(model, folder, signatures=...).",
        )
    inner = sorted(file for file in path.glob("*/saved_model.pb"))
    if inner:
        return ModelFileError(
            f"{path} holds SavedModels in folders of their own.", f"Give one of them, such as {inner[0].parent}"
        )
    if inner := sorted(file for file in path.iterdir() if file.suffix in (".keras", ".h5", ".hdf5")):
        return ModelFileError(f"{path} is a folder with {inner[0].name} in it.", f"Give the file: {inner[0]}")
    return None


def _hub_module(path: Path) -> ModelFileError:
    return ModelFileError(
        f"{path} is a module of TensorFlow Hub for TensorFlow 1, which holds no signatures of a SavedModel.",
        "Give its version for TensorFlow 2, a folder with saved_model.pb.",
    )
