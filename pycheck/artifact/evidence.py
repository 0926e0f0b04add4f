"""Reads evidence from an artifact without running it: non-finite weights, epsilons, resizing that differs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..types import ArtifactFault, NonfiniteWeight
from .document import read_document
from .epsilons import configurations, places
from .graph.faults import graph_faults
from .graph.layer_names import LayerNames
from .layers.faults import layers_faults
from .weights import Array, decode_weights


class ArtifactEvidence:
    """The evidence of an artifact, read once. `layers` are the names of the model's Keras layers, if known.

    Errors are those of `read_document` and `decode_weights`.
    """

    def __init__(self, path: Path, layers: Collection[str] = ()) -> None:
        document = self._document = read_document(path)
        self._weights = decode_weights(document)
        self._format = document.format
        self._nodes: dict[str, Any] = {}
        if document.format == "graph":
            self._nodes = {node["name"]: node for node in document.topology["node"]}
        self._layers = dict(configurations(document)) if document.format == "layers" else {}
        self._names = LayerNames(self._nodes, layers)
        self._epsilons = tuple(places(document, self._weights, layers))

    def weights(self) -> tuple[NonfiniteWeight, ...]:
        """Return weights with NaN or infinity, decoded as TF.js decodes them."""
        found = (nonfinite("artifact", name, self._layer_of(name), value) for name, value in self._weights.items())
        # A single infinite number in a graph is an argument of an operation, such as a limit or a mask.
        return tuple(weight for weight in found if weight and (weight.shape or weight.nan_count))

    def epsilons(self) -> Mapping[str, tuple[float, bool]]:
        """Return epsilons by layer, and whether a separate operation adds each; folded ones are not found."""
        return {place.layer: (place.value, place.operand is not None) for place in self._epsilons}

    def bilinear_layers(self) -> tuple[str, ...]:
        """Return layers that tfjs-layers resizes without half-pixel centers, unlike Keras."""
        return tuple(
            name
            for name, (kind, config) in self._layers.items()
            if kind == "UpSampling2D" and config.get("interpolation") == "bilinear"
        )

    def faults(self) -> tuple[ArtifactFault, ...]:
        """Return the faults of an artifact: what TF.js does not have, ignores or computes differently."""
        if self._format == "layers":
            return layers_faults(self._document)
        return graph_faults(self._document, self._weights)

    def _layer_of(self, weight: str) -> str | None:
        if self._format == "graph":
            return self._names.of(weight)
        return next((part for part in reversed(weight.split("/")[:-1]) if part in self._layers), None)


def nonfinite(place: str, name: str, layer: str | None, value: Array) -> NonfiniteWeight | None:
    """Return the non-finite values of a weight tensor; None if all are finite."""
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
