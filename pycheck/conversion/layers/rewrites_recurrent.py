"""Converts recurrent layers and the wrappers around layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...artifact.layers.table import RULES, TRAINING_ONLY_SUFFIXES
from .activations import activation_name
from .keras_calls import KERAS_3
from .site import Site
from .target import Ref, RefusedError, lacks

# Which quarters or thirds of the kernels' columns feed the recurrent activation: LSTM has input,
# forget, cell and output gates, GRU has update, reset and candidate.
_GATES = {"LSTM": (4, (0, 1, 3)), "ConvLSTM2D": (4, (0, 1, 3)), "GRU": (3, (0, 1))}
# hard_sigmoid is clip(x / 6 + 0.5) in Keras 3 and clip(0.2 x + 0.5) in tfjs-layers.
_HARD_SIGMOID_SCALE = (1.0 / 6.0) / 0.2


def recurrent(site: Site) -> list[Ref]:
    """Convert LSTM, GRU, SimpleRNN and ConvLSTM2D."""
    arguments, weights = _arguments_and_weights(site, site.layer, site.call.class_name)
    outputs = [(value.shape, value.dtype) for value in site.call.outputs]
    return site.emit_many(site.call.class_name, arguments, site.inputs, outputs, weights=weights)


def _arguments_and_weights(
    site: Site, layer: Any, class_name: str, **overrides: Any
) -> tuple[dict[str, Any], list[tuple[str, npt.NDArray[Any]]]]:
    """Return the tfjs arguments and weights of a recurrent layer or cell, which may be within a wrapper."""
    inner = replace(site, call=replace(site.call, layer=layer))
    rule = RULES[class_name]
    weights = inner.weights(rule)
    if class_name in _GATES and activation_name(layer.recurrent_activation) == (KERAS_3, "hard_sigmoid"):
        overrides["recurrent_activation"] = "hard_sigmoid"
        weights = [(name, _scale_gates(value, *_GATES[class_name])) for name, value in weights]
        site.note("hard_sigmoid of Keras 3 by scaling the gates' weights with 5/6")
    arguments, composed = inner.arguments(rule, overrides)
    if composed:
        raise RefusedError(f"activation {composed[1]} is not one that tfjs-layers has")
    return arguments, weights


def _scale_gates(value: npt.NDArray[Any], parts: int, gates: tuple[int, ...]) -> npt.NDArray[Any]:
    factors = np.ones(parts)
    factors[list(gates)] = _HARD_SIGMOID_SCALE
    scaled: npt.NDArray[Any] = (value * np.repeat(factors, value.shape[-1] // parts)).astype(np.float32)
    return scaled


def bidirectional(site: Site) -> list[Ref]:
    """Convert Bidirectional of a recurrent layer.

    Tfjs-layers builds the backward layer with the forward one's arguments.
    """
    layer = site.layer
    forward, backward = layer.forward_layer, layer.backward_layer
    class_name = type(forward).__name__
    if class_name not in ("LSTM", "GRU", "SimpleRNN"):
        raise RefusedError(f"its layer is {class_name}; tfjs-layers takes LSTM, GRU and SimpleRNN")
    if _comparable(forward) != _comparable(backward) or type(backward) is not type(forward):
        raise RefusedError("its backward_layer has different arguments, which tfjs-layers does not support")
    # Bidirectional sets zero_output_for_mask itself; `masks` checks its effect with a mask.
    arguments, forward_weights = _arguments_and_weights(site, forward, class_name, zero_output_for_mask=False)
    _, backward_weights = _arguments_and_weights(site, backward, class_name, zero_output_for_mask=False)
    inner = {"class_name": class_name, "config": {"name": "layer", **arguments}}
    weights = [(f"forward_layer/{name}", value) for name, value in forward_weights]
    weights += [(f"backward_layer/{name}", value) for name, value in backward_weights]
    outputs = [(value.shape, value.dtype) for value in site.call.outputs]
    config = {"layer": inner, "merge_mode": layer.merge_mode}
    return site.emit_many("Bidirectional", config, site.inputs, outputs, weights=weights)


def _comparable(layer: Any) -> dict[str, str]:
    """Return the arguments that must be equal in both directions."""
    skipped = ("name", "go_backwards", "dtype", "seed", "zero_output_for_mask")
    return {
        name: repr(value)
        for name, value in layer.get_config().items()
        if name not in skipped and not name.endswith(TRAINING_ONLY_SUFFIXES)
    }


def rnn(site: Site) -> list[Ref]:
    """Convert RNN of built-in cells to the layers with these cells; stacked cells become stacked layers."""
    config, cell = site.config(), site.layer.cell
    stacked = type(cell).__name__ == "StackedRNNCells"
    cells = list(cell.cells) if stacked else [cell]
    if stacked and (config.get("return_state") or len(site.inputs) > 1):
        raise RefusedError("stacked cells with states as inputs or outputs, which tfjs-layers orders differently")
    names = [type(one).__name__.removesuffix("Cell") for one in cells]
    site.note(f"as {' and '.join(names)}")
    passed_through = {
        name: config[name] for name in ("stateful", "time_major", "zero_output_for_mask") if name in config
    }
    refs = list(site.inputs)
    for i, (name, one) in enumerate(zip(names, cells, strict=True)):
        if name not in ("LSTM", "GRU", "SimpleRNN"):
            raise lacks(f"RNN of {type(one).__name__}")
        last = i == len(cells) - 1
        arguments, weights = _arguments_and_weights(
            site,
            one,
            name,
            go_backwards=config["go_backwards"] and i == 0,  # the first layer then has reversed the steps
            return_sequences=config["return_sequences"] or not last,
            return_state=config["return_state"],
            **passed_through,
        )
        between = [((refs[0].shape[0], refs[0].shape[1], int(one.units)), "float32")]
        outputs = [(value.shape, value.dtype) for value in site.call.outputs] if last else between
        refs = site.emit_many(name, arguments, refs, outputs, weights=weights, part="" if last else f"cell_{i}")
    return refs
