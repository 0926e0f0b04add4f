"""Converts a model to a TF.js artifact, in the format that fits it or that the user chose."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..artifact.document import read_document
from ..errors import ConversionError
from ..system import installed
from ..types import ArtifactInfo, Tensors
from ..version import __version__

if TYPE_CHECKING:
    from ..model import Model

FORMATS = ("auto", "layers", "graph")


def convert(
    model: Model, folder: Path, *, format: str = "auto", quantize: str = "none", keep_float: Sequence[str] = ()
) -> ArtifactInfo:
    """Convert `model` into `folder`, which is absent or empty; after an error nothing remains there.

    Args:
        model: A loaded model.
        folder: The folder for model.json and its shards.
        format: ``layers`` keeps the Keras layers, ``graph`` the operations. ``auto`` takes layers if tfjs-layers has
            every layer with every argument, else graph; `ArtifactInfo.reason` says which and why.
        quantize: How float weights are stored: none, float16, uint16 or uint8.
        keep_float: Layers, weights or patterns of weights that stay float32 nevertheless.

    Raises:
        ConversionError: neither format, or not the chosen one, can hold the model; the message names every obstacle.
    """
    if format not in FORMATS:
        raise ConversionError(f"Unknown format {format!r}.", f"Use one of {', '.join(FORMATS)}.")
    if format == "graph":
        return _to_graph(model, folder, quantize, keep_float, reason="")
    obstacles = _layers_obstacles(model)
    if not obstacles:
        reason = "" if format == "layers" else "tfjs-layers has every layer"
        return _to_layers(model, folder, quantize, keep_float, reason)
    if format == "layers":
        raise ConversionError(
            "Cannot convert the model to a TF.js layers model:\n"
            + "\n".join(f"  {obstacle}" for obstacle in obstacles),
            "Use --format graph",
        )
    return _to_graph(model, folder, quantize, keep_float, reason=f"tfjs-layers cannot take it: {'; '.join(obstacles)}")


def convert_litert(
    model: Model,
    folder: Path,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    quantize: str = "none",
    samples: Iterable[Tensors] = (),
) -> ArtifactInfo:
    """Convert `model` into ``model.tflite`` in `folder`, which is absent or empty, for LiteRT.

    Args:
        model: A loaded model.
        folder: The folder for the file.
        shapes: The shape of each input by name, all dimensions fixed.
        quantize: none, float16, dynamic or int8; see `convert_tflite`.
        samples: Inputs in these shapes, with which int8 is calibrated.

    Raises:
        ConversionError: LiteRT lacks operations or types of the model; the message names them.
    """
    from .tflite import MODEL_FILE, convert_tflite

    zeros = {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}
    frozen, layers = model.in_shapes(zeros).frozen(), _layer_names(model.keras_model)
    artifact = convert_tflite(
        frozen, model.info.signature, folder, shapes, quantize=quantize, samples=samples, layers=layers
    )
    return _describe(model, folder, "tflite", quantize, "", artifact, MODEL_FILE)


def _layers_obstacles(model: Model) -> Sequence[str]:
    if model.keras_model is None:
        return ["a SavedModel has no Keras layers"]
    from . import layers

    return layers.unsupported(model.keras_model)


def _to_layers(model: Model, folder: Path, quantize: str, keep_float: Sequence[str], reason: str) -> ArtifactInfo:
    from . import layers

    artifact = layers.convert_layers(model.keras_model, folder, quantize, keep_float)
    return _describe(model, folder, "layers", quantize, reason, artifact)


def _to_graph(model: Model, folder: Path, quantize: str, keep_float: Sequence[str], reason: str) -> ArtifactInfo:
    from .graph import converter as graph

    artifact = graph.convert_graph(
        model.frozen(),
        model.info.signature,
        folder,
        quantize=quantize,
        keep_float=keep_float,
        layers=_layer_names(model.keras_model),
    )
    return _describe(model, folder, "graph", quantize, reason, artifact)


def _describe(
    model: Model,
    folder: Path,
    artifact_format: str,
    quantize: str,
    reason: str,
    artifact: Any,
    model_file: str = "model.json",
) -> ArtifactInfo:
    """Describe an artifact; its inputs and outputs are in the order of the model's, in either format."""
    signature = model.info.signature
    return ArtifactInfo(
        folder=folder,
        format=artifact_format,
        quantization=quantize,
        size_bytes=artifact.size_bytes,
        converter=_versions(),
        reason=reason,
        inputs=tuple(artifact.inputs),
        outputs=tuple(artifact.outputs),
        input_names={spec.name: name for spec, name in zip(signature.inputs, artifact.inputs, strict=True)},
        output_names={spec.name: name for spec, name in zip(signature.outputs, artifact.outputs, strict=True)},
        notes=tuple(artifact.notes),
        model_file=model_file,
        weights_sha256=_digest(folder, model_file),
    )


def _digest(folder: Path, model_file: str) -> str:
    """Return the SHA-256 of the weights of a model.json, or of a whole .tflite file."""
    if model_file.endswith(".tflite"):
        return hashlib.sha256((folder / model_file).read_bytes()).hexdigest()
    return read_document(folder).weights_sha256()


def _versions() -> str:
    return f"pycheck {__version__}, {installed.find('tensorflow') or 'tensorflow'}"


def _layer_names(keras_model: Any) -> frozenset[str]:
    """Return the names of all layers of a Keras 3 or tf_keras model, including those within other layers."""
    if keras_model is None:
        return frozenset()
    return frozenset(layer.name for layer in keras_model._flatten_layers(include_self=False))
