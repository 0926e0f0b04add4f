"""Converts the topology of a graph artifact to a GraphDef that TensorFlow runs: adds weights, converts types.

TF.js has one float type and reads half, bfloat16 and double as float32; so does this module. Integers with more than
32 bits keep their type, which TensorFlow's kernels require.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.json_format import ParseDict, ParseError

from ...errors import ArtifactFileError, NotExecutableError
from ...graphdef.control_flow import anchor_constants
from ...graphdef.internals import graph_pb2, op_def_registry, tensor_util
from ...graphdef.refs import node_of
from ..document import Document
from ..operations import known_operations
from ..weights import Array, decode_weights
from .fused import EXPANDED, expand_fused
from .tables import join_initializer, unfilled_tables

_FLOAT32 = tf.float32.as_datatype_enum
_NARROWED = {
    tf.float16.as_datatype_enum: _FLOAT32,
    tf.bfloat16.as_datatype_enum: _FLOAT32,
    tf.float64.as_datatype_enum: _FLOAT32,
    tf.complex128.as_datatype_enum: tf.complex64.as_datatype_enum,
}


def parse_topology(document: Document) -> Any:
    """Return the GraphDef of the artifact's own nodes, including fused ones, without the values of its weights.

    ArtifactFileError: damaged, an operation that TF.js lacks or that keeps state, an output that is not a node.
    """
    graph_def = _parse(document, document.topology)
    _check_operations(document, graph_def)
    _check_references(document, graph_def)
    return _plain(graph_def)


def executable_graph(document: Document, topology: Any) -> Any:
    """Copy `topology` with weights as constants and fused operations expanded; every node keeps its name.

    ArtifactFileError: a weight is missing or damaged, or a fused operation is unknown to TF.js.
    """
    graph_def = graph_pb2.GraphDef()
    graph_def.CopyFrom(topology)
    weights = decode_weights(document)
    for function, node in _all_nodes(graph_def):
        if node.op == "Const":
            _fill(document, node, function, weights)
    initializer = _initializer(document)
    for function, node in _all_nodes(initializer):
        if node.op == "Const":
            _fill(document, node, function, weights)
    if unfilled := unfilled_tables(graph_def, initializer):
        raise ArtifactFileError(
            f"Cannot run {document.file}: its lookup tables are empty: {', '.join(unfilled)}.",
            "Convert the model again.",
        )
    join_initializer(document, graph_def, initializer)
    try:
        expand_fused(graph_def)
    except ValueError as error:
        raise ArtifactFileError(f"Cannot run {document.file}: {error}") from error
    anchor_constants(graph_def)
    return graph_def


def _initializer(document: Document) -> Any:
    """Return the GraphDef that fills the artifact's lookup tables; without nodes if there is none."""
    graph_def = _parse(document, document.content.get("modelInitializer") or {})
    _check_operations(document, graph_def)
    return _plain(graph_def)


def _plain(graph_def: Any) -> Any:
    """Remove devices and convert types to those that TF.js reads, in place."""
    for _, node in _all_nodes(graph_def):
        node.device = ""
        node.attr.pop("_class", None)
        _narrow(node)
        if node.op == "Const":
            del node.input[:]
    for function in graph_def.library.function:
        for argument in (*function.signature.input_arg, *function.signature.output_arg):
            argument.type = _NARROWED.get(argument.type, argument.type)
    return graph_def


def _parse(document: Document, graph: Mapping[str, Any]) -> Any:
    topology = {key: graph[key] for key in ("node", "library", "versions") if key in graph}
    try:
        return ParseDict(_plain_json(topology), graph_pb2.GraphDef(), ignore_unknown_fields=True)
    except (ParseError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = str(error).splitlines()[0][:300]
        raise ArtifactFileError(
            f"Cannot read the graph in {document.file}: it is damaged: {reason}.",
            "Copy the model again, or convert it again.",
        ) from error


def _plain_json(value: Any, key: str = "") -> Any:
    """Convert byte strings that some converters wrote as lists of numbers to base64; TF.js reads both."""
    if isinstance(value, dict):
        return {name: _plain_json(item, name) for name, item in value.items()}
    if isinstance(value, list):
        if key == "s" and value and all(isinstance(item, int) for item in value):
            return base64.b64encode(bytes(value)).decode()
        return [_plain_json(item, key) for item in value]
    return value


def _all_nodes(graph_def: Any) -> Iterator[tuple[str, Any]]:
    """Yield every node with the name of its function, which is empty for the graph itself."""
    for node in graph_def.node:
        yield "", node
    for function in graph_def.library.function:
        for node in function.node_def:
            yield function.signature.name, node


def _check_operations(document: Document, graph_def: Any) -> None:
    """Reject operations that TF.js does not execute: a graph may contain some that write files or call Python."""
    nodes = [node for _, node in _all_nodes(graph_def)]
    functions = {function.signature.name for function in graph_def.library.function}
    unknown = {node.op: node.name for node in nodes if node.op not in known_operations() | functions}
    if unknown:
        listed = ", ".join(f"{op} (node {name})" for op, name in sorted(unknown.items()))
        raise ArtifactFileError(
            f"{document.file} has operations that TF.js does not have: {listed}.",
            "Convert the model with pycheck convert MODEL FOLDER",
        )
    if document.topology.get("initializer"):
        raise NotExecutableError(
            f"Cannot run {document.file} in Python: its lookup tables have an initializer graph.",
            "Give the model that it was converted from as MODEL, and this file as --tfjs-model.",
        )
    lost = {node.op for node in nodes if node.op not in functions | EXPANDED and op_def_registry.get(node.op) is None}
    if lost:
        raise NotExecutableError(
            f"Cannot run {document.file} in Python: TensorFlow does not have {', '.join(sorted(lost))}.",
            "Give the model that it was converted from as MODEL, and this file as --tfjs-model.",
        )


def _check_references(document: Document, graph_def: Any) -> None:
    """Check that every input of a node, and every input and output of the artifact, is a node."""
    names = {node.name for node in graph_def.node}
    refs = [ref for node in graph_def.node for ref in node.input]
    refs += [port.tensor for port in (*document.inputs, *document.outputs)]
    if missing := sorted({node_of(ref) for ref in refs} - names):
        raise ArtifactFileError(
            f"Cannot read {document.file}: its graph refers to missing nodes: {', '.join(missing[:5])}.",
            "Convert the model again.",
        )


def _narrow(node: Any) -> None:
    for attr in node.attr.values():
        kind = attr.WhichOneof("value")
        if kind == "type":
            attr.type = _NARROWED.get(attr.type, attr.type)
        elif kind == "list" and attr.list.type:
            attr.list.type[:] = [_NARROWED.get(dtype, dtype) for dtype in attr.list.type]


def _fill(document: Document, node: Any, function: str, weights: Mapping[str, Array]) -> None:
    """Put the weight into a Const, with the type that the node declares.

    Within a function its name may include that.
    """
    value = weights.get(node.name, weights.get(f"{function}/{node.name}"))
    if value is None:
        raise ArtifactFileError(
            f"Cannot read {document.file}: its manifest does not have the weight {node.name!r}.",
            "Convert the model again.",
        )
    dtype = tf.as_dtype(node.attr["dtype"].type) if node.attr["dtype"].type else tf.as_dtype(value.dtype)
    if value.dtype != object:
        value = np.asarray(value, dtype=dtype.as_numpy_dtype)
    node.attr["dtype"].type = dtype.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(value, dtype=dtype, shape=value.shape))
