"""What an artifact's files tell without running it: weights that are no numbers, epsilons, resizing that differs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..types import NonfiniteWeight
from .document import Document, read_document
from .layer_names import LayerNames
from .weights import Array, decode_weights

_NORMALIZING_LAYERS = frozenset({"BatchNormalization", "LayerNormalization"})
_FUSED_NORMALIZATIONS = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
_ROOTS = frozenset({"Rsqrt", "Sqrt"})
_DEFAULT_EPSILON = 1e-3  # of tfjs-layers' BatchNormalization and LayerNormalization


class ArtifactEvidence:
    """Read once from disk. `layers` are the names of the model's Keras layers, where they are known.

    Errors are those of `read_document` and `decode_weights`.
    """

    def __init__(self, path: Path, layers: Collection[str] = ()) -> None:
        document = read_document(path)
        self._weights = decode_weights(document)
        self._format = document.format
        self._nodes: dict[str, Any] = {}
        if document.format == "graph":
            self._nodes = {node["name"]: node for node in document.topology["node"]}
        self._layers = dict(document_layers(document)) if document.format == "layers" else {}
        self._names = LayerNames(self._nodes, layers)

    def weights(self) -> tuple[NonfiniteWeight, ...]:
        """Weights with NaN or infinity, decoded as TF.js decodes them."""
        found = (nonfinite("artifact", name, self._layer_of(name), value) for name, value in self._weights.items())
        # One infinite number, in a graph, is an argument of an operation: where nothing is masked, no score too low.
        return tuple(weight for weight in found if weight and (weight.shape or weight.nan_count))

    def epsilons(self) -> Mapping[str, tuple[float, bool]]:
        """By layer, and whether an operation of its own adds it. What was folded into other weights tells none."""
        if self._format == "layers":
            return {
                name: (float(config.get("epsilon", _DEFAULT_EPSILON)), False)
                for name, (kind, config) in self._layers.items()
                if kind in _NORMALIZING_LAYERS
            }
        return dict(self._of_nodes())

    def bilinear_layers(self) -> tuple[str, ...]:
        """Layers that tfjs-layers resizes without half-pixel centers, whatever the model did."""
        return tuple(
            name
            for name, (kind, config) in self._layers.items()
            if kind == "UpSampling2D" and config.get("interpolation") == "bilinear"
        )

    def _of_nodes(self) -> Iterator[tuple[str, tuple[float, bool]]]:
        for name, node in self._nodes.items():
            layer = self._names.of(name) or name
            if node["op"] in _FUSED_NORMALIZATIONS:
                attribute = node.get("attr", {}).get("epsilon", {})
                yield layer, (float(attribute.get("f", 1e-4)), False)
            elif node["op"] in _ROOTS:
                for value in self._added_before(node):
                    yield layer, (value, True)

    def _added_before(self, root: Mapping[str, Any]) -> Iterator[float]:
        """The constant that is added to what a root is taken of."""
        source = self._nodes.get(_node(root["input"][0]))
        if source is None or source["op"] not in ("Add", "AddV2", "Maximum"):
            return
        for ref in source["input"]:
            value = self._weights.get(_node(ref))
            if value is not None and value.size == 1 and value.dtype.kind == "f":
                yield float(value.reshape(()))

    def _layer_of(self, weight: str) -> str | None:
        if self._format == "graph":
            return self._names.of(weight)
        return next((part for part in reversed(weight.split("/")[:-1]) if part in self._layers), None)


def nonfinite(place: str, name: str, layer: str | None, value: Array) -> NonfiniteWeight | None:
    """What is not finite in a weight tensor; None where all is."""
    if value.dtype.kind not in "fc" or (finite := np.isfinite(value)).all():
        return None
    nan_count = int(np.isnan(value).sum())
    return NonfiniteWeight(
        place,
        name,
        layer,
        tuple(value.shape),
        nan_count,
        value.size - int(finite.sum()) - nan_count,
        tuple(int(i) for i in np.argwhere(~finite)[0]),
    )


def document_layers(document: Document) -> Iterator[tuple[str, tuple[str, Mapping[str, Any]]]]:
    """Class and configuration by name, those of nested models and wrapped layers too."""
    topology = document.topology
    pending: list[Any] = [topology.get("model_config", topology)]
    while pending:
        layer = pending.pop()
        config = layer.get("config") if isinstance(layer, dict) else None
        inner = config.get("layers") if isinstance(config, dict) else config
        pending += inner if isinstance(inner, list) else []
        if isinstance(config, dict):
            pending += [config["layer"]] if isinstance(config.get("layer"), dict) else []
            yield str(config.get("name")), (str(layer.get("class_name")), config)


def _node(ref: str) -> str:
    return ref.lstrip("^").partition(":")[0]
