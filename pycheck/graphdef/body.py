"""A frozen graph in an editable form: one plain graph for the model and one for each function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ..errors import ConversionError
from .internals import (
    function_def_to_graph_def,
    function_pb2,
    graph_pb2,
    node_def_pb2,
    op_def_pb2,
    op_def_registry,
    tensor_util,
)
from .large_constants import without_large_constants
from .refs import index_of, node_of

Array = npt.NDArray[Any]
Shape = tuple[int | None, ...] | None

_LOOPS = (
    "The model has a TensorFlow 1 loop at {node}, which is a cycle in the graph. pycheck only converts TensorFlow 2 "
    "loops, which are functions."
)
_WITHOUT_LOOPS = (
    "Save the model with TensorFlow 2, or call tf.compat.v1.enable_control_flow_v2() before you build its graph. Or "
    "give an artifact: --tfjs-model PATH"
)

PLACEHOLDERS = ("Placeholder", "PlaceholderWithDefault")


def normal(ref: str) -> str:
    """Return a tensor reference in its short form: ``node`` for output 0, ``node:2`` for output 2."""
    return ref.removesuffix(":0")


@dataclass(slots=True)
class Body:
    """A graph of nodes by name: the model's own (`name` empty) or a function's.

    References are in `normal` form. There are no control edges: an inference graph has no side
    effects to order. `inputs` are placeholder nodes, `outputs` tensor references, both in order.
    """

    name: str
    nodes: dict[str, Any]  # NodeDef
    inputs: list[str]
    outputs: list[str]

    def consumers(self) -> dict[str, list[tuple[Any, int]]]:
        """Return the readers of each tensor, as (node, position among its inputs), without the outputs."""
        found: dict[str, list[tuple[Any, int]]] = {}
        for node in self.nodes.values():
            for position, ref in enumerate(node.input):
                found.setdefault(ref, []).append((node, position))
        return found

    def constant(self, ref: str) -> Array | None:
        """Return the value of a tensor that is a Const, maybe after Identity nodes; else None."""
        node = self.nodes[node_of(ref)]
        while node.op == "Identity":
            node = self.nodes[node_of(node.input[0])]
        return constant_value(node) if node.op == "Const" else None

    def add_constant(self, name: str, value: Array) -> str:
        """Add a Const with `name`, or with a similar name if that is taken; return the name."""
        node = node_def_pb2.NodeDef(name=self.free_name(name), op="Const")
        node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
        self.nodes[node.name] = node
        return str(node.name)

    def free_name(self, name: str) -> str:
        """Return `name`, or `name` with the first free number appended."""
        candidate, count = name, 0
        while candidate in self.nodes:
            count += 1
            candidate = f"{name}_{count}"
        return candidate

    def redirect(self, old: str, new: str) -> None:
        """Replace the tensor `old` by `new` for all readers."""
        for node in self.nodes.values():
            for position, ref in enumerate(node.input):
                if ref == old:
                    node.input[position] = new
        self.outputs = [new if ref == old else ref for ref in self.outputs]

    def ordered(self) -> list[str]:
        """Return the names of nodes that inputs and outputs need, each after those it reads, including all inputs.

        Raises:
            ConversionError: Nodes read one another in a cycle, as in a loop of TensorFlow 1.
        """
        order: dict[str, None] = {}
        expanding: set[str] = set()
        for root in [*self.inputs, *map(node_of, self.outputs)]:
            stack = [(root, False)]
            while stack:
                name, expanded = stack.pop()
                if name in order:
                    continue
                if expanded:
                    order[name] = None
                    continue
                if name in expanding:
                    raise ConversionError(_LOOPS.format(node=name), _WITHOUT_LOOPS)
                expanding.add(name)
                stack.append((name, True))
                stack.extend((node_of(ref), False) for ref in reversed(self.nodes[name].input))
        return list(order)

    def prune(self) -> None:
        """Remove nodes that no output needs; inputs stay."""
        self.nodes = {name: self.nodes[name] for name in self.ordered()}


@dataclass(slots=True)
class Program:
    """The model's graph and, by name, the functions that its While and If nodes call."""

    main: Body
    functions: dict[str, Body]
    signatures: dict[str, Any]  # OpDef of each function
    versions: Any = field(default_factory=graph_pb2.GraphDef)  # a GraphDef with only versions

    def bodies(self) -> Iterator[Body]:
        """Yield the model's graph, then that of each function."""
        yield self.main
        yield from self.functions.values()

    def drop_unused_functions(self) -> None:
        """Remove functions without a call, direct or indirect; the rest is in the order of the calls."""
        used: dict[str, None] = {}
        pending = [self.main]
        while pending:
            for name in called_functions(pending.pop().nodes.values()):
                if name in self.functions and name not in used:
                    used[name] = None
                    pending.append(self.functions[name])
        self.functions = {name: self.functions[name] for name in used}

    def graph_def(self, body: Body | None = None) -> Any:
        """Return a GraphDef of `body` (by default the model's), with all functions as its library."""
        body = body or self.main
        graph = graph_pb2.GraphDef(versions=self.versions.versions)
        graph.node.extend(body.nodes[name] for name in body.ordered())
        for name, function in self.functions.items():
            graph.library.function.append(_function_def(function, self.signatures[name]))
        return graph


