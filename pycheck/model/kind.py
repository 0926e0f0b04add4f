"""Identifies the kind of model of a path and hashes it, without importing TensorFlow."""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..artifact.json_file import read_json
from ..artifact.tflite.flatbuffer import IDENTIFIER
from ..errors import ArtifactFileError, ModelFileError
from ..system.archives import ZIP_ERRORS
from .foreign import foreign_archive, foreign_file, foreign_folder

KERAS_V3 = "keras-v3"
KERAS_H5 = "keras-h5"
SAVED_MODEL = "saved-model"
TFJS = "tfjs"
TFLITE = "tflite"
KERAS_OBJECT = "keras-object"

_ACCEPTED = "Give a Keras file (.keras, .h5, .hdf5), a SavedModel folder, a TF.js model.json, or a .tflite file."
_SAVE_WHOLE = "Save the whole model: model.save('model.keras')"
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL\x01\x00\x00\x00"  # signature, version and padding of an HDF5 global heap
_ZIP_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model on disk. `sha256` is the hash of the file, or of all files of a folder with their relative names.

    For a TF.js model it is the hash of model.json and the shards that it names, given as a file or as a folder.
    """

    path: Path
    format: str  # keras-v3, keras-h5, saved-model, tfjs or tflite
    sha256: str


def identify(path: Path) -> ModelSource:
    """Identify the kind of model at `path`, by its content and not by its suffix.

    ModelFileError for a file that is not a whole model: missing, empty, truncated, weights only, a checkpoint, text.
    """
    path = Path(path)
    if not path.exists():
        raise ModelFileError(f"There is no model at {path}.", "Check the path. It is relative to the current folder.")
    if path.is_dir():
        folder_format = _identify_folder(path)
        digest = _hash_artifact(path / "model.json") if folder_format == TFJS else _hash_folder(path)
        return ModelSource(path, folder_format, digest)
    if not path.is_file():
        raise ModelFileError(f"{path} is neither a file nor a folder.", _ACCEPTED)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise ModelFileError(f"Cannot read {path}: {error.strerror or error}.") from error
    if size == 0:
        raise ModelFileError(f"{path} is empty (0 bytes).", "Copy the model again, or save it again.")
    file_format = _identify_file(path, head)
    return ModelSource(path, file_format, _hash_artifact(path) if file_format == TFJS else _hash_file(path))


def is_tflite(path: Path) -> bool:
    """Tell whether a path is a .tflite file; False if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(8)[4:] == IDENTIFIER
    except OSError:
        return False


def read_keras_config(source: ModelSource) -> dict[str, Any]:
    """Read the architecture of a keras-v3 or keras-h5 file as parsed JSON; no layer is built."""
    text = _h5_attribute(source.path, "model_config") if source.format == KERAS_H5 else _zip_json(source.path)
    assert text is not None, "identify() has seen it"
    config = _parse_json(source.path, text)
    if not isinstance(config, dict):
        raise ModelFileError(f"The architecture in {source.path} is not a JSON object.", _SAVE_WHOLE)
    return config


def read_keras_version(source: ModelSource) -> str | None:
    """Read the version of Keras that wrote a keras-v3 or keras-h5 file, such as "2.15.0"; None if it is not there."""
    if source.format == KERAS_H5:
        return _h5_attribute(source.path, "keras_version") or _h5_attribute(
            source.path, "keras_version", group="model_weights"
        )
    with zipfile.ZipFile(source.path) as archive:
        if "metadata.json" not in archive.namelist():
            return None
        metadata = _parse_json(source.path, archive.read("metadata.json").decode("utf-8", "replace"))
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    return str(version) if version else None


def read_compile_config(source: ModelSource) -> dict[str, Any] | None:
    """Read `optimizer` and `loss` of a keras-v3 or keras-h5 file; None if the model was not compiled."""
    if source.format == KERAS_H5:
        text = _h5_attribute(source.path, "training_config")
        config = _parse_json(source.path, text) if text else None
        if isinstance(config, dict) and "optimizer_config" in config:
            config = {"optimizer": config["optimizer_config"], "loss": config.get("loss")}
    else:
        config = read_keras_config(source).get("compile_config")
    return config if isinstance(config, dict) else None


def _identify_folder(path: Path) -> str:
    for graph in (path / "saved_model.pb", path / "saved_model.pbtxt"):
        if graph.is_file():
            if graph.stat().st_size == 0:
                raise ModelFileError(f"{graph} is empty (0 bytes).", "Copy the model again, or export it again.")
            return SAVED_MODEL
    if (path / "model.json").is_file():
        return _identify_file(path / "model.json", (path / "model.json").read_bytes()[:512])
    if (path / "checkpoint").is_file():
        raise ModelFileError(f"{path} is a checkpoint: it has weights, but no model.", _SAVE_WHOLE)
    if known := foreign_folder(path):
        raise known
    raise ModelFileError(f"{path} is not a SavedModel: it has no saved_model.pb.", _ACCEPTED)


def _identify_file(path: Path, head: bytes) -> str:
    if head.startswith(_HDF5_MAGIC):
        return _identify_h5(path)
    if head.startswith(_ZIP_MAGIC):
        return _identify_zip(path)
    if path.name == "saved_model.pb":
        raise ModelFileError(f"{path} is only one file of a SavedModel.", f"Give its folder: {path.parent}")
    if head[4:8] == IDENTIFIER:
        return TFLITE
    if path.suffix == ".tflite":
        raise ModelFileError(
            f"{path} is not a .tflite file: bytes 4 to 8 are {head[4:8]!r}, not {IDENTIFIER!r}.",
            "Copy the file again, or convert the model again.",
        )
    if known := foreign_file(path, head):
        raise known
    if path.suffix == ".json" or head.lstrip()[:1] == b"{":
        return _identify_json(path)
    if path.suffix in (".h5", ".hdf5"):
        raise ModelFileError(f"{path} is not an HDF5 file: it starts with {_glimpse(head)}.", _ACCEPTED)
    if path.suffix == ".keras":
        raise ModelFileError(f"{path} is not a .keras archive: it starts with {_glimpse(head)}.", _ACCEPTED)
    raise ModelFileError(f"{path} is not a model: it starts with {_glimpse(head)}.", _ACCEPTED)


