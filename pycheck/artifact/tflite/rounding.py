"""Rewrites a quantized .tflite file so that it computes in float32."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...types import Array
from .editing import add_buffer, add_constant, add_tensor, is_quantized, make_operator
from .flatbuffer import schema
from .model import NUMPY_TYPES, TfliteModel, builtin, data_of, dtype_of, indices, sizes

_INTEGERS = frozenset({"int4", "int8", "uint8", "int16", "int32"})


def in_float32(model: TfliteModel, seed: int | None = None) -> TfliteModel:
    """Return the model with the same weights and ranges, computed in float32.

    Weights are the numbers for which their integers stand. Values inside the model are not rounded to integers; they
    are limited to the range of these, because a quantized kernel saturates there. With a `seed`, each quantized weight
    is moved at random by up to half of its step, as if it had been rounded differently.
    """
    made = model.copy()
    random = None if seed is None else np.random.default_rng(seed)
    for graph in made.root.subgraphs:
        ranges = _floats(made, graph, random)
        _limit(made, graph, ranges)
    return made


def _floats(model: TfliteModel, graph: Any, random: np.random.Generator | None) -> dict[int, tuple[float, float]]:
    """Give each quantized tensor the type float32; return the ranges of those that are computed, by index."""
    ranges: dict[int, tuple[float, float]] = {}
    float32 = schema().TensorType.FLOAT32
    for index, tensor in enumerate(graph.tensors or ()):
        data, dtype = data_of(model.root, tensor), dtype_of(tensor)
        if data is not None and dtype == "float16":
            values = np.asarray(data, np.uint8).view(np.float16).reshape(sizes(tensor.shape))
            _set(model, tensor, values.astype(np.float64), np.abs(np.spacing(values)), random)
        elif not is_quantized(tensor) or dtype not in _INTEGERS:
            continue
        elif data is not None:
            scale, zero = _parameters(tensor)
            values = _integers(np.asarray(data, np.uint8), dtype, sizes(tensor.shape))
            _set(model, tensor, (values - zero) * scale, scale, random)
        else:
            scale, zero = _parameters(tensor)
            info = np.iinfo(NUMPY_TYPES[dtype])
            ranges[index] = float(np.min((info.min - zero) * scale)), float(np.max((info.max - zero) * scale))
        tensor.type, tensor.quantization = float32, None
    return ranges


def _limit(model: TfliteModel, graph: Any, ranges: dict[int, tuple[float, float]]) -> None:
    """Limit each value to its range; operations that only convert between types disappear."""
    codes = schema().BuiltinOperator
    kept: list[Any] = []
    same: dict[int, int] = {}  # the tensor that has the value of another one

    def limited(source: int, target: int) -> Iterator[Any]:
        low, high = (add_constant(model, graph, f"end_{target}", np.array(end, np.float32)) for end in ranges[target])
        between = like(target)
        yield make_operator(model, "MINIMUM", [source, high], between)
        yield make_operator(model, "MAXIMUM", [between, low], target)

    def like(target: int) -> int:
        found = graph.tensors[target]
        return add_tensor(graph, f"before_{target}", found.type, sizes(found.shape))

    for found in graph.operators or ():
        found.inputs = np.array([same.get(index, index) for index in indices(found.inputs)], np.int32)
        outputs = list(indices(found.outputs))
        if builtin(model.root.operatorCodes[found.opcodeIndex]) in (codes.QUANTIZE, codes.DEQUANTIZE):
            source, target = int(found.inputs[0]), outputs[0]
            if target in ranges:
                kept += limited(source, target)
            else:
                same[target] = source
            continue
        kept.append(found)
        for position, target in enumerate(outputs):
            if target in ranges:
                outputs[position] = like(target)
                kept += limited(outputs[position], target)
        found.outputs = np.array(outputs, np.int32)
    graph.operators = kept
    graph.outputs = np.array([same.get(index, index) for index in indices(graph.outputs)], np.int32)
    for signature in model.root.signatureDefs or ():
        if model.root.subgraphs[signature.subgraphIndex] is graph:
            for entry in signature.outputs or ():
                entry.tensorIndex = same.get(entry.tensorIndex, entry.tensorIndex)


def _set(model: TfliteModel, tensor: Any, values: Array, step: Array, random: np.random.Generator | None) -> None:
    if random is not None:
        values = values + step * random.uniform(-0.5, 0.5, values.shape)
    tensor.buffer = add_buffer(model, values.astype(np.float32))


def _parameters(tensor: Any) -> tuple[Array, Array]:
    """Return scales and zero points in a shape that broadcasts with the values."""
    found = tensor.quantization
    scale = np.asarray(found.scale, np.float64)
    zero = np.broadcast_to(np.asarray(indices(found.zeroPoint) or (0,), np.float64), scale.shape)
    if scale.size == 1:
        return scale.reshape(()), zero.reshape(())
    shape = [1] * len(sizes(tensor.shape))
    shape[found.quantizedDimension] = -1
    return scale.reshape(shape), zero.reshape(shape)


def _integers(data: Array, dtype: str, shape: tuple[int, ...]) -> Array:
    if dtype == "int4":  # two in a byte, the lower half first
        halves = np.stack([data << 4, data], axis=-1).view(np.int8) >> 4
        return halves.reshape(-1)[: int(np.prod(shape))].reshape(shape)
    return data.view(NUMPY_TYPES[dtype]).reshape(shape)
