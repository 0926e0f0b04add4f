"""Finds the values that a model expects, from its graph: tables, scales, masks, paddings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...graphdef.skeleton import Place, skeleton
from ...types import InputHint, Signature
from ..graph import FrozenGraph
from .deciding import decide
from .flows import Flow, union
from .passing import Step, passed
from .uses import Fact, Namer, computed, facts_of

#: The most nested functions, and the most operations that one input is followed through.
_DEEPEST = 8


def input_hints(
    frozen: FrozenGraph, signature: Signature, layer_tensors: Mapping[str, str] | None = None
) -> dict[str, InputHint]:
    """Return hints by input name, for the inputs with evidence in the graph.

    `layer_tensors` has the results of layers by name, so that a hint can name the layer instead of its node.
    """
    place = Place(skeleton(frozen.graph_def))
    try:
        start = {
            tensor: Flow.of_input(spec.name, spec.shape)
            for spec in signature.inputs
            if (tensor := frozen.inputs.get(spec.name))
        }
        named = _namer(layer_tensors or {})
        facts = list(_walk(place, start, named, 0))
        for name, tensor in frozen.outputs.items():
            if flow := start.get(tensor):
                facts += computed(flow, place.graph.get_tensor_by_name(tensor), "", f"the output {name}")
    finally:
        place.close()
    hints = ((spec.name, decide(spec, facts)) for spec in signature.inputs)
    return {name: hint for name, hint in hints if hint}


def _walk(place: Place, flows: dict[str, Flow], named: Namer, depth: int) -> Iterator[Fact]:
    """Yield the facts of one graph; `flows` has the values that arrive at tensors, and is extended."""
    for op in place.graph.get_operations():
        known = tuple(flows.get(operand.name) for operand in op.inputs)
        if not any(known) or all(output.name in flows for output in op.outputs if op.outputs):
            continue
        step = Step(op, known, place)
        if op.type in _CALLS:
            yield from _called(step, flows, named, depth)
            continue
        onward = passed(step)
        yield from facts_of(step, onward is None, named)
        for output, flow in zip(op.outputs, onward or (), strict=False):
            if flow is not None:
                flows[output.name] = flow


def _called(step: Step, flows: dict[str, Flow], named: Namer, depth: int) -> Iterator[Fact]:
    """Yield the facts of the functions that an operation calls. In a loop, only unchanged values are known."""
    if depth >= _DEEPEST:
        return
    op = step.op
    operands, given = list(op.inputs), list(step.flows)
    if op.type in ("If", "StatelessIf", "Case", "StatelessCase"):
        operands, given = operands[1:], given[1:]
    results: list[list[Flow | None]] = []
    for function in _functions(op):
        fixed = None
        if op.type in _LOOPS:
            body = step.place.inside(function, operands, [False] * len(operands)).graph
            fixed = [
                out.name == arg.name or _is_copy(out, arg) for out, arg in zip(body.outputs, body.inputs, strict=False)
            ]
        place = step.place.inside(function, operands, fixed)
        inner = {arg.name: flow for arg, flow in zip(place.graph.inputs, given, strict=False) if flow}
        yield from _walk(place, inner, named, depth + 1)
        results.append([inner.get(output.name) for output in place.graph.outputs])
        place.close()
    if op.type not in _LOOPS:
        for output, *ways in zip(op.outputs, *results, strict=False):
            if both := union(way for way in ways if way):
                flows[output.name] = both


def _is_copy(output: Any, argument: Any) -> bool:
    while output.op.type == "Identity":
        output = output.op.inputs[0]
    return bool(output.name == argument.name)


_LOOPS = ("While", "StatelessWhile")
_CALLS = (*_LOOPS, "If", "StatelessIf", "Case", "StatelessCase", "PartitionedCall", "StatefulPartitionedCall")


def _functions(op: Any) -> list[str]:
    if op.type in _LOOPS:
        return [op.get_attr("body").name]
    if op.type in ("Case", "StatelessCase"):
        return [branch.name for branch in op.get_attr("branches")]
    names = ("then_branch", "else_branch") if "If" in op.type else ("f",)
    return [op.get_attr(name).name for name in names]


def _namer(layer_tensors: Mapping[str, str]) -> Namer:
    """Return a function that names the layer of an operation, or else the operation."""
    scopes = {tensor.rpartition("/")[0]: name for name, tensor in layer_tensors.items() if "/" in tensor}
    for name, tensor in layer_tensors.items():  # Keras 2 has further scopes within a layer's scope
        own = f"/{name.rpartition('/')[2]}/"
        if own in tensor:
            scopes[tensor[: tensor.index(own) + len(own) - 1]] = name

    def named(operation: str) -> str:
        scope = operation
        while scope := scope.rpartition("/")[0]:
            if scope in scopes:
                return scopes[scope]
        return operation

    return named
