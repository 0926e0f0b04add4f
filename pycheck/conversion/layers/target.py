"""Builds the tfjs-layers model and its topology JSON.

The result is always one flat functional model: the caller inlines nested models, because tfjs-layers passes call
arguments (masks, initial states) of one layer on to the next within a nested model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt


class RefusedError(Exception):
    """The error for a layer, or one call of it, without a counterpart in tfjs-layers; the message is the reason."""


def lacks(class_name: str) -> RefusedError:
    """Return the reason for a class without a counterpart and without an exact rewrite."""
    return RefusedError(f"tfjs-layers has no {class_name}")


Weights = Sequence[tuple[str, npt.NDArray[Any]]]
Shape = tuple[int | None, ...]

# A name that tfjs-layers accepts for a tensor (common.ts, isValidTensorName), without the slash,
# which separates the parts of a weight's name.
_FORBIDDEN = re.compile(r"[^-A-Za-z0-9._]")


@dataclass(slots=True, eq=False)
class TargetLayer:
    """One layer of the result. `weights` have tfjs-layers's names, without the name of the layer."""

    name: str
    class_name: str
    config: dict[str, Any]
    weights: list[tuple[str, npt.NDArray[Any]]]
    calls: list[tuple[Ref, ...]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ref:
    """One output tensor of one call of one layer; `shape` starts with the sample axis."""

    layer: TargetLayer = field(compare=True)
    call: int
    tensor: int
    shape: Shape = field(compare=False)
    dtype: str = field(compare=False)

    @property
    def rank(self) -> int:
        """Return the number of axes, including the sample axis."""
        return len(self.shape)


class TargetGraph:
    """Layers in the order of their first call, with unique names."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.layers: list[TargetLayer] = []
        self.inputs: list[Ref] = []
        self.outputs: list[Ref] = []
        self._names: set[str] = set()

    def unique_name(self, wanted: str) -> str:
        """Return a valid name that no other layer has, `wanted` itself if possible."""
        base = _FORBIDDEN.sub("_", wanted)
        if not base or not base[0].isalnum():
            base = f"layer{base}"
        name, number = base, 1
        while name in self._names:
            name, number = f"{base}_{number}", number + 1
        self._names.add(name)
        return name

    def add_input(self, name: str, shape: Shape, dtype: str) -> Ref:
        """Add an input of the model; the sample axis of `shape` stays open."""
        config = {"batch_input_shape": [None, *shape[1:]], "dtype": dtype, "sparse": False}
        layer = self.add_layer("InputLayer", name, config)
        layer.calls.append(())
        ref = Ref(layer, 0, 0, (None, *shape[1:]), dtype)
        self.inputs.append(ref)
        return ref

    def add_layer(self, class_name: str, name: str, config: Mapping[str, Any], weights: Weights = ()) -> TargetLayer:
        """Add a layer without a call.

        Raises:
            RefusedError: `config` holds a number that JSON cannot.
        """
        _check_finite(config)
        unique = self.unique_name(name)
        layer = TargetLayer(unique, class_name, {"name": unique, **config}, list(weights))
        self.layers.append(layer)
        return layer

    def call(self, layer: TargetLayer, inputs: Sequence[Ref], outputs: Sequence[tuple[Shape, str]]) -> list[Ref]:
        """Apply `layer`; `outputs` are the shape and dtype of each output."""
        layer.calls.append(tuple(inputs))
        index = len(layer.calls) - 1
        return [Ref(layer, index, i, shape, dtype) for i, (shape, dtype) in enumerate(outputs)]

    def weights(self) -> list[tuple[str, npt.NDArray[Any]]]:
        """Return all weights with the names by which tfjs-layers reads them."""
        return [(f"{layer.name}/{name}", value) for layer in self.layers for name, value in layer.weights]

    def model_config(self) -> dict[str, Any]:
        """Return the model as tfjs-layers deserializes it (``modelTopology.model_config``)."""
        index = _loading_order(self.layers)
        layers = [
            {
                "class_name": layer.class_name,
                "config": layer.config,
                "name": layer.name,
                "inbound_nodes": [[_node(ref, index, {}) for ref in refs] for refs in layer.calls if refs],
            }
            for layer in self.layers
        ]
        return {
            "class_name": "Functional",
            "config": {
                "name": self.name,
                "trainable": True,
                "layers": layers,
                "input_layers": [_node(ref, index) for ref in self.inputs],
                "output_layers": [_node(ref, index) for ref in self.outputs],
            },
        }


def _node(ref: Ref, index: Mapping[tuple[int, int], int], *kwargs: dict[str, Any]) -> list[Any]:
    return [ref.layer.name, index[id(ref.layer), ref.call], ref.tensor, *kwargs]


def _loading_order(layers: Sequence[TargetLayer]) -> dict[tuple[int, int], int]:
    """Return the node index that each call, by layer id and position, gets when tfjs-layers loads the model.

    Container.fromConfig iterates over the layers again and again and makes every call whose inputs exist. A call that
    must wait goes after the later calls of its layer. The nodes of a shared layer are therefore numbered in the order
    in which they become possible, not in the order of the file, and references must use that number. This function
    repeats the procedure.
    """
    index: dict[tuple[int, int], int] = {(id(layer), 0): 0 for layer in layers if layer.calls == [()]}
    made = {id(layer): 0 for layer in layers}
    waiting = {id(layer): [i for i, refs in enumerate(layer.calls) if refs] for layer in layers}
    while any(waiting.values()):
        before = len(index)
        for layer in layers:
            queue, waiting[id(layer)] = waiting[id(layer)], []
            for call in queue:
                if all((id(ref.layer), ref.call) in index for ref in layer.calls[call]):
                    index[id(layer), call] = made[id(layer)]
                    made[id(layer)] += 1
                else:
                    waiting[id(layer)].append(call)
        if len(index) == before:
            raise AssertionError("a layer call depends on itself")
    return index


def _check_finite(value: Any) -> None:
    if isinstance(value, Mapping):
        for item in value.values():
            _check_finite(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_finite(item)
    elif isinstance(value, float | np.floating) and not math.isfinite(value):
        raise RefusedError(f"an argument is {value}, which model.json cannot hold")
