"""Finds numbers that a model casts to an integer type which cannot hold them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from ..types import Array, OutOfRangeCast
from .graph import FrozenGraph, called_by_outputs, outputs_of_nodes

_INT32 = np.iinfo(np.int32)


def narrowing_casts(frozen: FrozenGraph) -> dict[str, str]:
    """Return the casts to integer types that may overflow: by node, the tensor that it reads."""
    return {node.name: _tensor(node.input[0]) for node in frozen.graph_def.node if _may_not_fit(node)}


def casts_inside(frozen: FrozenGraph) -> dict[str, tuple[str, ...]]:
    """Return by output the integer types of casts within loops and branches, whose operands cannot be read."""
    types = {
        function.signature.name: [
            str(dtype.name)
            for node in function.node_def
            if _may_not_fit(node) and _kind(node) == "f" and (dtype := _dtype(node, "DstT")) is not None
        ]
        for function in frozen.graph_def.library.function
    }
    found = {
        output: tuple(sorted({name for function in functions for name in types[function]}))
        for output, functions in called_by_outputs(frozen).items()
    }
    return {output: names for output, names in found.items() if names}


def _kind(node: Any) -> str:
    dtype = _dtype(node, "SrcT")
    return "" if dtype is None else dtype.kind


def _may_not_fit(node: Any) -> bool:
    if node.op != "Cast":
        return False
    source, target = _dtype(node, "SrcT"), _dtype(node, "DstT")
    if source is None or target is None or target.kind not in "iu":
        return False
    if source.kind == "f":
        return True
    held = np.iinfo(source) if source.kind in "iu" else None
    low, high = _held_by_tfjs(target)
    return held is not None and not low <= held.min <= held.max <= high and source != target


def _dtype(node: Any, key: str) -> np.dtype[Any] | None:
    import tensorflow as tf

    dtype = tf.as_dtype(node.attr[key].type)
    return np.dtype(np.float32) if dtype == tf.bfloat16 else np.dtype(dtype.as_numpy_dtype)


def _held_by_tfjs(target: np.dtype[Any]) -> tuple[int, int]:
    """Return the range of a type in TF.js, whose integers have 32 bits."""
    held = np.iinfo(target)
    return max(held.min, _INT32.min), min(held.max, _INT32.max)


def out_of_range(frozen: FrozenGraph, values: Mapping[str, Array], layers: Collection[str]) -> Iterator[OutOfRangeCast]:
    """Return the casts of `values`, by node, that do not fit; `layers` are names of the model's layers."""
    nodes = {node.name: node for node in frozen.graph_def.node if node.name in values}
    for name, node in nodes.items():
        target = _dtype(node, "DstT")
        value = np.asarray(values[name])
        if target is None or not value.size:
            continue
        low, high = _held_by_tfjs(target)
        whole = np.trunc(value.astype(np.float64))
        outside = ~((whole >= low) & (whole <= high))
        outputs = outputs_of_nodes(frozen, name) if outside.any() else ()
        if not outputs:
            continue
        held = np.iinfo(target)
        undefined = value.dtype.kind == "f" and bool((~((whole >= held.min) & (whole <= held.max))).any())
        worst = np.unravel_index(int(np.argmax(np.where(outside, _size(whole), -1.0))), value.shape)
        yield OutOfRangeCast(
            name=name,
            layer=_layer(name, layers),
            dtype=target.name,
            count=int(outside.sum()),
            element_count=value.size,
            value=float(value[worst]),
            low=low,
            high=high,
            outputs=outputs,
            undefined=undefined,
        )


def other_results(cast: OutOfRangeCast, value: Array) -> list[Array]:
    """Return other possible results of a cast that does not fit: the lowest number, a middle one or the highest."""
    dtype = np.dtype(cast.dtype)
    whole = np.trunc(value.astype(np.float64))
    outside = ~((whole >= cast.low) & (whole <= cast.high))
    fitting = np.where(outside, 0.0, whole).astype(dtype)
    bounds = (cast.low, (cast.low + cast.high) // 2, cast.high)
    return [np.where(outside, dtype.type(bound), fitting) for bound in bounds]


def _size(value: Array) -> Array:
    return np.nan_to_num(np.abs(value), nan=np.inf, posinf=np.inf)


def _layer(node: str, layers: Collection[str]) -> str | None:
    parts = node.split("/")
    return next((part for part in reversed(parts) if part in layers), None)


def _tensor(ref: str) -> str:
    return ref if ":" in ref else f"{ref}:0"
