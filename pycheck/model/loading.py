"""Loads any model that pycheck reads, with the Keras that wrote it."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import re
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..artifact.tflite import check_for_litert_js, read_tflite
from ..errors import ModelFileError, UsageError
from ..graphdef.side_effects import state_of
from ..system.keras2 import import_tf_keras
from ..types import ModelInfo
from . import kind as sources
from .callable import Traced, is_keras3, is_tf_keras, trace_keras, trace_saved_model
from .keras2_code import keras2_imports
from .kind import ModelSource
from .lambdas import with_lambdas
from .loaded import Model
from .messages import one_line
from .old_files import said_in_full
from .safety import check_keras_config, check_saved_model, foreign_classes
from .signatures import serving_tags
from .tensorflow_import import import_tensorflow
from .tfjs import load_tfjs
from .tflite import load_tflite

_UNKNOWN_CLASS = re.compile(
    r"Could not locate (?:class|function) '(?P<a>[^']+)'"
    r"|Unknown (?:layer|object|activation function|initializer|[\w ]+?): '?(?P<b>[\w>.]+)'?"
)


def load(
    model: ModelSource | Any,
    *,
    custom_objects: Sequence[str] = (),
    trust: bool = False,
    signature: str | None = None,
) -> Model:
    """Load `model`, a ModelSource or a live keras.Model (Keras 3 or tf_keras), in inference mode.

    Keras 2 (the package tf_keras) runs a file that Keras 2 wrote, because Keras 3 computes some of its layers
    differently (hard_sigmoid has a different slope). Its custom objects are imported with tf_keras as their Keras. If
    they are nevertheless Keras 3 classes, Keras 3 runs the file.

    `custom_objects` are "module:attribute". `trust` allows code within the file (Lambda layers, pickled functions).
    `signature` names one of a SavedModel's. ModelFileError for a file that cannot be loaded; UsageError for a
    signature of a model without signatures.
    """
    if signature is not None and not (isinstance(model, ModelSource) and model.format == sources.SAVED_MODEL):
        raise UsageError(
            f"--signature {signature}: only a SavedModel has signatures.",
            "Remove --signature.",
        )
    if isinstance(model, ModelSource):
        _refuse_early(model, trust)
    begin = time.perf_counter()
    import_tensorflow()
    imported = time.perf_counter()
    if not isinstance(model, ModelSource):
        loaded = _load_object(model)
    elif model.format == sources.SAVED_MODEL:
        loaded = _load_saved_model(model, trust, signature)
    elif model.format == sources.TFJS:
        loaded = load_tfjs(model)
    elif model.format == sources.TFLITE:
        loaded = load_tflite(model)
    else:
        loaded = _load_keras_file(model, custom_objects, trust)
    loaded.timings_s = {"import_tensorflow": imported - begin, "load_model": time.perf_counter() - imported}
    return loaded


def _refuse_early(source: ModelSource, trust: bool) -> None:
    """Reject a file before TensorFlow is imported, which takes seconds."""
    if source.format in (sources.KERAS_H5, sources.KERAS_V3) and not trust:
        check_keras_config(source, sources.read_keras_config(source))
    if source.format == sources.TFLITE:
        check_for_litert_js(read_tflite(source.path), str(source.path))


def _load_object(model: Any) -> Model:
    if not (is_keras3(model) or is_tf_keras(model)):
        raise ModelFileError(
            f"The model is a {type(model).__module__}.{type(model).__qualname__}, not a keras.Model.",
            "Give a keras.Model, or the path of a model.",
        )
    traced = trace_keras(model)
    info = ModelInfo(f"<{model.name}>", sources.KERAS_OBJECT, _object_hash(model), traced.signature)
    return Model(info, traced, model)


def _object_hash(model: Any) -> str:
    """Hash the architecture and all weights; without a configuration, the class and all weights."""
    try:
        config = model.to_json()
    except Exception:  # a custom get_config may raise any error
        config = f"{type(model).__module__}.{type(model).__qualname__}"
    digest = hashlib.sha256(config.encode())
    for variable in model.weights:
        value = variable.numpy()
        digest.update(json.dumps([str(value.dtype), list(value.shape)]).encode() + value.tobytes())
    return digest.hexdigest()


def _load_saved_model(source: ModelSource, trust: bool, signature: str | None) -> Model:
    import tensorflow as tf

    tag_sets = check_saved_model(source, trust)
    try:
        loaded = tf.saved_model.load(str(source.path), tags=serving_tags(tag_sets))
    except Exception as error:
        raise ModelFileError(f"Cannot load {source.path}: {one_line(error)}.", "Export the model again.") from error
    traced, note = trace_saved_model(str(source.path), loaded, signature)
    _refuse_random(source, traced)
    info = ModelInfo(str(source.path), source.format, source.sha256, traced.signature)
    return Model(info, traced, notes=(note,) if note else ())


def _refuse_random(source: ModelSource, traced: Traced) -> None:
    """Reject an export with layers such as RandomFlip, which Keras exports in training mode: it predicts at random."""
    state = state_of(traced.function)
    if state.draws_random:
        layers = ", ".join(dict.fromkeys(write.layer for write in state.read))
        raise ModelFileError(
            f"{source.path} gives different results in each run: its layer {layers} draws random numbers, as in "
            "training.",
            "Give the .keras or .h5 file of this model, or export the model without the layer.",
        )


def _load_keras_file(source: ModelSource, custom_objects: Sequence[str], trust: bool) -> Model:
    version = sources.read_keras_version(source) or "2"  # files without the attribute are from Keras 1 or 2
    is_old = version.startswith(("1", "2"))
    if is_old:
        import_tf_keras()
    objects = _import_for_keras2(custom_objects) if is_old else import_custom_objects(custom_objects)
    keras2 = is_old and not _are_keras3(objects)
    if keras2 or _imports_any_module():
        _refuse_foreign_classes(source, objects, keras2)
    notes = [f"written by Keras {version}, run by {_library(keras2)}"]
    config: Any = None
    if keras2:
        written = sources.read_keras_config(source)
        config, objects = with_lambdas(str(source.path), written, objects)
        objects = _functions_of_old_applications() | objects
        if source.format == sources.KERAS_H5:
            config, changes = said_in_full(config, version, str(source.path))
            notes += changes
        config = None if config == written else config
    keras_model = _deserialize(source, keras2, objects, trust, config)
    traced = trace_keras(keras_model)
    return Model(
        ModelInfo(str(source.path), source.format, source.sha256, traced.signature), traced, keras_model, tuple(notes)
    )


def _import_for_keras2(references: Sequence[str]) -> dict[str, Any]:
    """Import objects with tf_keras as their Keras; with Keras 3 if they need something that only Keras 3 has."""
    try:
        with keras2_imports():
            return import_custom_objects(references)
    except ModelFileError:
        return import_custom_objects(references)


def _functions_of_old_applications() -> dict[str, Any]:
    """Return the functions that MobileNets of keras.applications up to Keras 2.2.2 name."""
    import tensorflow as tf

    return {"relu6": tf.nn.relu6}


def _imports_any_module() -> bool:
    """Tell whether the installed Keras 3 imports modules that a file names, as before 3.9 (CVE-2025-1550)."""
    import keras

    return _release(keras.__version__) < (3, 9)


def _refuse_foreign_classes(source: ModelSource, objects: Mapping[str, Any], keras2: bool) -> None:
    """Reject classes that are not given or registered, because tf_keras would import any module that a file names."""
    saving = importlib.import_module("tf_keras" if keras2 else "keras").saving
    for name, registered in foreign_classes(sources.read_keras_config(source)):
        if saving.get_registered_object(registered, custom_objects=dict(objects)) is None:
            raise _unknown_class(source, registered if name == "function" else name, _library(keras2))


def _library(keras2: bool) -> str:
    package = importlib.import_module("tf_keras" if keras2 else "keras")
    return f"{package.__name__} {package.__version__}"


def _are_keras3(objects: Mapping[str, Any]) -> bool:
    import keras

    return any(isinstance(item, type) and issubclass(item, keras.layers.Layer) for item in objects.values())


def _deserialize(source: ModelSource, keras2: bool, objects: Mapping[str, Any], trust: bool, config: Any) -> Any:
    """Load a file with its Keras; `config` replaces the file's own configuration unless it is None."""
    package = importlib.import_module("tf_keras" if keras2 else "keras")
    with _with_suffix(source) if config is None else _with_config(source, config) as path:
        try:
            return package.saving.load_model(
                str(path), custom_objects=dict(objects), compile=False, safe_mode=not trust
            )
        except Exception as error:
            raise _loading_error(source, error, _library(keras2)) from error


