"""Reads the topology of a layers artifact as tfjs-layers does: the calls of layers, their inputs and their order.

No layer is built here. Only classes and activations of tfjs-layers are accepted, so that building the layers runs no
code that the file names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ...errors import ArtifactFileError, NotExecutableError
from ..document import Document
from .table import TRAINING_ONLY_SUFFIXES, ignored_arguments

#: (layer, number of its call, number of the call's output).
Ref = tuple[str, int, int]

MODELS = frozenset({"Functional", "Model", "Sequential"})
#: Classes of layers that both tfjs-layers 4.22 and Keras 2 have.
CLASSES = frozenset(
    {
        *("Activation", "Dense", "Dropout", "Embedding", "Flatten", "InputLayer", "Masking", "Permute", "RepeatVector"),
        *("Reshape", "SpatialDropout1D", "ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax", "ThresholdedReLU"),
        *("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "Conv3DTranspose", "DepthwiseConv2D", "SeparableConv2D"),
        *("ConvLSTM2D", "ConvLSTM2DCell", "Cropping2D", "UpSampling2D", "ZeroPadding2D"),
        *("AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D"),
        *("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D"),
        *("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply"),
        *("AlphaDropout", "GaussianDropout", "GaussianNoise", "BatchNormalization", "LayerNormalization"),
        *("CategoryEncoding", "CenterCrop", "Rescaling", "Resizing", "Bidirectional", "TimeDistributed"),
        *("GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "SimpleRNN", "SimpleRNNCell", "StackedRNNCells"),
    }
)
ACTIVATIONS = frozenset(
    {
        *("elu", "gelu", "gelu_new", "hard_sigmoid", "linear", "log_softmax", "mish", "relu", "relu6", "selu"),
        *("sigmoid", "softmax", "softplus", "softsign", "swish", "tanh"),
    }
)
#: Keys that Keras 3 and late Keras 2 add to configurations, and that tfjs-layers does not read.
UNREAD = frozenset({"module", "registered_name", "build_config", "quantization_config", "optional", "autocast"})
#: Defaults of tfjs-layers that differ from Keras's.
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "ConvLSTM2D": {"recurrent_activation": "hard_sigmoid"},
    "ConvLSTM2DCell": {"recurrent_activation": "hard_sigmoid"},
    "GRU": {"recurrent_activation": "hard_sigmoid", "reset_after": False},
    "GRUCell": {"recurrent_activation": "hard_sigmoid", "reset_after": False},
    "LSTM": {"recurrent_activation": "hard_sigmoid"},
    "LSTMCell": {"recurrent_activation": "hard_sigmoid"},
}


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """One layer: a class with its cleaned configuration, or a whole model."""

    name: str
    class_name: str
    config: Mapping[str, Any]
    model: ModelPlan | None = None


@dataclass(frozen=True, slots=True)
class CallPlan:
    """One call of a layer; others refer to it by `index`, and `number` counts the layer's calls from 0."""

    layer: str
    index: int
    number: int
    inputs: tuple[Ref, ...]


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """A model as calls in an order in which they can run; `inputs` name InputLayers."""

    layers: Mapping[str, LayerPlan]
    calls: tuple[CallPlan, ...]
    inputs: tuple[str, ...]
    outputs: tuple[Ref, ...]
    notes: tuple[str, ...]


def read_plan(document: Document) -> ModelPlan:
    """Return the plan of a layers artifact; ArtifactFileError names the damage, or the feature that TF.js lacks."""
    root = document.topology.get("model_config", document.topology)
    try:
        return _Reader(document).model(root)
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ArtifactFileError(
            f"Cannot read the layers of {document.file}: it is damaged: {error!r}.",
            "Copy the model again, or convert it again.",
        ) from error


