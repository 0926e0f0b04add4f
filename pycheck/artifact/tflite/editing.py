"""Changes a .tflite model in place: names of its signature, outputs of their own, types at its border."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...types import Array
from .flatbuffer import schema
from .model import TfliteModel, builtin, dtype_of, indices, sizes, text

#: The types that LiteRT.js reads and writes (datatypes.ts of @litertjs/core 2.5).
PAGE_TYPES = frozenset({"float32", "int32", "uint8"})
_FLOATS = frozenset({"float16", "float64", "bfloat16"})
KEY = "serving_default"
#: The options of operations that share a class.
_OPTIONS = {"MAXIMUM": "MaximumMinimum", "MINIMUM": "MaximumMinimum"}


def sign(model: TfliteModel, inputs: Sequence[str], outputs: Sequence[str], key: str = KEY) -> None:
    """Give the first subgraph one signature: these names, in the order of its inputs and outputs."""
    classes, graph = schema(), model.root.subgraphs[0]

    def entries(names: Sequence[str], tensors: Sequence[int]) -> list[Any]:
        made = []
        for name, tensor in zip(names, tensors, strict=True):
            entry = classes.TensorMapT()
            entry.name, entry.tensorIndex = name.encode(), tensor
            made.append(entry)
        return made

    signature = classes.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = key.encode(), 0
    signature.inputs = entries(inputs, indices(graph.inputs))
    signature.outputs = entries(outputs, indices(graph.outputs))
    model.root.signatureDefs = [signature]


def shared_outputs(model: TfliteModel) -> tuple[int, ...]:
    """Return the positions of outputs that no operation computes (an input, a weight), or that an earlier output is.

    LiteRT.js 2.5 returns arbitrary memory for all outputs if one is an input, and one result for two equal outputs.
    """
    graph = model.root.subgraphs[0]
    seen, found = set[int](), []
    computed = {tensor for operation in model.operations() for tensor in operation.outputs}
    for position, tensor in enumerate(indices(graph.outputs)):
        if tensor not in computed or tensor in seen:
            found.append(position)
        seen.add(tensor)
    return tuple(found)


def own_outputs(model: TfliteModel) -> tuple[int, ...]:
    """Copy each output of `shared_outputs` into a tensor of its own, by a RESHAPE; return their positions."""
    graph, positions = model.root.subgraphs[0], shared_outputs(model)
    outputs = list(indices(graph.outputs))
    for position in positions:
        source = graph.tensors[outputs[position]]
        target = add_tensor(graph, f"{text(source.name)}/copy_{position}", source.type, sizes(source.shape))
        graph.tensors[target].quantization = source.quantization
        size = np.array(sizes(source.shape), np.int32)
        shape = add_constant(model, graph, f"{text(source.name)}/shape_{position}", size)
        _append(model, "RESHAPE", [outputs[position], shape], target, newShape=size)
        outputs[position] = target
    _set_ports(model, "outputs", outputs)
    return positions


def adapt(model: TfliteModel) -> None:
    """Give the model inputs and outputs that LiteRT.js accepts.

    Quantized ones become float32, other integers and booleans int32, other floats float32. The names stay.
    """
    graph = model.root.subgraphs[0]
    begin: list[Any] = []
    inputs = list(indices(graph.inputs))
    for position, tensor in enumerate(inputs):
        if (wanted := _page_type(graph.tensors[tensor])) is not None:
            found = graph.tensors[tensor]
            inputs[position] = add_tensor(graph, f"{text(found.name)}/given", wanted, sizes(found.shape))
            begin.append(_cast(model, inputs[position], tensor, "QUANTIZE" if is_quantized(found) else "CAST"))
    outputs = list(indices(graph.outputs))
    for position, tensor in enumerate(outputs):
        if (wanted := _page_type(graph.tensors[tensor])) is not None:
            found = graph.tensors[tensor]
            outputs[position] = add_tensor(graph, f"{text(found.name)}/returned", wanted, sizes(found.shape))
            op = "DEQUANTIZE" if is_quantized(found) else "CAST"
            graph.operators = [*(graph.operators or ()), _cast(model, tensor, outputs[position], op)]
    graph.operators = [*begin, *(graph.operators or ())]
    _set_ports(model, "inputs", inputs)
    _set_ports(model, "outputs", outputs)


def _page_type(tensor: Any) -> int | None:
    """Return the type that replaces a tensor's at the border; None if it can stay."""
    if dtype_of(tensor) in PAGE_TYPES:
        return None
    is_float = dtype_of(tensor) in _FLOATS or is_quantized(tensor)
    types = schema().TensorType
    return int(types.FLOAT32 if is_float else types.INT32)


