"""Finds the points of a .tflite file: the results of its operations, by readable names."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..executable import Point
from ..graph.layer_names import LayerNames
from .cutting import part
from .editing import adapt
from .model import Operation, Tensor, TfliteModel

_NUMERIC = re.compile(r"float|bfloat|u?int|bool")
_ACTIVATIONS = {0: "", 1: "relu", 3: "relu6", 4: "tanh"}
_OWN_ACTIVATIONS = {"RELU": "relu", "RELU6": "relu6", "TANH": "tanh", "LOGISTIC": "sigmoid", "SOFTMAX": "softmax"}


@dataclass(frozen=True, slots=True)
class TfliteGraph:
    """A file with its points, in the order in which they run.

    `tensors` maps the names of points, inputs and outputs to tensors. `Point.tensor` is the name of the tensor in the
    file: the fused nodes of the model, joined by semicolons. `quantized` are points that read quantized weights, or
    are quantized themselves. `coarse` are those of integers, with the distance of two neighboring values; it is 0 if
    the value itself is a float.
    """

    model: TfliteModel
    points: tuple[Point, ...]
    tensors: Mapping[str, int]
    quantized: frozenset[str]
    coarse: Mapping[str, float]

    def part(self, given: Collection[str], wanted: Collection[str]) -> TfliteModel:
        """Return the operations from some points to others as a model of its own, with types that LiteRT.js accepts.

        The names of its inputs and outputs are those of the points. ValueError if an operand is not given.
        """
        made = part(
            self.model, {self.tensors[name]: name for name in given}, {self.tensors[name]: name for name in wanted}
        )
        adapt(made)
        return made

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Return the shape of a point, an input or an output; a free dimension is 1."""
        return tuple(size or 1 for size in self.model.tensors()[self.tensors[name]].shape)

    def point_of(self, output: str) -> str:
        """Return the point of an output of the file; its own name if no operation computes it."""
        index = self.tensors[output]
        return next((point.name for point in self.points if self.tensors[point.name] == index), output)


def tflite_graph(model: TfliteModel, layers: Collection[str] = ()) -> TfliteGraph:
    """Describe a file; `layers` are the names of the Keras layers of the model that it came from."""
    tensors, operations = model.tensors(), model.operations()
    varying = {port.tensor for port in model.inputs}
    named = {port.tensor: port.name for port in (*model.outputs, *model.inputs)}
    taken = set(named.values())
    found = LayerNames([node for tensor in tensors for node in nodes_of(tensor.name)], layers)
    halves = {
        tensor
        for operation in operations
        if operation.op == "DEQUANTIZE" and tensors[operation.inputs[0]].is_constant
        for tensor in operation.outputs
    }
    read = {tensor for operation in operations for tensor in operation.inputs} | {port.tensor for port in model.outputs}
    made: list[Point] = []
    coarse, halved = dict[str, float](), set[str]()
    for operation in operations:
        if not varying.intersection(operation.inputs):
            continue  # it depends on weights only, such as the DEQUANTIZE of a float16 weight
        varying.update(operation.outputs)
        for tensor in operation.outputs:
            if tensor not in read or not _NUMERIC.match(tensors[tensor].dtype):
                continue
            name = named.get(tensor) or _free(nodes_of(tensors[tensor].name), operation, taken)
            named[tensor] = name
            taken.add(name)
            seen = list(_layers(operation, tensors, tensor, found, layers, name))
            made.append(
                Point(
                    name,
                    operation.op,
                    tuple(dict.fromkeys(named[other] for other in operation.inputs if other in named)),
                    seen[0] if seen else None,
                    tensors[tensor].name,
                    constant=False,
                    activation=_OWN_ACTIVATIONS.get(operation.op) or _fused(model, operation),
                    merged=tuple(reversed(seen[1:])),
                )
            )
            around = [tensors[other] for other in (*operation.inputs, tensor)]
            if any(_is_coarse(other) for other in around):
                own = tensors[tensor].quantization
                coarse[name] = own[0] if own else 0.0
            elif halves.intersection(operation.inputs):
                halved.add(name)
    places = {name: tensor for tensor, name in named.items()}
    return TfliteGraph(model, tuple(made), places, frozenset({*coarse, *halved}), coarse)


def nodes_of(name: str) -> list[str]:
    """Return the nodes of the model that a tensor is named after."""
    return [node for node in name.split(";") if node]


def _free(nodes: Sequence[str], operation: Operation, taken: Collection[str]) -> str:
    """Return the first node's name, with a number if it is taken."""
    first = nodes[0] if nodes else f"operation {operation.index}"
    numbered = (f"{first}#{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([first], numbered) if name not in taken)


def _layers(
    operation: Operation,
    tensors: Sequence[Tensor],
    tensor: int,
    names: LayerNames,
    layers: Collection[str],
    name: str,
) -> Iterator[str]:
    """Yield the layers whose operations the converter fused into one, that of the result first, each once.

    Weights show it too: the result of the last operation is named after an output of the model.
    """
    weights = [tensors[other] for other in operation.inputs if tensors[other].is_constant]
    nodes = [*nodes_of(tensors[tensor].name), *(node for weight in weights for node in nodes_of(weight.name))]
    own = [name] if name in layers else []
    known = [layer for node in nodes if "/" in node and (layer := names.of(node))]
    yield from dict.fromkeys([*own, *known])


def _fused(model: TfliteModel, operation: Operation) -> str:
    options = model.root.subgraphs[0].operators[operation.index].builtinOptions
    return _ACTIVATIONS.get(getattr(options, "fusedActivationFunction", 0), "")


def _is_coarse(tensor: Tensor) -> bool:
    return tensor.is_quantized and tensor.dtype in ("int4", "int8", "uint8", "int16")
