"""Recognizes model files and weights in formats that pycheck does not read, and names the file to give instead."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from ..errors import ModelFileError

_SOURCE = "Give the Keras model or the SavedModel that it was converted from."
_SAVE_WHOLE = "Save the whole model: model.save('model.keras')"
_PYTORCH = "Convert it to Keras or to a SavedModel: pycheck compares TensorFlow with TensorFlow.js."
_FROZEN = 'Save it as a SavedModel with a signature: see "A frozen graph" in docs/troubleshooting.md.'
_PICKLE_VERSIONS = (2, 3, 4, 5)


def foreign_file(path: Path, head: bytes) -> ModelFileError | None:
    """Return the error for a file of a known foreign format; None for an unknown format."""
    name = path.name.lower()
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        return ModelFileError(f"{path} is an ONNX model.", _SOURCE)
    if suffix in (".mlmodel", ".mlpackage"):
        return ModelFileError(f"{path} is a Core ML model.", _SOURCE)
    if re.search(r"shard\d+of\d+", name) or (suffix == ".bin" and (path.parent / "model.json").is_file()):
        return ModelFileError(
            f"{path} has only the weights of a TF.js model.",
            f"Give the model.json beside it: {path.parent / 'model.json'}",
        )
    if re.search(r"\.data-\d+-of-\d+$", name) or suffix in (".ckpt", ".index", ".meta"):
        return ModelFileError(f"{path} is part of a checkpoint: it has weights, but no model.", _SAVE_WHOLE)
    if suffix == ".safetensors" or head[8:10] == b'{"':
        return ModelFileError(f"{path} is a safetensors file: it has weights, but no model.", _SAVE_WHOLE)
    if suffix in (".pt", ".pth", ".ckpt"):
        return ModelFileError(f"{path} is a PyTorch file.", _PYTORCH)
    if (head[:1] == b"\x80" and head[1] in _PICKLE_VERSIONS) or suffix in (".pkl", ".pickle", ".joblib"):
        return ModelFileError(
            f"{path} is a Python pickle, which could run code. pycheck does not open it.",
            "Give a Keras model: model.save('model.keras')",
        )
    if name == "tfhub_module.pb":
        return _hub_module(path.parent)
    if suffix == ".pb" and name != "saved_model.pb":
        return ModelFileError(f"{path} is a frozen TensorFlow graph: it does not name its inputs and outputs.", _FROZEN)
    return None


def foreign_archive(path: Path, names: Collection[str]) -> ModelFileError | None:
    """Return the error for a zip archive that holds no Keras model; None for unknown content."""
    files = {name.rpartition("/")[2]: name for name in sorted(names)}
    if "data.pkl" in files:
        return ModelFileError(f"{path} is a PyTorch file.", _PYTORCH)
    for inner, what in (("model.json", "a TF.js model"), ("saved_model.pb", "a SavedModel")):
        if inner in files:
            given = files[inner] if inner == "model.json" else files[inner].rpartition("/")[0] or "the folder"
            return ModelFileError(f"{path} is an archive that contains {what}.", f"Unzip it, and give {given}")
    models = [name for name in sorted(names) if name.endswith((".h5", ".hdf5", ".keras", ".tflite"))]
    if models:
        return ModelFileError(f"{path} is an archive that contains {models[0]}.", f"Unzip it, and give {models[0]}")
    return None


def foreign_folder(path: Path) -> ModelFileError | None:
    """Return the error for a folder that holds neither a SavedModel nor a TF.js model; None for unknown content."""
    names = {file.name for file in path.iterdir()}
    if "tfhub_module.pb" in names:
        return _hub_module(path)
    if any(name.endswith(".index") for name in names):
        return ModelFileError(f"{path} is a checkpoint: it has weights, but no model.", _SAVE_WHOLE)
    if "variables" in names:
        return ModelFileError(
            f"{path} is a SavedModel without its graph: saved_model.pb is missing.", "Copy the whole folder again."
        )
    if path.suffix == ".mlpackage":
        return ModelFileError(f"{path} is a Core ML model.", _SOURCE)
    if names & {"pytorch_model.bin", "model.safetensors", "tf_model.h5"}:
        return ModelFileError(
            f"{path} is a model of Hugging Face transformers.",
            "Load it with transformers, and export it: tf.saved_model.save(model, folder, signatures=...)",
        )
    inner = sorted(file for file in path.glob("*/saved_model.pb"))
    if inner:
        return ModelFileError(
            f"{path} has several SavedModels in its folders.", f"Give one of them, such as {inner[0].parent}"
        )
    if inner := sorted(file for file in path.iterdir() if file.suffix in (".keras", ".h5", ".hdf5")):
        return ModelFileError(f"{path} is a folder that contains {inner[0].name}.", f"Give the file: {inner[0]}")
    return None


def _hub_module(path: Path) -> ModelFileError:
    return ModelFileError(
        f"{path} is a TensorFlow Hub module for TensorFlow 1, which pycheck cannot read.",
        "Give its version for TensorFlow 2, a folder with saved_model.pb.",
    )
