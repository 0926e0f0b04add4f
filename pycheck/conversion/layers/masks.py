"""Tracks masks through both libraries, because tfjs-layers passes them on by different rules than Keras.

A mask is identified by its origin, so that one in tfjs-layers can be compared with one in Keras. Three rules of
tfjs-layers's executor (src/engine/executor.ts) decide which models are rejected:

- a layer that supports masks passes its input's mask on; these layers are not the same as in Keras;
- once any layer has received a mask, every later layer without one receives the last one;
- the same holds for an initial state as soon as there is a mask.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from .keras_calls import Call, SourceGraph, Value
from .target import Ref, RefusedError, TargetLayer

#: The origin of a mask: ("ids", ref) for an Embedding of that tensor, ("steps", ref, value) for a Masking of it,
#: ("mixed", ...) for one that was computed from several.
Mask = tuple[Any, ...]

_RECURRENT = frozenset({"SimpleRNN", "LSTM", "GRU", "ConvLSTM2D", "Bidirectional"})
#: Keras classes that use a mask, and take an initial state.
MASK_READERS = _RECURRENT | {"RNN"}
_MERGES = frozenset({"Add", "Average", "Maximum", "Minimum", "Multiply", "Concatenate"})
# Layers with supportsMasking in tfjs-layers that pass their input's mask on.
_TARGETS_THAT_PASS = frozenset(
    {"Activation", "AlphaDropout", "BatchNormalization", "Dense", "Dropout", "GaussianDropout", "GaussianNoise",
     "LayerNormalization", "PReLU", "ReLU", "SpatialDropout1D", "TimeDistributed"}
)  # fmt: skip
# Keras layers whose call() takes a mask that does not change inference.
_UNMOVED_BY_MASKS = frozenset({"BatchNormalization", "TimeDistributed"})


class MaskTracker:
    """The mask of every tensor, in Keras by Value and in tfjs-layers by Ref."""

    def __init__(self, source: SourceGraph, refs: dict[Value, Ref]) -> None:
        self._source = source
        self._refs = refs
        self._keras: dict[Value, Mask] = {}
        self._tfjs: dict[Ref, Mask] = {}
        self._any_masked_call = False
        self._unmasked_readers: list[str] = []
        self._with_initial_state: list[str] = []

    def follow_target(self, layer: TargetLayer, inputs: Sequence[Ref], outputs: Sequence[Ref], who: str) -> None:
        """Compute the masks that tfjs-layers gives to a call's outputs.

        Args:
            who: The Keras layer of the call, as messages name it.

        Raises:
            RefusedError: tfjs-layers would fail on the masks, or use one that Keras does not.
        """
        masks = [self._tfjs.get(ref) for ref in inputs]
        self._note_reader(layer, masks, who)
        masked = [mask for mask in masks if mask is not None]
        self._any_masked_call |= bool(masked)
        kind, config = layer.class_name, layer.config
        result: Mask | None = None
        if kind == "Embedding":
            result = ("ids", inputs[0]) if config.get("mask_zero") else None
        elif kind == "Masking":
            result = ("steps", inputs[0], float(config["mask_value"]))
        elif not masked:
            return
        elif kind in _MERGES:
            last = inputs[0].rank - 1
            if len(inputs) > 2 or (kind == "Concatenate" and (config["axis"] != last or len(masked) != len(masks))):
                raise RefusedError("it merges masked tensors, on which tfjs-layers fails")
            result = ("mixed", layer.name, len(layer.calls))
        elif kind in _RECURRENT:
            inner = config["layer"]["config"] if kind == "Bidirectional" else config
            result = masks[0] if inner["return_sequences"] else None
        elif kind in _TARGETS_THAT_PASS:
            result = masks[0]
        if result is not None:
            self._tfjs.update(dict.fromkeys(outputs, result))

    def _note_reader(self, layer: TargetLayer, masks: Sequence[Mask | None], who: str) -> None:
        kind = _reader(layer.class_name, layer.config)
        if kind is None:
            return
        if masks[0] is None:
            self._unmasked_readers.append(who)
        elif kind != layer.class_name or kind == "Softmax":
            raise RefusedError("its input has a mask, which tfjs-layers would use differently from Keras")
        if len(masks) > 1:
            self._with_initial_state.append(who)

    def follow_keras(self, call: Call, inputs: Sequence[Value]) -> None:
        """Compute the masks that Keras gives to a call's outputs; must be called when its inputs have refs."""
        masks = [self._keras.get(value) for value in inputs]
        kind, layer = call.class_name, call.layer
        result: Mask | None = None
        if kind == "Embedding":
            result = ("ids", self._refs[inputs[0]]) if layer.mask_zero else None
        elif kind == "Masking":
            result = ("steps", self._refs[inputs[0]], float(layer.mask_value))
        elif all(mask is None for mask in masks) or kind == "Dot":
            return
        elif kind in _MERGES:
            result = ("mixed", call.label, id(call))
        elif kind in MASK_READERS:
            result = masks[0] if layer.return_sequences else None
        elif getattr(layer, "supports_masking", False) and kind != "GlobalAveragePooling1D":
            result = masks[0]
        if result is not None:
            self._keras[call.outputs[0]] = result

    def stand_in(self, call: Call, outputs: Sequence[Ref]) -> None:
        """Give the placeholder for a rejected call Keras's masks, so that later layers are not rejected for none."""
        self.follow_keras(call, call.data())
        for value, ref in zip(call.outputs, outputs, strict=True):
            if value in self._keras:
                self._tfjs[ref] = self._keras[value]

    def check(self, call: Call, inputs: Sequence[Value], refs: Sequence[Ref]) -> None:
        """Reject a call that would not get the same mask in tfjs-layers as in Keras.

        Args:
            inputs: The tensors that the layer computes on, in Keras.
            refs: The same tensors in tfjs-layers.
        """
        if not inputs:
            return
        mask = self._keras.get(inputs[0])
        explicit = [m for m in _values(call.kwargs.get("mask")) if m is not None]
        if explicit:
            given = self._origin(explicit[0])
            if len(explicit) > 1 or (given != mask and call.class_name not in _UNMOVED_BY_MASKS):
                raise RefusedError("it is called with an explicit mask, which tfjs-layers does not support")
        if call.class_name in MASK_READERS:
            self._check_recurrent(call, mask, self._tfjs.get(refs[0]), len(refs) > 1)
        elif mask is not None and _takes_mask(_innermost(call.layer)):
            raise RefusedError("its input has a mask, which tfjs-layers ignores here")

    def _check_recurrent(self, call: Call, mask: Mask | None, in_tfjs: Mask | None, initial_state: bool) -> None:
        if mask != in_tfjs:
            raise RefusedError("tfjs-layers loses or changes the mask of its input")
        if mask is not None and initial_state:
            raise RefusedError("it has both a mask and an initial state, which tfjs-layers mixes up")
        if mask is not None and call.class_name == "Bidirectional" and call.layer.return_sequences:
            raise RefusedError("Keras returns zeros at masked steps, tfjs-layers repeats the last output")

    def problems(self) -> list[str]:
        """Return the problems of the whole model: layers that would receive a mask or a state of a different layer."""
        if not self._any_masked_call:
            return []
        stray = [f"{who}: it has no mask, and tfjs-layers would apply the mask of a different layer"
                 for who in self._unmasked_readers]  # fmt: skip
        states = [f"{who}: tfjs-layers would propagate its initial state, because the model has masks"
                  for who in self._with_initial_state]  # fmt: skip
        return stray + states

    def _origin(self, mask: Value) -> Mask:
        """Return the origin of a mask in the graph of Keras 3, in which the arithmetic of masks are nodes."""
        call = self._source.producer.get(mask)
        if call and call.class_name == "NotEqual" and call.args[1:] == (0,):
            return ("ids", self._refs.get(call.args[0]))
        if call and call.class_name == "Any" and call.layer.axis in (-1, [-1], (-1,)) and not call.layer.keepdims:
            compared = self._source.producer.get(call.args[0])
            if compared and compared.class_name == "NotEqual" and isinstance(compared.args[-1], int | float):
                return ("steps", self._refs.get(compared.args[0]), float(compared.args[-1]))
        return ("given", mask)


def _reader(class_name: str, config: Mapping[str, Any]) -> str | None:
    """Return the class that reads the mask when tfjs-layers calls a layer: its own, or that of the wrapped layer."""
    if class_name == "TimeDistributed":
        return _reader(config["layer"]["class_name"], config["layer"]["config"])
    return class_name if class_name in _RECURRENT or class_name == "Softmax" else None


def _values(structure: Any) -> list[Any]:
    return list(structure) if isinstance(structure, list | tuple) else [structure]


def _innermost(layer: Any) -> Any:
    while type(layer).__name__ == "TimeDistributed":
        layer = layer.layer
    return layer


def _takes_mask(layer: Any) -> bool:
    if type(layer).__name__ in _UNMOVED_BY_MASKS:
        return False
    return "mask" in inspect.signature(type(layer).call).parameters
