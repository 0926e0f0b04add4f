"""Turns a traced function into one plain graph whose variables are constants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ConversionError
from ..graphdef.side_effects import state_of
from ..graphdef.tables import embed_tables
from ..system.quiet import without_native_noise
from .messages import one_line


@dataclass(frozen=True, slots=True)
class FrozenGraph:
    """A self-contained graph without variables; control flow stays as functions (While, If).

    `graph_def` is a tf.compat.v1.GraphDef. `inputs` and `outputs` map the model's
    names, in the model's order, to tensor names such as "Identity:0".
    """

    graph_def: Any
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def freeze(function: Any, input_names: tuple[str, ...], output_names: tuple[str, ...]) -> FrozenGraph:
    """Freeze a ConcreteFunction that takes flat tensors and returns a dict by output name.

    Lookup tables become part of the graph, and are filled before each use. ConversionError for other state.
    """
    from ..graphdef.freezing import frozen_graph

    state = state_of(function)
    if state.read:
        places = ", ".join(write.node for write in state.read)
        raise ConversionError(
            f"The model changes its own variables when it predicts, at {places}: "
            + ("it draws new random numbers in each run." if state.draws_random else "it keeps a state."),
            "Remove this layer from the model to compare. You can compare the parts before and after it separately.",
        )
    function = state.inference
    try:
        with without_native_noise():
            graph_def, inputs = frozen_graph(function)
    except Exception as error:
        raise ConversionError(f"Cannot freeze the model into a graph of constants: {one_line(error)}.") from error
    captured = {inner.name: outer for outer, inner in function.graph.captures}
    states = inputs[len(input_names) :]
    embed_tables(graph_def, {_node_name(name): captured[name] for name in states})
    flat_names = sorted(output_names)  # TensorFlow flattens a dict of outputs in the order of its keys
    by_name = {name: tensor.name for name, tensor in zip(flat_names, function.outputs, strict=True)}
    return FrozenGraph(
        graph_def=graph_def,
        inputs=dict(zip(input_names, inputs, strict=False)),
        outputs={name: by_name[name] for name in output_names},
    )


def inputs_of_outputs(frozen: FrozenGraph) -> dict[str, tuple[str, ...]]:
    """Return the inputs that each output depends on."""
    names = {_node_name(tensor): name for name, tensor in frozen.inputs.items()}
    return {
        output: tuple(name for node, name in names.items() if node in needed)
        for output, needed in _needed(frozen).items()
    }


def outputs_of_nodes(frozen: FrozenGraph, node: str) -> tuple[str, ...]:
    """Return the outputs that depend on a node of the graph."""
    return tuple(output for output, needed in _needed(frozen).items() if node in needed)


def called_by_outputs(frozen: FrozenGraph) -> dict[str, set[str]]:
    """Return the functions that each output is computed with, including functions that functions call."""
    called = {node.name: set(_called(node)) for node in frozen.graph_def.node}
    by_function = {
        function.signature.name: {name for node in function.node_def for name in _called(node)}
        for function in frozen.graph_def.library.function
    }
    found: dict[str, set[str]] = {}
    for output, needed in _needed(frozen).items():
        functions, pending = set[str](), [name for node in needed for name in called.get(node, ())]
        while pending:
            if (name := pending.pop()) in by_function and name not in functions:
                functions.add(name)
                pending += by_function[name]
        found[output] = functions
    return found


def _called(node: Any) -> Iterator[str]:
    """Return names that may be functions: the operation itself, and those in its attributes."""
    yield node.op
    for attr in node.attr.values():
        if attr.HasField("func"):
            yield attr.func.name
        yield from (func.name for func in attr.list.func)


def _needed(frozen: FrozenGraph) -> dict[str, set[str]]:
    """Return the nodes that each output depends on."""
    read = {node.name: [_node_name(ref) for ref in node.input] for node in frozen.graph_def.node}
    found: dict[str, set[str]] = {}
    for output, tensor in frozen.outputs.items():
        needed, pending = set[str](), [_node_name(tensor)]
        while pending:
            if (node := pending.pop()) not in needed:
                needed.add(node)
                pending += read.get(node, ())
        found[output] = needed
    return found


def _node_name(ref: str) -> str:
    return ref.lstrip("^").split(":")[0]