def read_program(graph_def: Any, inputs: Iterable[str], outputs: Iterable[str]) -> Program:
    """Split a GraphDef into its graph and its functions; `inputs` and `outputs` are tensor names."""
    main = Body(
        name="",
        nodes=_plain_nodes(graph_def.node),
        inputs=[node_of(name) for name in inputs],
        outputs=[normal(name) for name in outputs],
    )
    functions: dict[str, Body] = {}
    signatures: dict[str, Any] = {}
    with tf.Graph().as_default():
        tf.import_graph_def(graph_pb2.GraphDef(library=graph_def.library, versions=graph_def.versions), name="")
        for function in graph_def.library.function:
            graph, tensors = function_def_to_graph_def(function)
            name = function.signature.name
            signatures[name] = op_def_pb2.OpDef()
            signatures[name].CopyFrom(function.signature)
            functions[name] = Body(
                name=name,
                nodes=_plain_nodes(graph.node),
                inputs=[arg.name for arg in function.signature.input_arg],
                outputs=[normal(tensors[function.ret[arg.name]]) for arg in function.signature.output_arg],
            )
    versions = graph_pb2.GraphDef(versions=graph_def.versions)
    program = Program(main, functions, signatures, versions)
    for body in program.bodies():
        body.prune()
    program.drop_unused_functions()
    return program


def called_functions(nodes: Iterable[Any]) -> Iterator[str]:
    """Return the names of the functions in the attributes of these nodes."""
    for node in nodes:
        for attr in (node.attr[key] for key in sorted(node.attr)):
            if attr.HasField("func"):
                yield attr.func.name
            yield from (func.name for func in attr.list.func)


def constant_value(node: Any) -> Array:
    """Return the value of a Const node."""
    return np.asarray(tensor_util.MakeNdarray(node.attr["value"].tensor))


def infer_shapes(program: Program, body: Body) -> Mapping[str, Shape]:
    """Return the static shape of every tensor of `body`; None for an unknown dimension or rank."""
    light = without_large_constants(program.graph_def(body), ())  # TensorFlow copies the graph during the import
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(light.graph_def, name="")
    return {
        normal(tensor.name): None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
        for operation in graph.get_operations()
        for tensor in operation.outputs
    }


def _plain_nodes(nodes: Iterable[Any]) -> dict[str, Any]:
    """Copy the nodes without control edges, devices and colocation."""
    plain: dict[str, Any] = {}
    for node in nodes:
        copy = node_def_pb2.NodeDef()
        copy.CopyFrom(node)
        copy.device = ""
        copy.attr.pop("_class", None)
        copy.ClearField("experimental_debug_info")
        copy.input[:] = [normal(ref) for ref in node.input if not ref.startswith("^")]
        plain[copy.name] = copy
    return plain


def _function_def(body: Body, signature: Any) -> Any:
    """Return the FunctionDef of a body; its references are ``node:output name:index`` and bare argument names."""
    function = function_pb2.FunctionDef(signature=signature)
    function.signature.name = body.name
    del function.signature.control_output[:]
    arguments = set(body.inputs)

    def nested(ref: str) -> str:
        name = node_of(ref)
        return name if name in arguments else _nested_ref(body.nodes[name], index_of(ref))

    for name in body.ordered():
        if name in arguments:
            continue
        node = function.node_def.add()
        node.CopyFrom(body.nodes[name])
        node.input[:] = [nested(ref) for ref in node.input]
    for argument, ref in zip(signature.output_arg, body.outputs, strict=True):
        function.ret[argument.name] = nested(ref)
    for index, name in enumerate(body.inputs):
        shape = body.nodes[name].attr["shape"]
        if shape.HasField("shape"):
            function.arg_attr[index].attr["_output_shapes"].list.shape.append(shape.shape)
    return function


def _nested_ref(node: Any, index: int) -> str:
    op_def = op_def_registry.get(node.op)
    if op_def is None:  # an operation of TF.js, with a single output
        return f"{node.name}:output:{index}"
    first = 0
    for output in op_def.output_arg:
        if output.number_attr:
            count = node.attr[output.number_attr].i
        elif output.type_list_attr:
            count = len(node.attr[output.type_list_attr].list.type)
        else:
            count = 1
        if index < first + count:
            return f"{node.name}:{output.name}:{index - first}"
        first += count
    raise ValueError(f"node {node.name} ({node.op}) has no output {index}")
