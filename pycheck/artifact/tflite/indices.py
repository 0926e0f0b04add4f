"""Checks that the parts of a .tflite file refer to parts that exist, before anything follows these indices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ArtifactFileError
from .model import NUMPY_TYPES, bodies, builtin, data_of, dtype_of, indices, operation_names, sizes, text

if TYPE_CHECKING:
    from .model import TfliteModel


def check_indices(model: TfliteModel, name: str) -> None:
    """Raise ArtifactFileError for the first index of a tensor, buffer, operation or subgraph that does not exist.

    The same for a weight with more or fewer bytes than its shape says. `name` names the file.
    """
    if fault := next(_faults(model.root), None):
        raise ArtifactFileError(f"{name} is damaged: {fault}.", "Copy the file again, or convert the model again.")


def _faults(root: Any) -> Iterator[str]:
    if not root.subgraphs or not root.buffers:
        yield "it has no subgraph or no buffers"
        return
    for number, code in enumerate(root.operatorCodes or ()):
        if builtin(code) not in operation_names():
            yield f"operation code {number} is {builtin(code)}, which TensorFlow Lite does not have"
    for number, graph in enumerate(root.subgraphs):
        yield from _in_subgraph(root, graph, f"subgraph {number}")
    for signature in root.signatureDefs or ():
        where = f"signature {text(signature.signatureKey)!r}"
        yield from _outside([signature.subgraphIndex], len(root.subgraphs), f"{where} is of subgraph", "subgraphs")
        tensors = root.subgraphs[signature.subgraphIndex].tensors or ()
        entries = [entry.tensorIndex for entry in (*(signature.inputs or ()), *(signature.outputs or ()))]
        yield from _outside(entries, len(tensors), f"{where} has tensor", "tensors")


def _in_subgraph(root: Any, graph: Any, where: str) -> Iterator[str]:
    tensors = graph.tensors or ()
    for index, tensor in enumerate(tensors):
        place = f"tensor {index} ({text(tensor.name)}) of {where}"
        yield from _outside([tensor.buffer], len(root.buffers), f"{place} has buffer", "buffers")
        yield from _of_wrong_size(root, tensor, place)
    for side in ("inputs", "outputs"):
        yield from _outside(
            indices(getattr(graph, side)), len(tensors), f"the {side} of {where} have tensor", "tensors"
        )
    for index, operator in enumerate(graph.operators or ()):
        place = f"operation {index} of {where}"
        codes = len(root.operatorCodes or ())
        yield from _outside([operator.opcodeIndex], codes, f"{place} has operation code", "operation codes")
        given = [tensor for tensor in indices(operator.inputs) if tensor != -1]  # -1 is an optional input, not given
        used = (*given, *indices(operator.outputs))
        yield from _outside(used, len(tensors), f"{place} has tensor", "tensors")
        yield from _outside(bodies(operator), len(root.subgraphs), f"{place} runs subgraph", "subgraphs")


def _of_wrong_size(root: Any, tensor: Any, place: str) -> Iterator[str]:
    data, dtype = data_of(root, tensor), dtype_of(tensor)
    if data is None or dtype not in NUMPY_TYPES or tensor.sparsity is not None:
        return
    needed = prod(sizes(tensor.shape)) * np.dtype(NUMPY_TYPES[dtype]).itemsize
    if len(data) != needed:
        yield f"{place} has {len(data):,} bytes, and its shape {list(sizes(tensor.shape))} needs {needed:,}"


def _outside(found: Iterable[int], count: int, what: str, of: str) -> Iterator[str]:
    for index in found:
        if not 0 <= index < count:
            yield f"{what} {index}, and there are {count} {of}"
