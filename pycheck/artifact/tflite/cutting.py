"""Cuts operations out of a .tflite model as a model of their own."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .editing import sign
from .model import TfliteModel, bodies, indices


def part(model: TfliteModel, given: Mapping[int, str], wanted: Mapping[int, str]) -> TfliteModel:
    """Return the operations that compute the tensors `wanted` from `given`, as a model with these names.

    Both are tensors of the first subgraph. An input that no such operation reads is left out; weights and the bodies
    of loops stay. ValueError if an operation reads an input of the model that is not given.
    """
    operations = model.operations()
    makers = {tensor: operation for operation in operations for tensor in operation.outputs}
    free = {port.tensor for port in model.inputs} - set(given)
    read = dict[int, None]()
    kept = set[int]()
    pending = list(wanted)
    while pending:
        tensor = pending.pop()
        if tensor in free:
            raise ValueError(f"the input {tensor} is not given")
        operation = makers.get(tensor)
        if tensor in given and tensor not in wanted:
            read[tensor] = None
        elif operation is not None and operation.index not in kept:
            kept.add(operation.index)
            read |= {other: None for other in operation.inputs if other in given}
            pending += [other for other in operation.inputs if other not in given]
    inputs, outputs = [tensor for tensor in given if tensor in read], list(wanted)
    made = _kept(model, sorted(kept), inputs, outputs)
    sign(made, [given[tensor] for tensor in inputs], [wanted[tensor] for tensor in outputs])
    return made


def _kept(model: TfliteModel, kept: Iterable[int], inputs: Sequence[int], outputs: Sequence[int]) -> TfliteModel:
    """Return a model of these operations and what they use. Only these are copied: there may be thousands of others."""
    root, graph = copy.copy(model.root), copy.copy(model.root.subgraphs[0])
    graph.operators = copy.deepcopy([graph.operators[index] for index in kept])
    fields = ("inputs", "outputs", "intermediates")
    used = {t for operator in graph.operators for field in fields for t in indices(getattr(operator, field)) if t >= 0}
    new = _renumbered(used | set(inputs) | set(outputs))
    for operator in graph.operators:
        for field in fields:
            if getattr(operator, field) is not None:
                setattr(operator, field, _mapped(indices(getattr(operator, field)), new))
    graph.tensors = [copy.copy(graph.tensors[tensor]) for tensor in new]
    graph.inputs, graph.outputs = _mapped(inputs, new), _mapped(outputs, new)
    calls = any(True for operator in graph.operators for _ in bodies(operator))
    root.subgraphs = [graph, *(copy.deepcopy(root.subgraphs[1:]) if calls else ())]
    root.metadata = root.metadataBuffer = None
    _drop_unused(root)
    return TfliteModel(root)


def _drop_unused(root: Any) -> None:
    """Remove buffers and operation codes that nothing refers to. Buffer 0 stays, because it means: no weight."""
    buffers = _renumbered({0} | {tensor.buffer for graph in root.subgraphs for tensor in graph.tensors or ()})
    root.buffers = [root.buffers[buffer] for buffer in buffers]
    operators = [operator for graph in root.subgraphs for operator in graph.operators or ()]
    codes = _renumbered({operator.opcodeIndex for operator in operators})
    root.operatorCodes = [root.operatorCodes[code] for code in codes]
    for graph in root.subgraphs:
        for tensor in graph.tensors or ():
            tensor.buffer = buffers[tensor.buffer]
    for operator in operators:
        operator.opcodeIndex = codes[operator.opcodeIndex]


def _renumbered(indices: set[int]) -> dict[int, int]:
    return {old: new for new, old in enumerate(sorted(indices))}


def _mapped(tensors: Sequence[int], new: dict[int, int]) -> Any:
    return np.array([new.get(tensor, -1) for tensor in tensors], np.int32)
