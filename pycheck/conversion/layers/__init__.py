"""Converts Keras models to TF.js layers models that plain tfjs-layers 4.22 computes correctly, or rejects them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ConversionError
from ..writing import write_model_json
from .converter import Conversion, convert_model


@dataclass(frozen=True, slots=True)
class LayersArtifact:
    """A layers model on disk.

    Attributes:
        size_bytes: model.json and the weight shards together.
        inputs: Names in the order of ``tf.LayersModel.inputs``, which is that of ``keras_model.inputs``.
        outputs: Names in the order of ``tf.LayersModel.outputs``, which is that of ``keras_model.outputs``.
        notes: How layers were rewritten that tfjs-layers lacks or reads differently.
    """

    size_bytes: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    notes: tuple[str, ...]


def unsupported(keras_model: Any) -> list[str]:
    """Return the reasons why a model cannot become a layers model; empty if it can.

    Each line names a layer, its class, and the feature that tfjs-layers lacks or reads differently.

    Each line names a layer, its class, and what tfjs-layers lacks or reads differently.

    Args:
        keras_model: A live model of Keras 3 or of tf_keras (Keras 2).
    """
    return list(convert_model(keras_model).problems)


def convert_layers(
    keras_model: Any, folder: Path, quantize: str = "none", keep_float: Sequence[str] = ()
) -> LayersArtifact:
    """Write a model as a TF.js layers model.

    Args:
        keras_model: A live model of Keras 3 or of tf_keras (Keras 2).
        folder: The folder for model.json and its shards; absent or empty.
        quantize: none, float16, uint16 or uint8.
        keep_float: Weights that are not quantized; see `write_model_json`.

    Raises:
        ConversionError: layers have no counterpart in tfjs-layers; the message names all of them.
    """
    conversion = convert_model(keras_model)
    if conversion.problems:
        listed = "\n".join(f"  {problem}" for problem in conversion.problems)
        raise ConversionError(
            f"tfjs-layers cannot compute {len(conversion.problems)} of the model's layers as Keras does:\n{listed}",
            "Use the graph format: --format graph",
        )
    graph = conversion.graph
    size_bytes = write_model_json(folder, _model_json(conversion, keras_model), graph.weights(), quantize, keep_float)
    return LayersArtifact(
        size_bytes,
        tuple(ref.layer.name for ref in graph.inputs),
        tuple(ref.layer.name for ref in graph.outputs),
        conversion.notes,
    )


def _model_json(conversion: Conversion, keras_model: Any) -> dict[str, Any]:
    return {
        "format": "layers-model",
        "generatedBy": f"keras ({type(keras_model).__module__.partition('.')[0]})",
        "convertedBy": "pycheck",
        "modelTopology": {
            # tfjs-layers reads the topology in the format of Keras 2.
            "keras_version": "2.15.0",
            "backend": "tensorflow",
            "model_config": conversion.graph.model_config(),
        },
    }
