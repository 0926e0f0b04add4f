"""Describes a .tflite file: its tensors, operations, signatures, inputs and outputs."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ArtifactFileError
from ...types import Array
from .flatbuffer import pack, schema, unpack

#: The NumPy types of tensors with a fixed size per element; types of less than a byte are left out.
NUMPY_TYPES = {
    "float16": np.float16, "float32": np.float32, "float64": np.float64, "bool": np.bool_,
    "int8": np.int8, "int16": np.int16, "int32": np.int32, "int64": np.int64,
    "uint8": np.uint8, "uint16": np.uint16, "uint32": np.uint32, "uint64": np.uint64,
    "complex64": np.complex64, "complex128": np.complex128,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a subgraph. `dtype` is the schema's type in lower case, such as float32, string or resource.

    A dimension is None if it is free. `is_constant` tensors are weights; `is_variable` ones keep their value from run
    to run. `quantization` has scale and zero point if one pair holds for the whole tensor; `is_quantized` is also true
    for one pair for each channel.
    """

    index: int
    name: str
    dtype: str
    shape: tuple[int | None, ...]
    is_constant: bool = False
    is_variable: bool = False
    quantization: tuple[float, int] | None = None
    is_quantized: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of a subgraph. `op` is a name such as CONV_2D, or the name of a custom operation.

    `inputs` and `outputs` are indices of tensors; an optional input that is not given is left out. `subgraphs` are the
    bodies of a loop or a branch.
    """

    index: int
    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    is_custom: bool = False
    subgraphs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Port:
    """An input or an output: its name in the signature, and the tensor's index."""

    name: str
    tensor: int


class TfliteModel:
    """A .tflite file in memory.

    `root` is the ``ModelT`` of the schema. Editing functions change it in place, and `copy` keeps the original.
    """

    def __init__(self, root: Any) -> None:
        self.root = root

    @classmethod
    def of(cls, content: bytes, name: str = "The model") -> TfliteModel:
        """Read the bytes of a file; ArtifactFileError if they are no whole .tflite file. `name` is for messages."""
        from .indices import check_indices

        model = cls(unpack(content, name))
        check_indices(model, name)
        return model

    def to_bytes(self) -> bytes:
        """Return the content of a file."""
        return pack(self.root)

    def copy(self) -> TfliteModel:
        """Copy everything except the bytes of weights, which are never changed in place."""
        kept = {id(buffer.data): buffer.data for buffer in self.root.buffers if buffer.data is not None}
        return TfliteModel(copy.deepcopy(self.root, dict(kept)))

    @property
    def subgraph_count(self) -> int:
        """Return the number of subgraphs. The first is the model; others are bodies of loops and branches."""
        return len(self.root.subgraphs)

    def tensors(self, subgraph: int = 0) -> tuple[Tensor, ...]:
        """Return the tensors of a subgraph, by index."""
        found = self.root.subgraphs[subgraph].tensors or ()
        return tuple(self._tensor(index, tensor) for index, tensor in enumerate(found))

    def operations(self, subgraph: int = 0) -> tuple[Operation, ...]:
        """Return the operations of a subgraph, in the order in which they run."""
        found = self.root.subgraphs[subgraph].operators or ()
        return tuple(self._operation(index, operator) for index, operator in enumerate(found))

    @property
    def signature_keys(self) -> tuple[str, ...]:
        """Return the names of the signatures; LiteRT.js runs the first."""
        return tuple(text(signature.signatureKey) for signature in self.root.signatureDefs or ())

    @property
    def inputs(self) -> tuple[Port, ...]:
        """Return the inputs of the first signature, in the order of the tensors; without one, of the first subgraph."""
        return self._ports("inputs")

    @property
    def outputs(self) -> tuple[Port, ...]:
        """Return the outputs, as for `inputs`."""
        return self._ports("outputs")

    @property
    def description(self) -> str:
        """Return the text by which the converter names itself; empty if there is none."""
        return text(self.root.description).rstrip(".")

    @property
    def quantization(self) -> str:
        """Return how the file stores numbers: int8 (or uint8) also for activations, dynamic for weights, or float16."""
        tensors = [tensor for subgraph in range(self.subgraph_count) for tensor in self.tensors(subgraph)]
        small = [tensor for tensor in tensors if tensor.dtype in ("int8", "uint8", "int4")]
        if any(tensor.quantization and not tensor.is_constant for tensor in small):
            return "int8"
        if any(tensor.is_constant and tensor.is_quantized for tensor in small):
            return "dynamic"
        return "float16" if any(tensor.is_constant and tensor.dtype == "float16" for tensor in tensors) else "none"

    def constant(self, tensor: int, subgraph: int = 0) -> Array | None:
        """Return the values of a weight; None if it is not constant, or has no NumPy type."""
        found = self.root.subgraphs[subgraph].tensors[tensor]
        data, dtype = data_of(self.root, found), dtype_of(found)
        if data is None or dtype not in NUMPY_TYPES:
            return None
        return np.asarray(data, np.uint8).view(NUMPY_TYPES[dtype]).reshape(sizes(found.shape))

    def _ports(self, side: str) -> tuple[Port, ...]:
        signatures = self.root.signatureDefs or ()
        graph = self.root.subgraphs[signatures[0].subgraphIndex if signatures else 0]
        order = indices(getattr(graph, side))
        if not signatures:
            return tuple(Port(text(graph.tensors[index].name), index) for index in order)
        ports = [Port(text(entry.name), int(entry.tensorIndex)) for entry in getattr(signatures[0], side) or ()]
        return tuple(sorted(ports, key=lambda port: order.index(port.tensor) if port.tensor in order else len(order)))

    def _tensor(self, index: int, tensor: Any) -> Tensor:
        free = tensor.shapeSignature
        shape = sizes(tensor.shape if free is None or not len(free) else free)
        return Tensor(
            index,
            text(tensor.name),
            dtype_of(tensor),
            tuple(None if size < 0 else size for size in shape),
            data_of(self.root, tensor) is not None,
            bool(tensor.isVariable),
            _quantization(tensor.quantization),
            tensor.quantization is not None and tensor.quantization.scale is not None,
        )

    def _operation(self, index: int, operator: Any) -> Operation:
        code = self.root.operatorCodes[operator.opcodeIndex]
        number = builtin(code)
        is_custom = number == schema().BuiltinOperator.CUSTOM
        return Operation(
            index,
            text(code.customCode) if is_custom else operation_names().get(number, f"operation {number}"),
            tuple(tensor for tensor in indices(operator.inputs) if tensor >= 0),
            indices(operator.outputs),
            is_custom,
            tuple(bodies(operator)),
        )


