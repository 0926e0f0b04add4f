"""Turn a traced function into one plain graph whose variables are constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConversionError
from ..quiet import without_native_noise
from .messages import one_line
from .side_effects import state_of
from .tables import embed_tables

#: Operations that hand integers on without changing them, as far as a bound on their value is concerned.
_VALUE_PRESERVING = frozenset(
    {"Cast", "ConcatV2", "ExpandDims", "Identity", "Pack", "Reshape", "Squeeze", "StridedSlice", "Transpose", "Unpack"}
)


@dataclass(frozen=True, slots=True)
class FrozenGraph:
    """A self-contained graph: no variables, control flow as functions (While, If), not lowered.

    `graph_def` is a tf.compat.v1.GraphDef. `inputs` and `outputs` map the model's
    names, in the model's order, to tensor names such as "Identity:0".
    """

    graph_def: Any
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def freeze(function: Any, input_names: tuple[str, ...], output_names: tuple[str, ...]) -> FrozenGraph:
    """Freeze a ConcreteFunction that takes flat tensors and returns a dict by output name.

    Lookup tables become part of the graph, filled before each use. ConversionError for other state.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    state = state_of(function)
    if state.read:
        places = ", ".join(write.node for write in state.read)
        raise ConversionError(
            f"The model changes its own variables when it predicts, at {places}: "
            + ("it draws other random numbers each time." if state.draws_random else "it keeps a state."),
            "Leave the layer that does so out of the model to compare; the part before it and the part behind it "
            "can be compared each by itself.",
        )
    function = state.inference
    try:
        with without_native_noise():
            frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    except Exception as error:
        raise ConversionError(f"The model cannot become a graph of constants: {one_line(error)}.") from error
    graph_def = frozen.graph.as_graph_def()
    captured = {inner.name: outer for outer, inner in function.graph.captures}
    states = [tensor.name for tensor in frozen.inputs[len(input_names) :]]
    embed_tables(graph_def, {_node_name(name): captured[name] for name in states})
    flat_names = sorted(output_names)  # a dict of outputs is flattened in the order of its keys
    by_name = {name: tensor.name for name, tensor in zip(flat_names, frozen.outputs, strict=True)}
    return FrozenGraph(
        graph_def=graph_def,
        inputs={name: tensor.name for name, tensor in zip(input_names, frozen.inputs, strict=False)},
        outputs={name: by_name[name] for name in output_names},
    )


def lookup_bounds(graph: FrozenGraph) -> dict[str, tuple[int, int]]:
    """Inputs that index a constant table (Embedding, one_hot), with the half-open range of valid indices."""
    from tensorflow.python.framework import tensor_util

    nodes = {node.name: node for node in graph.graph_def.node}
    input_of_node = {tensor.split(":")[0]: name for name, tensor in graph.inputs.items()}

    def constant(ref: str) -> Any:
        node = nodes[_node_name(ref)]
        while node.op == "Identity":
            node = nodes[_node_name(node.input[0])]
        return tensor_util.MakeNdarray(node.attr["value"].tensor) if node.op == "Const" else None

    def sources(ref: str) -> set[str]:
        """The model inputs whose values arrive at `ref` unchanged."""
        found: set[str] = set()
        pending, seen = [_node_name(ref)], set[str]()
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in input_of_node:
                found.add(input_of_node[name])
            elif nodes[name].op == "SelectV2":  # Keras 3 maps negative indices: where(x < 0, x + size, x)
                pending.extend(_node_name(item) for item in nodes[name].input[1:])
            elif nodes[name].op in _VALUE_PRESERVING:
                pending.extend(_node_name(item) for item in nodes[name].input)
        return found

    bounds: dict[str, tuple[int, int]] = {}
    for node in graph.graph_def.node:
        if node.op == "GatherV2":
            table, axis = constant(node.input[0]), constant(node.input[2])
            size = None if table is None or axis is None else np.shape(table)[int(axis)]
        elif node.op == "OneHot":
            size = constant(node.input[1])
        else:
            continue
        if size is not None:
            for name in sources(node.input[1] if node.op == "GatherV2" else node.input[0]):
                bounds[name] = (0, min(int(size), bounds.get(name, (0, int(size)))[1]))
    return bounds


def _node_name(ref: str) -> str:
    return ref.lstrip("^").split(":")[0]
