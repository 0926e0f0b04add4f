"""Compares the arguments of two layers, and finds those that change the result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .table import TRAINING_ONLY_SUFFIXES, is_identity_at_inference, unused_at_inference
from .topology import LayerPlan

#: Arguments without an effect on the result of any layer, or with their own findings.
_UNUSED = frozenset({"seed", "epsilon", "batch_size", "sparse"})
#: Arguments that count from the last axis if they are negative.
_AXES = frozenset({"axis", "axes"})
#: Lists whose length matters: [4, 4] differs from 4.
_LISTS = frozenset({"dims", "shared_axes", "target_shape"})
#: The meaning of None.
_ABSENT = {"activation": "linear", "recurrent_activation": "linear", "data_format": "channels_last"}
_ACTIVATIONS = {"silu": "swish"}
#: Arguments that determine the shapes of weights.
_OF_WEIGHTS = (
    "units", "filters", "kernel_size", "input_dim", "output_dim", "depth_multiplier", "use_bias", "center", "scale"
)  # fmt: skip


def changes(ours: LayerPlan, theirs: LayerPlan, own: Mapping[str, Any], rank: int | None = None) -> Iterator[str]:
    """Return a clause for each argument that changes the artifact's layer from the model's.

    `own` is the configuration of the Keras layer: an argument that equals that of the model itself is no difference.
    `rank` is the number of axes that the layer reads, if known.
    """
    if ours.class_name != theirs.class_name:
        yield f"its class is {theirs.class_name}, in the model {ours.class_name}"
    else:
        yield from dict.fromkeys(_changes(ours.class_name, ours.config, theirs.config, own, rank))


def same_weights(ours: LayerPlan, theirs: LayerPlan) -> bool:
    """Tell whether two layers have one class and may have weights of the same shapes, by their arguments."""
    if ours.class_name != theirs.class_name:
        return False
    shared = [key for key in _OF_WEIGHTS if key in ours.config and key in theirs.config]
    return all(_plain(key, ours.config[key], None) == _plain(key, theirs.config[key], None) for key in shared)


def _changes(
    class_name: str, ours: Mapping[str, Any], theirs: Mapping[str, Any], own: Mapping[str, Any], rank: int | None
) -> Iterator[str]:
    if is_identity_at_inference(class_name):
        return
    unused = _UNUSED | unused_at_inference(class_name)
    for key in sorted(ours.keys() & theirs.keys()):
        if key in unused or key.endswith(TRAINING_ONLY_SUFFIXES):
            continue
        if inner := _inner(ours[key]):
            yield from _changes_within(inner, _inner(theirs[key]), _inner(own.get(key)))
            continue
        values = _plain(key, ours[key], rank), _plain(key, theirs[key], rank)
        if values[0] != values[1] and (key not in own or _plain(key, own[key], rank) != values[1]):
            yield f"{key} is {theirs[key]}, in the model {ours[key]}"


def _inner(value: Any) -> list[Mapping[str, Any]]:
    """Return the layers within a layer: the wrapped layer, or the cells of an RNN."""
    listed = value if isinstance(value, list | tuple) else [value]
    return [each for each in listed if isinstance(each, Mapping) and "class_name" in each and "config" in each]


def _changes_within(
    ours: list[Mapping[str, Any]], theirs: list[Mapping[str, Any]], own: list[Mapping[str, Any]]
) -> Iterator[str]:
    """Compare layers within layers, for which the number of axes is not known."""
    if len(ours) != len(theirs):
        yield f"it holds {len(theirs)} layers, in the model {len(ours)}"
        return
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        kind, other_kind = str(mine["class_name"]), str(other["class_name"])
        if kind != other_kind:
            yield f"the layer within it is {other_kind}, in the model {kind}"
            continue
        itself = own[number]["config"] if number < len(own) and own[number]["class_name"] == kind else {}
        for text in _changes(kind, mine["config"], other["config"], itself, None):
            yield f"of the {kind} within it, {text}"


def _plain(key: str, value: Any, rank: int | None) -> Any:
    """Normalize values with the same meaning: 2 and [2, 2], (1,) and [1], null and linear, axis -1 and the last."""
    if value is None:
        return _ABSENT.get(key)
    if key.endswith("activation"):
        return _ACTIVATIONS.get(str(value).lower(), value)
    if key in _AXES and rank is not None:
        value = _from_the_first(value, rank)
    return _without_repeats(value, collapse=key not in _LISTS)


def _from_the_first(axes: Any, rank: int) -> Any:
    if isinstance(axes, list | tuple):
        return [_from_the_first(axis, rank) for axis in axes]
    return axes + rank if isinstance(axes, int) and axes < 0 else axes


def _without_repeats(value: Any, *, collapse: bool) -> Any:
    if isinstance(value, list | tuple):
        items = [_without_repeats(item, collapse=collapse) for item in value]
        is_one = len(items) == 1 or (collapse and bool(items) and all(item == items[0] for item in items))
        return items[0] if is_one else items
    return float(np.float32(value)) if isinstance(value, float) else value
