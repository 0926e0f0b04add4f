"""Cuts one layer out of a layers artifact: a model of its inputs and itself, with its weights as stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import ArtifactFileError
from ..cut import Cut
from ..document import Document
from ..executable import Point
from ..weights import Array, raw_weights
from .topology import ModelPlan, Ref, read_plan

#: Keys of a configuration with the configuration of an inner layer, or a list of these.
_PARTS = ("layer", "backward_layer", "cell", "cells")


def cut_layer(document: Document, point: Point, operands: Mapping[str, Array]) -> Cut:
    """Cut out one layer; see `cut_out`."""
    where, _, output = point.name.partition(":")
    called = _calls(read_plan(document)).get(where)
    entry = _entry(document, where)
    if called is None or entry is None:
        raise ArtifactFileError(f"The artifact has no layer {where!r}.")
    if set(called) != set(point.inputs):
        masks = ", ".join(name for name in point.inputs if name not in called)
        raise ArtifactFileError(
            f"Cannot isolate {point.name} ({point.op}): it reads a mask of {masks or 'an earlier layer'}.",
            "Use the graph format, where masks are tensors: --format graph",
        )
    name = str(entry["config"]["name"])
    names = {operand: f"input_{number}" for number, operand in enumerate(point.inputs)}
    config = {key: value for key, value in entry["config"].items() if key not in ("batch_input_shape", "input_shape")}
    arguments = [[names[operand], 0, 0, {}] for operand in called]
    layer = {"class_name": entry["class_name"], "config": config, "name": name, "inbound_nodes": [arguments]}
    model = {
        "name": "cut",
        "layers": [*(_input(names[operand], operands[operand]) for operand in point.inputs), layer],
        "input_layers": [[names[operand], 0, 0] for operand in point.inputs],
        "output_layers": [[name, 0, int(output or 0)]],
    }
    outline = {key: value for key, value in document.topology.items() if key in ("keras_version", "backend")}
    topology = {**outline, "model_config": {"class_name": "Functional", "config": model}}
    weights = raw_weights(document, set(_weight_names(document, set(_part_names(config)))))
    return Cut("layers", topology, None, weights, names, name, config)


def _input(name: str, value: Array) -> dict[str, Any]:
    config = {"name": name, "batch_input_shape": [None, *value.shape[1:]], "dtype": value.dtype.name, "sparse": False}
    return {"class_name": "InputLayer", "config": config, "name": name, "inbound_nodes": []}


def _calls(plan: ModelPlan) -> dict[str, tuple[str, ...]]:
    """Return the inputs of every call of a layer, by the names of points, as in `layers_graph`."""
    found: dict[str, tuple[str, ...]] = {}

    def follow(model: ModelPlan, given: tuple[str, ...], path: str) -> tuple[str, ...]:
        names: dict[Ref, str] = {(name, 0, 0): point for name, point in zip(model.inputs, given, strict=True)}

        def of(ref: Ref) -> str:
            layer, index, output = ref
            return names.get(ref) or f"{names[layer, index, 0]}:{output}"

        for call in model.calls:
            layer = model.layers[call.layer]
            where = f"{path}{layer.name}{f'@{call.number}' if call.number else ''}"
            arguments = tuple(of(ref) for ref in call.inputs)
            found[where] = arguments
            results = follow(layer.model, arguments, f"{where}/") if layer.model else (where,)
            names |= {(call.layer, call.index, number): result for number, result in enumerate(results)}
        return tuple(of(ref) for ref in model.outputs)

    follow(plan, plan.inputs, "")
    return found


def _entry(document: Document, where: str) -> Mapping[str, Any] | None:
    """Return the layer's entry in model.json."""
    topology = document.topology
    model: Any = topology.get("model_config", topology)
    for part in where.split("/"):
        config = model["config"]
        listed = config["layers"] if isinstance(config, Mapping) else config
        name = part.partition("@")[0]
        model = next((layer for layer in listed if layer["config"].get("name") == name), None)
        if model is None:
            return None
    found: Mapping[str, Any] = model
    return found


def _part_names(config: Mapping[str, Any]) -> Iterator[str]:
    """Return the layer's name and those of the layers within it."""
    if "name" in config:
        yield str(config["name"])
    for key in _PARTS:
        parts = config.get(key)
        for part in parts if isinstance(parts, list) else [parts]:
            if isinstance(part, Mapping) and isinstance(part.get("config"), Mapping):
                yield from _part_names(part["config"])
                if key in ("layer", "backward_layer") and "name" in part["config"]:  # Bidirectional's two
                    yield from (f"{way}_{part['config']['name']}" for way in ("forward", "backward"))


def _weight_names(document: Document, parts: set[str]) -> Iterator[str]:
    for group in document.content["weightsManifest"]:
        for entry in group["weights"]:
            if parts & set(str(entry["name"]).split("/")[:-1]):
                yield str(entry["name"])
