"""Finds the epsilons of normalizations in an artifact, and writes a copy with different ones."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArtifactFileError
from ..graphdef.refs import node_of
from ..types import ArtifactInfo
from .document import Document, read_document
from .graph.layer_names import LayerNames
from .weights import Array, decode_weights

_NORMALIZING_LAYERS = frozenset({"BatchNormalization", "LayerNormalization"})
_FUSED_NORMALIZATIONS = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
_ROOTS = frozenset({"Rsqrt", "Sqrt"})
_DEFAULT_EPSILON = 1e-3  # tfjs-layers' default for BatchNormalization and LayerNormalization
_SHARD = "pycheck_epsilons.bin"


@dataclass(frozen=True, slots=True)
class EpsilonPlace:
    """One epsilon of an artifact. `holder` is the layer's configuration or the node that has it.

    `operand` is the index of the node's input if a separate operation adds the epsilon, else None.
    """

    layer: str
    value: float
    holder: dict[str, Any]
    operand: int | None = None


def places(document: Document, weights: Mapping[str, Array], layers: Collection[str] = ()) -> Iterator[EpsilonPlace]:
    """Find every epsilon, except those that are folded into weights.

    `layers` are the names of the model's Keras layers, if known: they give the layers of a graph's nodes.
    """
    if document.format == "layers":
        for name, (kind, config) in configurations(document):
            if kind in _NORMALIZING_LAYERS:
                yield EpsilonPlace(name, float(config.get("epsilon", _DEFAULT_EPSILON)), config)
        return
    nodes = {node["name"]: node for node in document.topology["node"]}
    names = LayerNames(nodes, layers)
    for name, node in nodes.items():
        layer = names.of(name) or name
        if node["op"] in _FUSED_NORMALIZATIONS:
            attribute = node.get("attr", {}).get("epsilon", {})
            yield EpsilonPlace(layer, float(attribute.get("f", 1e-4)), node)
        elif node["op"] in _ROOTS:
            added = nodes.get(node_of(node["input"][0]))
            if added is None or added["op"] not in ("Add", "AddV2", "Maximum"):
                continue
            for operand, ref in enumerate(added["input"]):
                value = weights.get(node_of(ref))
                if value is not None and value.size == 1 and value.dtype.kind == "f":
                    yield EpsilonPlace(layer, float(value.reshape(())), added, operand)


def configurations(document: Document) -> Iterator[tuple[str, tuple[str, dict[str, Any]]]]:
    """Return class and configuration of layers by name, including nested models and wrapped layers."""
    topology = document.topology
    pending: list[Any] = [topology.get("model_config", topology)]
    while pending:
        layer = pending.pop()
        config = layer.get("config") if isinstance(layer, dict) else None
        inner = config.get("layers") if isinstance(config, dict) else config
        pending += inner if isinstance(inner, list) else []
        if isinstance(config, dict):
            wrapped = [config.get(key) for key in ("layer", "backward_layer", "cell")] + list(config.get("cells") or ())
            pending += [layer for layer in wrapped if isinstance(layer, dict)]
            yield str(config.get("name")), (str(layer.get("class_name")), config)


def with_epsilons(
    info: ArtifactInfo, epsilons: Mapping[str, float], folder: Path, layers: Collection[str] = ()
) -> ArtifactInfo:
    """Copy the artifact into `folder` with these epsilons by layer, without any further change.

    ArtifactFileError if a layer has no epsilon there, because it may be folded into weights.
    """
    shutil.copytree(info.folder, folder, dirs_exist_ok=True)
    document = read_document(folder / info.model_file)
    document = replace(document, content=copy.deepcopy(dict(document.content)))
    found = [place for place in places(document, decode_weights(document), layers) if place.layer in epsilons]
    if missing := sorted(epsilons.keys() - {place.layer for place in found}):
        raise ArtifactFileError(f"The artifact has no epsilon in {', '.join(missing)}.")
    for place in found:
        if document.format == "layers":
            place.holder["epsilon"] = epsilons[place.layer]
        elif place.operand is None:
            place.holder.setdefault("attr", {})["epsilon"] = {"f": epsilons[place.layer]}
    added = [place for place in found if place.operand is not None]
    if added:
        _add_constants(document, {place.layer: epsilons[place.layer] for place in added}, folder)
        for place in added:
            place.holder["input"][place.operand] = _constant(place.layer)
    document.file.write_text(json.dumps(document.content), encoding="utf-8")
    return replace(info, folder=folder)


def _add_constants(document: Document, values: Mapping[str, float], folder: Path) -> None:
    """Add separate constants, because several layers may share the present one."""
    tensor = {"tensor": {"dtype": "DT_FLOAT", "tensorShape": {}}}
    for layer in values:
        attributes = {"dtype": {"type": "DT_FLOAT"}, "value": tensor}
        document.topology["node"].append({"name": _constant(layer), "op": "Const", "attr": attributes})
    entries = [{"name": _constant(layer), "shape": [], "dtype": "float32"} for layer in values]
    document.content["weightsManifest"].append({"paths": [_SHARD], "weights": entries})
    (folder / _SHARD).write_bytes(np.array(list(values.values()), "<f4").tobytes())


def _constant(layer: str) -> str:
    return f"pycheck_epsilon/{layer}"