def is_quantized(tensor: Any) -> bool:
    """Tell whether the values of a tensor of the flatbuffer stand for others, by a scale."""
    found = tensor.quantization
    return found is not None and found.scale is not None and len(found.scale) > 0


def _set_ports(model: TfliteModel, side: str, tensors: Sequence[int]) -> None:
    """Replace the inputs or outputs, by position, also in the signatures."""
    graph = model.root.subgraphs[0]
    for signature in model.root.signatureDefs or ():
        old = list(indices(getattr(graph, side)))
        for entry in getattr(signature, side) if signature.subgraphIndex == 0 else ():
            position = old.index(entry.tensorIndex)
            entry.tensorIndex = tensors[position]
            old[position] = -1  # the same tensor may be there again
    setattr(graph, side, np.array(tensors, np.int32))


def _cast(model: TfliteModel, source: int, target: int, op: str) -> Any:
    tensors = model.root.subgraphs[0].tensors
    types = {"inDataType": tensors[source].type, "outDataType": tensors[target].type} if op == "CAST" else {}
    return make_operator(model, op, [source], target, **types)


def _append(model: TfliteModel, op: str, inputs: Sequence[int], output: int, **options: Any) -> None:
    graph = model.root.subgraphs[0]
    graph.operators = [*(graph.operators or ()), make_operator(model, op, inputs, output, **options)]


def make_operator(model: TfliteModel, op: str, inputs: Sequence[int], output: int, **options: Any) -> Any:
    """Make an operation with one output; it is not yet a part of a graph."""
    classes = schema()
    made = classes.OperatorT()
    made.opcodeIndex = _code(model, getattr(classes.BuiltinOperator, op))
    made.inputs, made.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
    kind = f"{_OPTIONS.get(op, op.capitalize())}Options"
    made.builtinOptionsType = getattr(classes.BuiltinOptions, kind)
    made.builtinOptions = getattr(classes, f"{kind}T")()
    for name, value in options.items():
        setattr(made.builtinOptions, name, value)
    return made


def _code(model: TfliteModel, number: int) -> int:
    for index, code in enumerate(model.root.operatorCodes or ()):
        if builtin(code) == number:
            return index
    code = schema().OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), 1
    model.root.operatorCodes = [*(model.root.operatorCodes or ()), code]
    return len(model.root.operatorCodes) - 1


def add_tensor(graph: Any, name: str, dtype: int, shape: Sequence[int], buffer: int = 0) -> int:
    """Add a tensor to a subgraph of the flatbuffer; return its index."""
    tensor = schema().TensorT()
    tensor.name, tensor.type, tensor.buffer, tensor.hasRank = name.encode(), dtype, buffer, True
    tensor.shape = np.array(shape, np.int32)
    graph.tensors = [*(graph.tensors or ()), tensor]
    return len(graph.tensors) - 1


def add_constant(model: TfliteModel, graph: Any, name: str, values: Array) -> int:
    """Add a weight to a subgraph of the flatbuffer; return its index."""
    dtype = getattr(schema().TensorType, values.dtype.name.upper())
    return add_tensor(graph, name, dtype, values.shape, add_buffer(model, values))


def add_buffer(model: TfliteModel, values: Array) -> int:
    """Add the bytes of a weight to the file; return their index."""
    buffer = schema().BufferT()
    buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
    model.root.buffers = [*model.root.buffers, buffer]
    return len(model.root.buffers) - 1
