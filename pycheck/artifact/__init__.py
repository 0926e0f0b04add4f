"""Reads an untrusted TF.js model.json, of either format, into a graph that TensorFlow executes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ..errors import ArtifactFileError
from .document import Document, read_document
from .executable import ArtifactGraph, Point


def read_artifact(path: Path, *, layers: Collection[str] = ()) -> ArtifactGraph:
    """Read a model.json (or the one in a folder) into a graph that TensorFlow executes.

    Args:
        path: The file or its folder.
        layers: Names of the Keras layers of the model that it came from, for a graph artifact's `Point.layer`; without
            them the layer is guessed from the nodes' names.

    Raises:
        ArtifactFileError: damaged, unsafe, or not executable by TensorFlow; the message says which.
    """
    document = read_document(path)
    try:
        return _from_graph(document, layers) if document.format == "graph" else _from_layers(document)
    except OSError as error:
        raise ArtifactFileError(
            f"Cannot read the shards of {document.file}: {error}.", "Copy the whole folder."
        ) from error


def _from_graph(document: Document, layers: Collection[str]) -> ArtifactGraph:
    from ..graphdef.refs import node_of
    from .graph.layer_names import LayerNames
    from .graph.points import graph_points, graph_weights, tensor_names
    from .graph.topology import executable_graph, parse_topology

    topology = parse_topology(document)
    inputs = tensor_names([port.tensor for port in document.inputs])
    outputs = tensor_names([port.tensor for port in document.outputs])
    points = graph_points(topology, inputs, outputs, layers)
    weights = document.quantized_weights()
    readers = {node.name for node in topology.node if weights.intersection(map(node_of, node.input))}
    quantized = frozenset(point.name for point in points if node_of(point.tensor) in readers)
    graph_def = executable_graph(document, topology)
    names = LayerNames((node.name for node in topology.node), layers)
    stored = {node.name for node in topology.node if node.op == "Const"}
    found = graph_weights(graph_def, {name: (name, names.of(name)) for name in stored})
    return ArtifactGraph(graph_def, inputs, outputs, points, quantized=quantized, weights=found)


def _from_layers(document: Document) -> ArtifactGraph:
    from .layers.faults import layers_faults
    from .layers.graph import layers_graph

    try:
        return layers_graph(document)
    except ArtifactFileError as error:
        fault = next((fault for fault in layers_faults(document) if not fault.backends), None)
        if fault is None:
            raise
        of = ", ".join(filter(None, (fault.op, fault.given)))
        raise type(error)(f"{error.message} The layer {fault.name} ({of}): {fault.fault}.", fault.cure) from error
