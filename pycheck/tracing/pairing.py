"""Pairs each point of the artifact with a tensor of the model, by name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..artifact import Point
from ..artifact.graph.layer_names import layer_of_scope
from ..graphdef.control_flow import ControlFlow, topological_order
from ..graphdef.opaque import opaque_tensors, output_types
from ..graphdef.refs import node_of

#: Scopes that an export or a call of the model adds to names.
_CALLS = re.compile(r"(?:Stateful)?PartitionedCall(?:_\d+)?|[Ss]erving_default.*")
_WEIGHTS = frozenset({"Const", "NoOp", "Placeholder", "PlaceholderWithDefault"})


def pair_layers(points: Iterable[Point], layer_tensors: Mapping[str, str]) -> dict[str, str]:
    """Map the points of a layers artifact to tensors of the model: both use the same names for calls of layers.

    If a converter took the layers out of a nested model, the layer's own name decides if it is unique.
    """
    names = [point.name for point in points]
    exact = {name: name for name in names if name in layer_tensors}
    theirs = _by_last(name for name in layer_tensors if name not in exact)
    ours = _by_last(name for name in names if name not in exact)
    found = exact | {ours[last]: theirs[last] for last in ours if last in theirs}
    return {name: layer_tensors[call] for name, call in found.items()}


def _by_last(names: Iterable[str]) -> dict[str, str]:
    """Map the last part of each name to the name, for unique last parts."""
    lasts = [(name.rpartition("/")[2], name) for name in names]
    counts = Counter(last for last, _ in lasts)
    return {last: name for last, name in lasts if counts[last] == 1}


def pair_nodes(points: Sequence[Point], graph_def: Any, layer_tensors: Mapping[str, str]) -> dict[str, str]:
    """Map the points of a graph artifact to tensors of the model's frozen graph.

    A converter keeps the name of a node whose value stays. If few names are equal, as after an export, which adds
    scopes to all names, names are compared from the first layer on; only names that are unique on both sides count. If
    a converter wrote a layer again with different names, the last node of the layer is still the layer's result. If a
    converter swapped two operations, such as a pooling and an activation, the value after both is the one that stays.
    """
    pairs = _by_names(points, numeric_tensors(graph_def), frozenset(_layers(layer_tensors)))
    paired = set(pairs.values())
    results = {name: tensor for name, tensor in layer_tensors.items() if tensor not in paired}
    pairs |= {name: tensor for name, tensor in _leaving(points, results) if name not in pairs}
    for first, second in _swapped(points, pairs, graph_def):
        pairs[second] = pairs.pop(first)
    return pairs


def _swapped(points: Sequence[Point], pairs: Mapping[str, str], graph_def: Any) -> list[tuple[str, str]]:
    """Find pairs of points where the second reads only the first, while in the model the first reads the second."""
    read = {node.name: [node_of(ref) for ref in node.input] for node in graph_def.node}
    found = [
        (point.inputs[0], point.name)
        for point in points
        if len(point.inputs) == 1 and point.name in pairs and point.inputs[0] in pairs
        if node_of(pairs[point.name]) in read.get(node_of(pairs[point.inputs[0]]), ())
    ]
    return found if len({name for pair in found for name in pair}) == 2 * len(found) else []


def _layers(layer_tensors: Mapping[str, str]) -> Iterator[str]:
    """Yield the names of layers whose calls were recorded."""
    for name in layer_tensors:
        yield from (re.sub(r"[@:]\d+.*", "", part) for part in name.split("/"))


def _leaving(points: Sequence[Point], results: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Pair the result of a layer with the one point of the layer that no other of its points reads."""
    for layer, tensor in results.items():
        own = [point for point in points if point.layer == layer.rpartition("/")[2]]
        read = {name for point in own for name in point.inputs}
        last = [point.name for point in own if point.name not in read]
        if len(last) == 1 and f"{layer}@1" not in results:
            yield last[0], tensor


def _by_names(points: Sequence[Point], tensors: set[str], layers: Collection[str]) -> dict[str, str]:
    exact = {point.name: point.tensor for point in points if point.tensor in tensors}
    if 2 * len(exact) >= len(points):
        return exact
    theirs, ours = _by_key(tensors, layers), _by_key([point.tensor for point in points], layers)
    known = {point.tensor: point.name for point in points}
    keyed = {known[tensor]: theirs[key] for key, tensor in ours.items() if key in theirs}
    return keyed | exact


def numeric_tensors(graph_def: Any) -> set[str]:
    """Return every tensor of a graph that can be fetched and holds numbers."""
    nodes = {node.name: node for node in graph_def.node}
    order = topological_order(nodes, list(nodes))
    inside = ControlFlow.of(nodes, order).inside
    opaque = opaque_tensors(nodes, order)
    found = set()
    for name in order:
        if nodes[name].op in _WEIGHTS or name in inside:
            continue
        for index in range(len(output_types(nodes[name]))):
            if (name if index == 0 else f"{name}:{index}") not in opaque:
                found.add(f"{name}:{index}")
    return found


def _by_key(tensors: Iterable[str], layers: Collection[str]) -> dict[str, str]:
    keyed = {tensor: _key(tensor, layers) for tensor in tensors}
    counts = Counter(keyed.values())
    return {key: tensor for tensor, key in keyed.items() if counts[key] == 1}


def _key(tensor: str, layers: Collection[str]) -> str:
    """Shorten a name: from the first layer on, without the numbers that tracing adds to scopes."""
    node, index = node_of(tensor), tensor.partition(":")[2]
    parts = [part for part in node.split("/") if not _CALLS.fullmatch(part)]
    named = [layer_of_scope(part, layers) for part in parts[:-1]]
    first = next((place for place, layer in enumerate(named) if layer), 0)
    scopes = [layer or re.sub(r"_\d+$", "", part) for layer, part in zip(named, parts, strict=False)]
    return "/".join([*scopes[first:], *parts[-1:]]) + f":{index}"
