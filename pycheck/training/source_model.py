"""Loads the Keras model to train: the given one, or one rebuilt from a TF.js layers model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..artifact.document import Document, read_document
from ..errors import ArtifactFileError, UsageError
from ..inputs import Inputs
from ..model import Model, load
from .keras_models import refuse_mixed_policies, require_trainable

_FEW = 8
#: The allowed difference between two ways to compute a model in float32 in Python, as a share of the largest output.
_ALIKE = 1e-4
_NO_TRAINING = "its weights are constants"
_WAY_OUT = "Give the Keras model that it was converted from (.keras or .h5)."


@dataclass(frozen=True, slots=True)
class SourceModel:
    """A Keras model that can be trained; `notes` are for the report."""

    keras_model: Any
    notes: tuple[str, ...] = ()


def source_model(model: Model, inputs: Inputs) -> SourceModel:
    """Return the Keras model to train. UsageError for a model that cannot be trained, with the reason and the fix."""
    path = model.info.path
    if model.keras_model is not None:
        found = SourceModel(model.keras_model)
    elif model.info.format != "tfjs":
        raise UsageError(f"Cannot train {path}: it is a SavedModel, and {_NO_TRAINING}.", _WAY_OUT)
    else:
        document = read_document(Path(path))
        if document.format == "graph":
            raise UsageError(f"Cannot train {path}: it is a TF.js graph model, and {_NO_TRAINING}.", _WAY_OUT)
        found = _of_layers(document, model, inputs)
    require_trainable(found.keras_model, path)
    refuse_mixed_policies(found.keras_model, path)
    return found


def _of_layers(document: Document, model: Model, inputs: Inputs) -> SourceModel:
    """Rebuild the layers of an artifact, and check that they compute the same as the artifact."""
    from ..artifact.layers.keras import layers_keras  # it imports TensorFlow, which is loaded by now

    try:
        keras_model = layers_keras(document)
    except ArtifactFileError as error:
        raise UsageError(f"Cannot train {model.info.path}: {error.message}", error.advice or _WAY_OUT) from error
    again = load(keras_model)
    tensors = {name: value[:_FEW] for name, value in next(iter(inputs.batches(_FEW))).tensors.items()}
    same = [[s.name for s in m.info.signature.inputs + m.info.signature.outputs] for m in (model, again)]
    if same[0] != same[1] or not _alike(model.predict(tensors), again.predict(tensors)):
        raise UsageError(
            f"Cannot train {model.info.path}: its layers, rebuilt with Keras 2, give different results.",
            _WAY_OUT,
        )
    notes = ["the training uses the layers of the TF.js model, rebuilt with Keras 2"]
    if left_out := sorted(set(_regularized(document.topology))):
        notes.append(f"{', '.join(left_out)}: the regularizer of the file is ignored; --regularize adds one")
    return SourceModel(keras_model, tuple(notes))


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(
        np.allclose(one[name], other[name], rtol=_ALIKE, atol=_ALIKE * float(np.abs(one[name]).max()), equal_nan=True)
        for name in one
    )


def _regularized(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if any(str(key).endswith("_regularizer") and value for key, value in node.items()):
            yield str(node.get("name", "a layer"))
        for value in node.values():
            yield from _regularized(value)
    elif isinstance(node, list):
        for item in node:
            yield from _regularized(item)