def _identify_h5(path: Path) -> str:
    _refuse_endless_heap(path)
    if _h5_attribute(path, "model_config") is not None:
        return KERAS_H5
    kind = "only weights" if _looks_like_weights(path) else "HDF5 data"
    raise ModelFileError(f"{path} has {kind}, but no Keras model.", _SAVE_WHOLE)


def _identify_zip(path: Path) -> str:
    if not zipfile.is_zipfile(path):
        raise ModelFileError(
            f"Cannot read {path}: it is truncated, its zip directory is missing.",
            "Copy the model again, or save it again.",
        )
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            damaged = archive.testzip() if "config.json" in names else None
    except (OSError, *ZIP_ERRORS) as error:
        raise ModelFileError(
            f"Cannot read {path}: it is damaged: {error}.", "Copy the model again, or save it again."
        ) from error
    if damaged is not None:
        raise ModelFileError(
            f"Cannot read {path}: it is damaged, the checksum of {damaged} is wrong.", "Copy the model again."
        )
    if "config.json" in names and any(name.startswith("model.weights") for name in names):
        _parse_json(path, _zip_json(path))
        return KERAS_V3
    if any(name.endswith(".npy") for name in names):
        raise ModelFileError(f"{path} is a NumPy archive, not a model.", "Give the model first, then the inputs.")
    if known := foreign_archive(path, names):
        raise known
    raise ModelFileError(
        f"{path} is a zip archive, but not a Keras model: it has no config.json with weights.", _ACCEPTED
    )


def _identify_json(path: Path) -> str:
    try:
        content = read_json(path)
    except ArtifactFileError as error:
        raise ModelFileError(error.message, error.advice) from error
    if isinstance(content, dict) and "modelTopology" in content:
        return TFJS
    if isinstance(content, dict) and {"class_name", "config"} <= content.keys():
        raise ModelFileError(f"{path} has an architecture, but no weights.", _SAVE_WHOLE)
    raise ModelFileError(f"{path} is JSON, but not a TF.js model: it has no modelTopology.", _ACCEPTED)


def _h5_attribute(path: Path, name: str, group: str = "/") -> str | None:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            node = file.get(group)
            value = None if node is None else node.attrs.get(name)
    except (OSError, RuntimeError, KeyError) as error:
        reason = "it is truncated" if "truncated" in str(error) else f"HDF5 cannot open it ({_first_line(error)})"
        raise ModelFileError(f"Cannot read {path}: {reason}.", "Copy the model again, or save it again.") from error
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None if value is None else str(value)


def _refuse_endless_heap(path: Path) -> None:
    """Raise ModelFileError if a heap of texts has a gap, as in an incomplete download of full length.

    HDF5 steps from object to object by their sizes. At free space of size 0 it would loop forever, and Ctrl-C would
    not end it. Layout: "Disk Format: Level 1E - Global Heap" in the HDF5 file format specification 3.0.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(_HEAP)
        while 0 <= start <= len(content) - 16:
            at = start + 16
            end = min(start + int.from_bytes(content[start + 8 : at], "little"), len(content))
            while at + 16 <= end:
                index, size = struct.unpack_from("<H6xQ", content, at)
                if not index and not size:
                    raise ModelFileError(
                        f"Cannot read {path}: it is damaged at byte {at}.",
                        "Copy the model again, or save it again.",
                    )
                at += 16 + (size + 7) // 8 * 8 if index else size  # the size of free space includes its header
            start = content.find(_HEAP, start + 1)


def _looks_like_weights(path: Path) -> bool:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return "layer_names" in file.attrs or bool({"layers", "_layer_checkpoint_dependencies", "vars"} & set(file))
    except (OSError, RuntimeError, KeyError) as error:
        raise ModelFileError(
            f"Cannot read {path}: it is damaged: {_first_line(error)}.", "Copy the model again, or save it again."
        ) from error


def _zip_json(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read("config.json").decode("utf-8", "replace")


def _parse_json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ModelFileError(f"Cannot read the JSON in {path}: {_first_line(error)}.", _ACCEPTED) from error


def _glimpse(head: bytes) -> str:
    return repr(head[:16])[1:]


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_artifact(path: Path) -> str:
    """Hash a model.json and those of its shards that exist; loading checks for missing ones."""
    digest = hashlib.sha256(bytes.fromhex(_hash_file(path)))
    manifest = json.loads(path.read_bytes()).get("weightsManifest")
    for group in manifest if isinstance(manifest, list) else ():
        for name in (group.get("paths") or ()) if isinstance(group, dict) else ():
            shard = (path.parent / str(name)).resolve()
            if shard.is_relative_to(path.parent.resolve()) and shard.is_file():
                digest.update(bytes.fromhex(_hash_file(shard)))
    return digest.hexdigest()


def _hash_folder(path: Path) -> str:
    """Hash length-prefixed names and file hashes, so that two different folders never give the same bytes."""
    digest = hashlib.sha256()
    for file in sorted(item for item in path.rglob("*") if item.is_file()):
        name = file.relative_to(path).as_posix().encode()
        digest.update(len(name).to_bytes(8, "big") + name + bytes.fromhex(_hash_file(file)))
    return digest.hexdigest()