@contextmanager
def _with_suffix(source: ModelSource) -> Iterator[Path]:
    """Link a file without the right suffix to a name that has it, because Keras recognizes formats by suffix."""
    suffixes = (".keras",) if source.format == sources.KERAS_V3 else (".h5", ".hdf5")
    if source.path.suffix in suffixes and not source.path.name.endswith(".weights.h5"):
        yield source.path
        return
    with tempfile.TemporaryDirectory(prefix="pycheck-") as folder:
        link = Path(folder) / f"model{suffixes[0]}"
        link.symlink_to(source.path.resolve())
        yield link


@contextmanager
def _with_config(source: ModelSource, config: Any) -> Iterator[Path]:
    """Copy a file of Keras 2 with a different configuration."""
    with tempfile.TemporaryDirectory(prefix="pycheck-") as folder:
        copy = Path(folder) / ("model.keras" if source.format == sources.KERAS_V3 else "model.h5")
        if source.format == sources.KERAS_V3:
            _copy_archive(source.path, copy, {"config.json": json.dumps(config)})
        else:
            shutil.copyfile(source.path, copy)
            _write_architecture(copy, config)
        yield copy


def _copy_archive(source: Path, target: Path, texts: Mapping[str, str]) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.infolist():
            with old.open(member) as read, new.open(member.filename, "w", force_zip64=True) as written:
                shutil.copyfileobj(
                    io.BytesIO(texts[member.filename].encode()) if member.filename in texts else read, written
                )


