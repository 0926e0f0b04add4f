"""Removes operations from a traced function that its outputs do not read, such as counters for the next call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Operations that do not change the variable of a handle.
_READERS = frozenset({"ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape", "VarIsInitializedOp"})
_SUFFIX = "__without_side_effects"
#: Names that TensorFlow and Keras give to operations within a layer's scope.
_INSIDE_OF_LAYER = re.compile(r"(Assign|Rng|Resource|Stateful|stateful_|stateless_|random_(uniform|normal)|cond)")


@dataclass(frozen=True, slots=True)
class Write:
    """An operation that changes a variable: its node, and the placeholder of the variable's handle."""

    node: str
    handle: str

    @property
    def layer(self) -> str:
        """Return the scope of the node, which has the name of its Keras layer and of the scopes around it."""
        parts = self.node.split("/")
        while len(parts) > 1 and (parts[-1] == self.node.split("/")[-1] or _INSIDE_OF_LAYER.match(parts[-1])):
            parts.pop()
        return "/".join(parts)


@dataclass(frozen=True, slots=True)
class State:
    """The writes of a function. `read` are the writes that the outputs of the next call depend on.

    `inference` is a ConcreteFunction without the other writes; the function itself if there are none.
    """

    read: tuple[Write, ...]
    draws_random: bool
    inference: Any


def state_of(function: Any) -> State:
    """Return the state of a ConcreteFunction that returns a dict of tensors."""
    import tensorflow as tf

    graph_def = function.graph.as_graph_def()
    handles = [inner.op.name for outer, inner in function.graph.captures if outer.dtype == tf.resource]
    written = writes(graph_def, handles)
    if not written:
        return State((), False, function)
    outputs = {name: tensor.name for name, tensor in function.structured_outputs.items()}
    plain = pruned(graph_def, tuple(outputs.values()))
    still_used = used_handles(plain, {write.handle for write in written})
    kept = tuple(write for write in written if write.handle in still_used)
    if kept:
        return State(kept, any("Random" in node.op or "Rng" in node.op for node in _all_nodes(plain)), function)
    return State((), False, retraced(function, plain, outputs))


def writes(graph_def: Any, handles: Iterable[str]) -> tuple[Write, ...]:
    """Return the operations that change the variables of `handles`, nodes of the graph, also in functions.

    Lookup tables do not count: they are filled before the model runs.
    """
    uses = Uses(graph_def)
    found = (Write(node, handle) for handle in handles for op, node in uses.of(handle) if _changes(op))
    return tuple(dict.fromkeys(found))


def used_handles(graph_def: Any, handles: Iterable[str]) -> frozenset[str]:
    """Return the handles that an operation reads or changes."""
    uses = Uses(graph_def)
    return frozenset(handle for handle in handles if uses.of(handle))


def _changes(op: str) -> bool:
    return op not in _READERS and "Table" not in op


def pruned(graph_def: Any, outputs: Sequence[str]) -> Any:
    """Copy a graph with only nodes that an output reads, also in functions, and without control edges.

    Placeholders stay. Functions get new names, because a name stands for one function in TensorFlow.
    """
    result = type(graph_def)()
    result.CopyFrom(graph_def)
    placeholders = [node.name for node in result.node if node.op == "Placeholder"]
    _keep(result.node, [*placeholders, *outputs])
    renamed = {function.signature.name for function in result.library.function}
    for function in result.library.function:
        _keep(function.node_def, function.ret.values())
        function.control_ret.clear()
        del function.signature.control_output[:]
        function.signature.name += _SUFFIX
    del result.library.gradient[:]
    for node in _all_nodes(result):
        if node.op in renamed:
            node.op += _SUFFIX
        for attr in node.attr.values():
            for called in [attr.func] if attr.HasField("func") else attr.list.func:
                called.name += _SUFFIX if called.name in renamed else ""
    return result


