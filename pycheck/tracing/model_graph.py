"""Finds layers and operations of the model's graph that lie between tensors that the artifact has too."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..artifact.graph.layer_names import LayerNames
from ..graphdef.control_flow import topological_order
from ..graphdef.refs import node_of
from ..types import HANDING_ON
from .pairing import numeric_tensors

_WEIGHTS = frozenset({"Const", "NoOp", "Placeholder", "PlaceholderWithDefault"})


class ModelGraph:
    """The frozen graph of a model, compared with its artifact.

    `paired` and `inputs` map points and inputs of the artifact to tensors of the model. `layers` are the model's
    layers with their classes, `layer_tensors` the result of every call of a layer (see `LayerCalls`). `unpaired` are
    the remaining tensors that hold numbers.
    """

    def __init__(
        self,
        graph_def: Any,
        paired: Mapping[str, str],
        inputs: Mapping[str, str],
        layer_tensors: Mapping[str, str],
        layers: Mapping[str, str],
    ) -> None:
        self.graph_def = graph_def
        self._nodes = {node.name: node for node in graph_def.node}
        self._order = topological_order(self._nodes, list(self._nodes))
        self._ends = {node_of(tensor) for tensor in (*paired.values(), *inputs.values())}
        self.unpaired = {t for t in numeric_tensors(graph_def) if t.endswith(":0") and node_of(t) not in self._ends}
        self._results = {node_of(tensor): name for name, tensor in layer_tensors.items()}
        self._layers = layers
        self._names = LayerNames(self._order, layers)

    def before(self, tensor: str) -> list[str]:
        """Return the nodes that a tensor depends on, without those that the artifact has too, in topological order."""
        found: set[str] = set()
        pending = [node_of(ref) for ref in self._nodes[node_of(tensor)].input]
        while pending:
            name = pending.pop()
            if name not in found and name not in self._ends and self._nodes[name].op not in _WEIGHTS:
                found.add(name)
                pending += [node_of(ref) for ref in self._nodes[name].input]
        return [name for name in self._order if name in found]

    def behind(self, tensor: str, nodes: Collection[str]) -> list[str]:
        """Return those of the nodes, in topological order, that depend on a tensor through these nodes only."""
        found = {node_of(tensor)}
        for name in nodes:
            if any(node_of(ref) in found for ref in self._nodes[name].input):
                found.add(name)
        return [name for name in nodes if name in found]

    def up_to(self, tensor: str, nodes: Collection[str]) -> list[str]:
        """Return those of the nodes that a tensor depends on, including its own node."""
        found = {node_of(tensor)}
        for name in reversed(list(nodes)):
            if name in found:
                found.update(node_of(ref) for ref in self._nodes[name].input)
        return [name for name in nodes if name in found]

    def layers_of(self, nodes: Collection[str]) -> tuple[tuple[str, str], ...]:
        """Return the layers whose result is among these nodes, with their classes."""
        names = (_last(self._results[name]) for name in nodes if name in self._results)
        return tuple((name, self._layers[name]) for name in dict.fromkeys(names) if name in self._layers)

    def told(self, nodes: Collection[str], first: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
        """Name the layers of these nodes, or the operation of a node without a whole layer.

        Return also which are layers. `first` is the tensor before the nodes: the layer that it belongs to is not whole
        among them.
        """
        partly = self._names.of(node_of(first))
        found: dict[str, str] = {}
        layers: dict[str, None] = {}
        for name in nodes:
            layer = self._names.of(name)
            if layer and layer != partly and layer in self._layers:
                found[layer] = self._layers[layer]
                layers[layer] = None
            elif self._nodes[name].op not in HANDING_ON:
                found[name] = self._nodes[name].op
        return tuple(found.items()), tuple(layers)

    def name_of(self, tensor: str) -> str:
        """Name the layer whose result a tensor is, or its operation if there is no such layer."""
        node = node_of(tensor)
        layer = _last(self._results.get(node, ""))
        return f"{layer} ({self._layers[layer]})" if layer in self._layers else f"{node} ({self._nodes[node].op})"

    def results_first(self, nodes: Collection[str]) -> Iterator[str]:
        """Yield the numeric tensors of these nodes: results of layers, then the others."""
        for of_layers in (True, False):
            tensors = (f"{name}:0" for name in nodes if (name in self._results) is of_layers)
            yield from (tensor for tensor in tensors if tensor in self.unpaired)


def _last(call: str) -> str:
    return call.rpartition("/")[2].partition("@")[0].partition(":")[0]