def _write_architecture(file: Path, config: Any) -> None:
    import h5py

    with h5py.File(file, "r+") as content:
        content.attrs["model_config"] = json.dumps(config)
        weights = content["model_weights"].attrs
        if str(weights.get("keras_version", "")).startswith("1"):
            del weights["keras_version"]  # without a version, tf_keras assumes Keras 1


def _loading_error(source: ModelSource, error: Exception, library: str) -> ModelFileError:
    if match := _UNKNOWN_CLASS.search(str(error)):
        return _unknown_class(source, (match["a"] or match["b"]).rpartition(">")[2], library)
    version = sources.read_keras_version(source) or "the Keras that wrote it"
    if "marshal" in str(error) or "bad code" in str(error):
        return ModelFileError(
            f"{library} cannot load {source.path}: a Lambda in it has bytecode of a different Python version "
            f"({one_line(error)}).",
            "Load it with the Python version that wrote it, and export it there: model.export('folder')",
        )
    if library.startswith("keras ") and _release(version) > _release(library.removeprefix("keras ")):
        return ModelFileError(
            f"{library} cannot load {source.path}, which the newer Keras {version} wrote: {one_line(error)}.",
            f'Install that Keras or a newer one: pip install --upgrade "keras>={version}"',
        )
    return ModelFileError(
        f"{library} cannot load {source.path}: {one_line(error)}.",
        f"Load it with {'Keras ' * version[:1].isdigit()}{version}, and export it there: model.export('folder')",
    )


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _unknown_class(source: ModelSource, name: str, library: str) -> ModelFileError:
    if source.format == sources.KERAS_H5 and library.startswith("keras ") and _is_operation(name):
        return ModelFileError(
            f"{source.path} uses the operation {name!r} of keras.ops, which {library} cannot read from HDF5.",
            "Save the model as .keras: model.save('model.keras')",
        )
    return ModelFileError(
        f"{source.path} uses {name!r}, which {library} does not have.",
        f"Name the module that defines it: --custom-objects your_module:{name}",
    )


def _is_operation(name: str) -> bool:
    import keras

    return any(operation.__name__ == name for operation in keras.Operation.__subclasses__())


def import_custom_objects(references: Sequence[str]) -> dict[str, Any]:
    """Import objects, with the names that Keras may use for them; the current directory is importable."""
    objects: dict[str, Any] = {}
    with _current_directory_importable():
        for reference in references:
            item, name = _import_one(reference)
            if isinstance(item, Mapping):
                objects.update(item)
            else:
                objects.update({name: item, getattr(item, "__name__", name): item})
    return objects


def _import_one(reference: str) -> tuple[Any, str]:
    module_name, colon, attribute = reference.partition(":")
    if not colon or not module_name or not attribute:
        raise ModelFileError(
            f"The custom object {reference!r} is not of the form module:attribute.", "Write it as in my_layers:MyLayer."
        )
    try:
        item: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ModelFileError(
            f"Cannot import the custom object {reference!r}: Python finds no module {error.name!r}.",
            f"Put the module into {Path.cwd()}, or install it.",
        ) from error
    except Exception as error:
        raise ModelFileError(f"Cannot import {module_name} for {reference!r}: {one_line(error)}.") from error
    for part in attribute.split("."):
        if not hasattr(item, part):
            raise ModelFileError(f"The module {module_name} has no {attribute!r}.", f"Check the name in {reference!r}.")
        item = getattr(item, part)
    return item, attribute.rpartition(".")[2]


@contextmanager
def _current_directory_importable() -> Iterator[None]:
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