def read_tflite(path: Path) -> TfliteModel:
    """Read a file; ArtifactFileError if it cannot be read, or is no whole .tflite file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactFileError(f"Cannot read {path}: {error.strerror or error}.") from error
    return TfliteModel.of(content, str(path))


def text(value: bytes | None) -> str:
    """Return a text of the flatbuffer; empty if it is not given."""
    return (value or b"").decode("utf-8", "replace")


def indices(vector: Any) -> tuple[int, ...]:
    """Return a vector of integers; empty if it is not given."""
    return () if vector is None else tuple(int(value) for value in vector)


sizes = indices  # a shape that is not given is that of a scalar


def builtin(code: Any) -> int:
    """Return the number of an operation; files before 2020 have it in the older of two fields."""
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def bodies(operator: Any) -> Iterator[int]:
    """Return the subgraphs that a loop, a branch or a call runs."""
    for options in (operator.builtinOptions, operator.builtinOptions2):
        for name, value in vars(options).items() if options is not None else ():
            if name.lower().endswith("subgraphindex") or name == "subgraph":
                yield int(value)
            elif name == "branchSubgraphIndices":
                yield from indices(value)


def data_of(root: Any, tensor: Any) -> Any:
    """Return the bytes of a weight; None if the tensor is not constant. Buffer 0 means: none."""
    data = root.buffers[tensor.buffer].data if tensor.buffer else None
    return None if data is None or (not len(data) and 0 not in sizes(tensor.shape)) else data


def operation_names() -> dict[int, str]:
    """Return the names of the built-in operations, by number."""
    return _names("BuiltinOperator")


def dtype_of(tensor: Any) -> str:
    """Return the type of a tensor of the flatbuffer in lower case."""
    return _names("TensorType").get(tensor.type, f"type {tensor.type}").lower()


@functools.cache
def _names(enumeration: str) -> dict[int, str]:
    members = vars(getattr(schema(), enumeration)).items()
    return {number: name for name, number in members if not name.startswith("_")}


def _quantization(given: Any) -> tuple[float, int] | None:
    if given is None or given.scale is None or len(given.scale) != 1:
        return None
    zero_points: Sequence[int] = indices(given.zeroPoint)
    return float(given.scale[0]), zero_points[0] if zero_points else 0
