"""Pairs the points of a .tflite file with tensors of its model, and runs the model in the batches of the file."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..artifact import Point
from ..artifact.tflite.points import TfliteGraph, nodes_of
from ..errors import RuntimeFailedError
from ..graphdef.control_flow import topological_order
from ..graphdef.refs import node_of
from ..types import Array
from .conversion import Side
from .pairing import numeric_tensors


def pair_operations(graph: TfliteGraph, graph_def: Any, outputs: Mapping[str, str]) -> dict[str, str]:
    """Map the points of a file to tensors of the model's graph, by the nodes that the converter fused into each.

    The value of a point is that of the last of its nodes. The converter appends a digit to a name that is taken; of
    several such points, the last has the value of the node, or the last that is the same operation, unless an output
    has it. A value whose axes are in a different order is no pair. `outputs` maps points to tensors of the model's
    outputs.
    """
    from ..graphdef.sizes import known_shapes

    shapes, sizes = known_shapes(graph_def), file_shapes(graph)
    nodes = {node.name: node for node in graph_def.node}
    place = {name: number for number, name in enumerate(topological_order(nodes, list(nodes)))}
    several = {node_of(tensor) for tensor in numeric_tensors(graph_def) if not tensor.endswith(":0")}
    single = {node_of(tensor) for tensor in numeric_tensors(graph_def)} - several

    def fits(point: Point, node: str) -> bool:
        shape = shapes.get(f"{node}:0")
        return node in single and (shape is None or not _is_rearranged(sizes[point.name], shape))

    found: dict[str, str] = {}
    numbered: dict[str, list[Point]] = {}
    for point in graph.points:
        names = nodes_of(point.tensor)
        known = [name for name in names if name in single]
        last = max(known, key=place.__getitem__) if known else ""
        if point.name in outputs:
            found[point.name] = outputs[point.name]
        elif known and fits(point, last):
            found[point.name] = f"{last}:0"
        elif node := next((name for name in _without_number(names) if fits(point, name)), None):
            numbered.setdefault(node, []).append(point)
    taken = {_behind_copies(nodes, tensor) for tensor in found.values()}
    for node, points in numbered.items():
        if node not in taken:
            same = [point for point in points if _is_like(nodes[node].op, point.op)]
            found[(same or points)[-1].name] = f"{node}:0"
    return found


def file_shapes(graph: TfliteGraph) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all points, inputs and outputs of a file; a free dimension is 1."""
    return {name: graph.shape_of(name) for name in graph.tensors}


def _is_like(op: str, operation: str) -> bool:
    """Tell whether an operation of TensorFlow and one of LiteRT have the same name, such as AddV2 and ADD."""
    return re.sub(r"V\d$", "", op).lower() == operation.replace("_", "").lower()


def _without_number(names: Sequence[str]) -> Iterator[str]:
    """Yield the last name without its last digit, without its last two, and so on."""
    digits = len(names[-1]) - len(names[-1].rstrip("0123456789")) if names else 0
    yield from (names[-1][:-count] for count in range(1, digits + 1))


def _behind_copies(nodes: Mapping[str, Any], tensor: str) -> str:
    """Return the node that computes a value, which Identity nodes may copy."""
    name = node_of(tensor)
    while name in nodes and nodes[name].op == "Identity":
        name = node_of(nodes[name].input[0])
    return name


def _is_rearranged(given: Sequence[int], expected: Sequence[int]) -> bool:
    """Tell whether two shapes of the same size hold the same axes in a different order, as after a transposition."""
    one, other = ([size for size in shape if size != 1] for shape in (given, expected))
    return one != other and Counter(one) == Counter(other)


class InBatches:
    """The model in Python, in the batches and with the shapes of the points of a file, as LiteRT runs it.

    `shapes` are those of the points and inputs of the file for one batch.
    """

    def __init__(self, model: Side, shapes: Mapping[str, Sequence[int]]) -> None:
        self._model = model
        self._shapes = shapes

    async def run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        """Compute points from the inputs; values of all batches are joined along the first axis."""
        rows = {name: tuple(self._shapes[name]) for name in feeds}
        count = max((len(v) // rows[n][0] for n, v in feeds.items() if v.shape != rows[n]), default=1)
        parts = []
        for part in range(count):
            fed = {
                name: value if value.shape == rows[name] else value[part * rows[name][0] : (part + 1) * rows[name][0]]
                for name, value in feeds.items()
            }
            found = await self._model.run(fed, fetches)
            parts.append({name: self._shaped(name, value) for name, value in found.items()})
        if count > 1 and (numbers := [name for name in fetches if not parts[0][name].ndim]):
            raise RuntimeFailedError(f"{numbers[0]} has no axis along which the results of {count} runs can be joined.")
        return {name: np.concatenate([p[name] for p in parts]) if count > 1 else parts[0][name] for name in fetches}

    def _shaped(self, name: str, value: Array) -> Array:
        """Give a value the shape that it has in the file, if only the grouping of its elements differs."""
        shape = tuple(self._shapes.get(name, value.shape))
        return value.reshape(shape) if math.prod(shape) == value.size else value