class _Reader:
    def __init__(self, document: Document) -> None:
        self._document = document

    def model(self, root: Mapping[str, Any]) -> ModelPlan:
        config = root["config"]
        listed = config["layers"] if isinstance(config, Mapping) else config
        notes: list[str] = []
        layers = {str(entry["config"].get("name") or entry["name"]): entry for entry in listed if "config" in entry}
        plans = {name: self._layer(name, entry, notes) for name, entry in layers.items()}
        for plan in plans.values():
            notes += plan.model.notes if plan.model else ()
        if root["class_name"] == "Sequential":
            return _sequential(plans, tuple(notes))
        calls = self._calls(listed, plans)
        return ModelPlan(
            layers=plans,
            calls=calls,
            inputs=tuple(ref[0] for ref in _refs(config["input_layers"])),
            outputs=tuple(_refs(config["output_layers"])),
            notes=tuple(notes),
        )

    def _layer(self, name: str, entry: Mapping[str, Any], notes: list[str]) -> LayerPlan:
        class_name = str(entry["class_name"])
        if class_name in MODELS:
            return LayerPlan(name, class_name, {}, self.model(entry))
        config = self._clean(entry, name, notes)
        return LayerPlan(name, class_name, config["config"])

    def _clean(self, entry: Mapping[str, Any], who: str, notes: list[str]) -> dict[str, Any]:
        """Return a layer's class and configuration as tfjs-layers reads them, without keys that have no effect."""
        class_name = str(entry["class_name"])
        if class_name not in CLASSES:
            raise NotExecutableError(
                f"Cannot run {self._document.file} in Python: the layer {who!r} is a {class_name}, which tfjs-layers "
                "does "
                "not have or pycheck does not support.",
                "Give the model that it was converted from as MODEL, and this file as --tfjs-model.",
            )
        config: dict[str, Any] = {**_DEFAULTS.get(class_name, {})}
        for key, value in entry["config"].items():
            if key in UNREAD or key.endswith(TRAINING_ONLY_SUFFIXES):
                continue
            if value is None and key in config:
                continue
            config[key] = self._value(key, value, who, notes)
        for key, effective in ignored_arguments(class_name).items():
            given = config.pop(key, effective)
            if given != effective and set(_flat(given)) != {effective}:
                notes.append(f"the layer {who!r}: tfjs-layers ignores {key}={given}, and so does pycheck")
        if config.pop("stateful", False):
            notes.append(f"the layer {who!r} keeps its state between predictions in TF.js, but not in Python")
        return {"class_name": class_name, "config": config}

    def _value(self, key: str, value: Any, who: str, notes: list[str]) -> Any:
        if key.endswith("activation") and value is not None:
            return self._activation(value, who)
        if key in ("layer", "backward_layer", "cell") and isinstance(value, Mapping):
            return self._clean(value, who, notes)
        if key == "cells":
            return [self._clean(cell, who, notes) for cell in value]
        if key == "dtype" and not isinstance(value, str):
            return "float32" if value is None else str(value["config"]["name"])
        if isinstance(value, Mapping):
            raise ArtifactFileError(
                f"Cannot read {self._document.file}: the layer {who!r} has an unknown {key}: {value}."
            )
        return value

    def _activation(self, value: Any, who: str) -> str:
        name = value if isinstance(value, str) else str(value["class_name"])
        name = {"silu": "swish"}.get(name.lower(), name)
        if name not in ACTIVATIONS:
            raise ArtifactFileError(
                f"Cannot run {self._document.file}: tfjs-layers has no activation {name!r}, which the layer {who!r} "
                "uses."
            )
        return name

    def _calls(self, listed: Sequence[Mapping[str, Any]], plans: Mapping[str, LayerPlan]) -> tuple[CallPlan, ...]:
        """Return every call in the order in which tfjs-layers makes it, which also determines its number.

        Container.fromConfig (tfjs-layers, container.ts) iterates over the layers again and again; a call that must
        wait goes after the later calls of its layer.
        """
        waiting = {
            name: [tuple(_refs(node)) for node in entry.get("inbound_nodes") or ()]
            for name, entry in zip(plans, listed, strict=True)
        }
        first = _first_indices(plans, [ref for nodes in waiting.values() for refs in nodes for ref in refs])
        made = {name: 1 if plan.class_name == "InputLayer" else first[name] for name, plan in plans.items()}
        calls: list[CallPlan] = []
        while any(waiting.values()):
            before = len(calls)
            for name in plans:
                queue, waiting[name] = waiting[name], []
                for refs in queue:
                    if all(source in made and index < made[source] for source, index, _ in refs):
                        if refs:
                            calls.append(CallPlan(name, made[name], made[name] - first[name], refs))
                            made[name] += 1
                    else:
                        waiting[name].append(refs)
            if len(calls) == before and any(waiting.values()):
                stuck = ", ".join(name for name, queue in waiting.items() if queue)
                raise ArtifactFileError(
                    f"Cannot read {self._document.file}: these layers have missing inputs: {stuck}."
                )
        return tuple(calls)


def _first_indices(plans: Mapping[str, LayerPlan], refs: Sequence[Ref]) -> dict[str, int]:
    """Return the index of each layer's first call: 1 for a model, because its own creation is call 0.

    Some writers nevertheless count a model's calls from 0.
    """
    used: dict[str, set[int]] = {}
    for name, index, _ in refs:
        used.setdefault(name, set()).add(index)
    return {name: 1 if plan.model and 0 not in used.get(name, set()) else 0 for name, plan in plans.items()}


def _sequential(plans: Mapping[str, LayerPlan], notes: tuple[str, ...]) -> ModelPlan:
    """Return a chain of layers; if it has no InputLayer, the first layer's shape makes one."""
    layers = dict(plans)
    names = list(plans)
    first = plans[names[0]]
    if first.class_name != "InputLayer":
        config = first.config if not first.model else {}
        made = f"{first.name}_input"
        if first.model:
            inner = first.model.layers[first.model.inputs[0]].config
        else:
            inner = {"batch_input_shape": config["batch_input_shape"], "dtype": _input_dtype(first)}
        layers[made] = LayerPlan(made, "InputLayer", inner)
        names.insert(0, made)
    index = {name: 1 if layers[name].model else 0 for name in names}
    calls = tuple(CallPlan(name, index[name], 0, ((before, index[before], 0),)) for before, name in pairwise(names))
    return ModelPlan(layers, calls, (names[0],), ((names[-1], index[names[-1]], 0),), notes)


def _input_dtype(first: LayerPlan) -> str:
    return "int32" if first.class_name == "Embedding" else str(first.config.get("dtype") or "float32")


def _refs(entries: Any) -> Iterator[Ref]:
    """Return the references of input_layers and output_layers; a single one may be a flat list."""
    if isinstance(entries, Mapping):
        entries = list(entries.values())
    for entry in [entries] if entries and isinstance(entries[0], str) else entries:
        yield str(entry[0]), int(entry[1]), int(entry[2])


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _flat(item)
    else:
        yield value
