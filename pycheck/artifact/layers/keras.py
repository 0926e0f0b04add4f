"""Makes a trainable Keras 2 model from a layers artifact."""

from __future__ import annotations

from typing import Any

from ...errors import ArtifactFileError
from ...system.keras2 import import_tf_keras
from ..document import Document
from ..weights import decode_weights
from .graph import input_spec, make_layer
from .topology import Ref, read_plan
from .weights import assign_weights


def layers_keras(document: Document) -> Any:
    """Make a tf_keras functional model with the artifact's layers, names and weights.

    Regularizers and initializers of the file are left out, as for a prediction. ArtifactFileError: damaged, or with a
    nested model, whose names would be lost.
    """
    tf_keras = import_tf_keras()
    plan = read_plan(document)
    values: dict[Ref, Any] = {}
    inputs = []
    for name in plan.inputs:
        spec = input_spec(document, plan.layers[name])
        inputs.append(tf_keras.Input(batch_shape=tuple(spec.shape), dtype=spec.dtype, name=name))
        values[name, 0, 0] = inputs[-1]
    made: dict[str, Any] = {}
    for call in plan.calls:
        layer = plan.layers[call.layer]
        if layer.model:
            raise ArtifactFileError(
                f"Cannot rebuild the nested model {layer.name!r} of {document.file}.",
                "Give the Keras model that it was converted from (.keras or .h5).",
            )
        if layer.name not in made:
            made[layer.name] = make_layer(document, layer)
        arguments = [values[ref] for ref in call.inputs]
        try:
            results = made[layer.name](arguments[0] if len(arguments) == 1 else arguments)
        except Exception as error:  # Keras may raise any error for a shape or a type
            raise ArtifactFileError(f"Cannot call the layer {layer.name!r} of {document.file}: {error}.") from error
        for index, result in enumerate(results if isinstance(results, list | tuple) else [results]):
            values[call.layer, call.index, index] = result
    outputs = [values[ref] for ref in plan.outputs]
    assign_weights(document, list(made.items()), decode_weights(document))
    return tf_keras.Model(inputs, outputs if len(outputs) > 1 else outputs[0])
