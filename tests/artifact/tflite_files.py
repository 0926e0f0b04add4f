"""Small .tflite models that are written here, operation by operation, without TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pycheck.artifact.tflite import TfliteModel, sign
from pycheck.artifact.tflite.flatbuffer import schema
from pycheck.types import Array


@dataclass(frozen=True)
class Value:
    """A tensor: its name, type and shape (None is a free dimension), and its value if it is a weight."""

    name: str
    dtype: str = "float32"
    shape: tuple[int | None, ...] = (1, 4)
    value: Array | None = None


@dataclass(frozen=True)
class Step:
    """An operation by name, with the indices of its tensors; a name in lower case is a custom operation."""

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def built(tensors: Sequence[Value], steps: Sequence[Step], inputs: Sequence[int], outputs: Sequence[int]) -> Any:
    """A model of one subgraph, with a signature that has the tensors' names."""
    classes = schema()
    root = classes.ModelT()
    root.version, root.description = 3, b"made by hand"
    graph = classes.SubGraphT()
    root.buffers, graph.tensors, root.operatorCodes = [classes.BufferT()], [], []
    for given in tensors:
        tensor = classes.TensorT()
        tensor.name, tensor.type = given.name.encode(), getattr(classes.TensorType, given.dtype.upper())
        tensor.shape = np.array([size or 1 for size in given.shape], np.int32)
        if None in given.shape:
            tensor.shapeSignature = np.array([-1 if size is None else size for size in given.shape], np.int32)
        if given.value is not None:
            buffer = classes.BufferT()
            buffer.data = np.frombuffer(given.value.tobytes(), np.uint8)
            root.buffers.append(buffer)
            tensor.buffer = len(root.buffers) - 1
        graph.tensors.append(tensor)
    graph.operators = []
    for number, step in enumerate(steps):
        code = classes.OperatorCodeT()
        is_custom = step.op not in vars(classes.BuiltinOperator)
        code.builtinCode = classes.BuiltinOperator.CUSTOM if is_custom else getattr(classes.BuiltinOperator, step.op)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.customCode = step.op.encode() if is_custom else None
        root.operatorCodes.append(code)
        operator = classes.OperatorT()
        operator.opcodeIndex = number
        operator.inputs, operator.outputs = np.array(step.inputs, np.int32), np.array(step.outputs, np.int32)
        graph.operators.append(operator)
    graph.inputs, graph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
    root.subgraphs = [graph]
    model = TfliteModel(root)
    sign(model, [tensors[index].name for index in inputs], [tensors[index].name for index in outputs])
    return model


def chain(dtype: str = "float32", *, op: str = "NEG", middle: str = "NEG") -> TfliteModel:
    """The input x (1, 4), three operations in a row, the output y; the first also reads the weight w."""
    weight = Value("w", value=np.arange(4, dtype=np.float32).reshape(1, 4))
    tensors = [Value("x", dtype), weight, Value("a"), Value("b"), Value("y")]
    steps = [Step("ADD", (0, 1), (2,)), Step(middle, (2,), (3,)), Step(op, (3,), (4,))]
    model: TfliteModel = built(tensors, steps, [0], [4])
    return model
