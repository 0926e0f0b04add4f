"""Infers how many axes the layers of a topology read, from their classes, without running them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SPATIAL = re.compile(r"(?:Conv|Pooling|Padding|UpSampling|Cropping).*([123])D")
_KEEPS = frozenset(
    {"Activation", "Add", "Average", "BatchNormalization", "Concatenate", "Dense", "Dropout", "ELU", "GaussianDropout"}
    | {"GaussianNoise", "LayerNormalization", "LeakyReLU", "Masking", "Maximum", "Minimum", "Multiply", "PReLU"}
    | {"Permute", "ReLU", "Rescaling", "Softmax", "SpatialDropout1D", "SpatialDropout2D", "Subtract", "ThresholdedReLU"}
)


def input_ranks(topology: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of axes of the first input by layer, including the sample axis; unknown ones are left out."""
    read: dict[str, int] = {}
    _follow(topology.get("model_config", topology), read)
    return read


def _follow(model: Any, read: dict[str, int]) -> None:
    config = model.get("config") if isinstance(model, dict) else None
    layers = config.get("layers") if isinstance(config, dict) else config
    given: dict[str, int] = {}
    before: str | None = None
    for layer in layers if isinstance(layers, list) else []:
        inner = layer.get("config") if isinstance(layer, dict) else None
        if not isinstance(inner, dict):
            continue
        _follow(layer, read)
        name, shape = str(inner.get("name")), inner.get("batch_input_shape")
        source = _first_source(layer) if "inbound_nodes" in layer else before
        rank = len(shape) if isinstance(shape, list) else given.get(source or "")
        if rank is not None:
            read[name] = rank
        if (gives := _gives(str(layer.get("class_name")), inner, rank)) is not None:
            given[name] = gives
        before = name


def _first_source(layer: Mapping[str, Any]) -> str | None:
    """Return the first layer that is read: ``[[["before", 0, 0, {}], ...]]`` in Keras 2's files."""
    nodes: Any = layer["inbound_nodes"]
    while isinstance(nodes, list) and nodes:
        nodes = nodes[0]
    return nodes if isinstance(nodes, str) else None


def _gives(kind: str, config: Mapping[str, Any], rank: int | None) -> int | None:
    """Return the number of axes of a layer's result; None if its class does not determine it."""
    if kind.startswith("Global") or kind == "Flatten":
        return None if config.get("keepdims") else 2
    if kind != "ConvLSTM2D" and (found := _SPATIAL.search(kind)):
        return int(found[1]) + 2
    if kind == "Reshape" and isinstance(config.get("target_shape"), list):
        return len(config["target_shape"]) + 1
    if kind == "Embedding" and rank is not None:
        return rank + 1
    return rank if kind in _KEEPS or kind == "InputLayer" else None
