"""Cuts operations out of a .tflite model as models of their own, or returns values within it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .editing import sign
from .model import TfliteModel, bodies, indices


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of a model as a model. `inputs` and `outputs` are its tensors in the whole model, in its own order."""

    model: TfliteModel
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def cut(model: TfliteModel, first: int, last: int) -> Cut:
    """Return the operations `first` to `last`, inclusive, of the first subgraph.

    Its inputs are the values that these operations read and do not compute; its outputs are the values that later
    operations or the outputs of the model read. Weights and the bodies of loops stay. The signature names each tensor
    by `tensor_name`.
    """
    operations = model.operations()[first : last + 1]
    later = {tensor for operation in model.operations()[last + 1 :] for tensor in operation.inputs}
    later |= set(indices(model.root.subgraphs[0].outputs))
    computed = dict.fromkeys(tensor for operation in operations for tensor in operation.outputs)
    constant = {tensor.index for tensor in model.tensors() if tensor.is_constant}
    read = dict.fromkeys(tensor for operation in operations for tensor in operation.inputs)
    inputs = tuple(tensor for tensor in read if tensor not in computed and tensor not in constant)
    outputs = tuple(tensor for tensor in computed if tensor in later) or tuple(computed)
    part = model.copy()
    _keep(part, range(first, last + 1), inputs, outputs)
    sign(part, [tensor_name(tensor) for tensor in inputs], [tensor_name(tensor) for tensor in outputs])
    return Cut(part, inputs, outputs)


def with_outputs(model: TfliteModel, tensors: Sequence[int]) -> Cut:
    """Return the whole model with these tensors of its first subgraph as outputs after its own."""
    whole = model.copy()
    graph = whole.root.subgraphs[0]
    own = indices(graph.outputs)
    outputs = (*own, *(tensor for tensor in tensors if tensor not in own))
    graph.outputs = np.array(outputs, np.int32)
    inputs = indices(graph.inputs)
    sign(whole, [tensor_name(tensor) for tensor in inputs], [tensor_name(tensor) for tensor in outputs])
    return Cut(whole, inputs, outputs)


def tensor_name(tensor: int) -> str:
    """Return the name of a tensor in the signature of a cut."""
    return f"t{tensor}"


def _keep(model: TfliteModel, kept: Iterable[int], inputs: Sequence[int], outputs: Sequence[int]) -> None:
    """Remove all other operations, and everything that only they use."""
    root = model.root
    graph = root.subgraphs[0]
    graph.operators = [graph.operators[index] for index in kept]
    fields = ("inputs", "outputs", "intermediates")
    used = {t for operator in graph.operators for field in fields for t in indices(getattr(operator, field)) if t >= 0}
    new = _renumbered(used | set(inputs) | set(outputs))
    for operator in graph.operators:
        for field in fields:
            if getattr(operator, field) is not None:
                setattr(operator, field, _mapped(indices(getattr(operator, field)), new))
    graph.tensors = [graph.tensors[tensor] for tensor in new]
    graph.inputs, graph.outputs = _mapped(inputs, new), _mapped(outputs, new)
    if not any(True for operator in graph.operators for _ in bodies(operator)):
        root.subgraphs = root.subgraphs[:1]
    root.metadata = root.metadataBuffer = None
    _drop_unused(root)


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