def retraced(function: Any, graph_def: Any, outputs: Mapping[str, str]) -> Any:
    """Return a ConcreteFunction of `graph_def` with the inputs, variables and captured handles of `function`."""
    import tensorflow as tf

    graph = function.graph
    captured = {inner.name: outer for outer, inner in graph.captures}
    inputs = [tensor for tensor in graph.inputs if tensor.name not in captured]
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor.op.name) for tensor in inputs]
    body = type(graph_def)()
    body.CopyFrom(graph_def)
    replaced = {tensor.op.name for tensor in graph.inputs}
    kept = [node for node in body.node if node.name not in replaced]
    del body.node[:]
    body.node.extend(kept)
    used = {_name(ref) for node in kept for ref in node.input} | {_name(ref) for ref in outputs.values()}

    def call(*flat: Any) -> dict[str, Any]:
        inner = tf.compat.v1.get_default_graph()
        for variable in graph.variables:
            inner.watch_variable(variable)
        given = {tensor.name: value for tensor, value in zip(inputs, flat, strict=True)}
        given |= {name: inner.capture(outer) for name, outer in captured.items()}
        given = {name: value for name, value in given.items() if _name(name) in used}
        results = tf.graph_util.import_graph_def(body, given, list(outputs.values()), name="")
        return dict(zip(outputs, results, strict=True))

    return tf.function(call, input_signature=specs, autograph=False).get_concrete_function()


def _keep(nodes: Any, refs: Iterable[str]) -> None:
    """Delete every node that `refs` do not read, and all control edges."""
    by_name = {node.name: node for node in nodes}
    needed: set[str] = set()
    pending = [_name(ref) for ref in refs]
    while pending:
        name = pending.pop()
        if name in needed or name not in by_name:  # an argument of a function is not a node
            continue
        needed.add(name)
        pending.extend(_name(ref) for ref in by_name[name].input if not ref.startswith("^"))
    kept = [node for node in nodes if node.name in needed]
    for node in kept:
        node.input[:] = [ref for ref in node.input if not ref.startswith("^")]
    del nodes[:]
    nodes.extend(kept)


#: The readers of each node, by its name: their position in the graph, the input that reads it, and the reader.
Readers = Mapping[str, Sequence[tuple[int, int, Any]]]


class Uses:
    """The nodes that receive a handle, through Identity and the arguments of functions."""

    def __init__(self, graph_def: Any) -> None:
        self._top = _readers(graph_def.node)
        self._functions = {function.signature.name: function for function in graph_def.library.function}
        self._within: dict[str, Readers] = {}  # the readers in a function, by its name
        self._known: dict[tuple[str, str], tuple[Any, ...]] = {}

    def of(self, handle: str) -> tuple[tuple[str, str], ...]:
        """Yield pairs (operation, node)."""
        return tuple((node.op, node.name) for node in self._in(self._top, handle))

    def types_of_lookups(self, handle: str) -> tuple[int, int] | None:
        """Return key and value type of the lookups in a table; None if there are none."""
        found = (node.attr for node in self._in(self._top, handle) if node.op.startswith("LookupTableFind"))
        return next(((attr["Tin"].type, attr["Tout"].type) for attr in found), None)

    def _in_function(self, name: str, index: int) -> tuple[Any, ...]:
        function = self._functions[name]
        argument = function.signature.input_arg[index].name
        if (name, argument) not in self._known:
            self._known[name, argument] = ()  # a recursive call adds nothing
            if name not in self._within:
                self._within[name] = _readers(function.node_def)
            self._known[name, argument] = tuple(self._in(self._within[name], argument))
        return self._known[name, argument]

    def _in(self, readers: Readers, source: str) -> Iterator[Any]:
        """Yield the nodes, in the order of the graph."""
        found: dict[
            int, tuple[Any, list[int]]
        ] = {}  # nodes by their positions, with the inputs that receive the handle
        aliases, pending = {source}, [source]
        while pending:
            for position, index, node in readers.get(pending.pop(), ()):
                found.setdefault(position, (node, []))[1].append(index)
                if node.op == "Identity" and node.name not in aliases:
                    aliases.add(node.name)
                    pending.append(node.name)
        for _, (node, places) in sorted(found.items(), key=lambda item: item[0]):
            called = [name for name in _called(node) if name in self._functions]
            if called:
                skipped = 1 if node.op in ("If", "StatelessIf", "Case", "StatelessCase") else 0
                for name in called:
                    for index in sorted(places):
                        yield from self._in_function(name, index - skipped)
            elif node.op != "Identity":
                yield node


def _readers(nodes: Any) -> Readers:
    readers: dict[str, list[tuple[int, int, Any]]] = {}
    for position, node in enumerate(nodes):
        for index, ref in enumerate(node.input):
            if ref[:1] != "^":
                readers.setdefault(_name(ref), []).append((position, index, node))
    return readers


def _called(node: Any) -> Iterator[str]:
    yield node.op
    for attr in node.attr.values():
        yield from [attr.func.name] if attr.HasField("func") else [called.name for called in attr.list.func]


def _all_nodes(graph_def: Any) -> Iterator[Any]:
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def _name(ref: str) -> str:
    return ref.lstrip("^").split(":")[0]
