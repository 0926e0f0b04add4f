"""Keeps tensors that a loop or a branch writes into a list alive in TF.js, such as the results of tf.map_fn.

After each step TF.js disposes all tensors of a loop's body except its results and arguments, including tensors that
the body wrote into a list (tfjs-converter 4.22, executor/graph_executor.ts, _executeAsync). Stacking the list then
fails with "Cannot read properties of undefined (reading 'backend')". A recurrent layer runs, because it writes its
state. Every other written tensor therefore becomes a further result of the body, and a further variable of the loop.

TF.js disposes the tensors of a branch in the same way. A written tensor therefore becomes a result of every function
around it: of a branch, and of the loop around that branch.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ...artifact.graph.faults import BRANCHES, LOOPS, WRITES
from ...graphdef.body import Array, Body, Program, called_functions, normal
from ...graphdef.internals import node_def_pb2


@dataclass(frozen=True, slots=True)
class _Kept:
    """A tensor of a graph that a list may hold, and its type as TensorFlow numbers it."""

    ref: str
    dtype: int


def keep_written(program: Program) -> list[str]:
    """Make the tensors that loops and branches write into a list results of these; return notes."""
    count = len(_of_calls(program, program.main))
    times = f"{count} time{'' if count == 1 else 's'}"
    return (
        [f"a tensor that a loop or a branch writes into a list -> it returns it too, so that TF.js keeps it ({times})"]
        if count
        else []
    )


def _of_calls(program: Program, body: Body) -> list[_Kept]:
    """Add what is written within the loops and branches of a graph to their results; return these results."""
    kept: list[_Kept] = []
    for node in tuple(body.nodes.values()):
        if node.op in LOOPS and _writes(program, node.attr["body"].func.name):
            kept += _of_loop(program, body, node)
        elif node.op in BRANCHES and any(_writes(program, node.attr[key].func.name) for key in BRANCHES[node.op]):
            kept += _of_branches(program, node)
    return kept


def _writes(program: Program, name: str) -> bool:
    """Tell whether a function writes into a list, or calls a function that does."""
    nodes = program.functions[name].nodes.values()
    return any(node.op in WRITES for node in nodes) or any(_writes(program, call) for call in called_functions(nodes))


def _of_loop(program: Program, body: Body, loop: Any) -> list[_Kept]:
    step, condition = (_own(program, loop, key) for key in ("body", "cond"))
    states = _states(loop, step) if body.name else []  # only functions dispose them
    written = [*_written(step, returned=step.outputs), *_of_calls(program, step)]
    first = len(loop.attr["T"].list.type)
    for tensor in written:
        for function in (step, condition):
            _add_argument(program, function, tensor.dtype)
        _add_result(program, step, tensor.ref, tensor.dtype)
        loop.input.append(body.add_constant(f"{loop.name}/kept", _nothing(tensor.dtype)))
    return [*states, *_added(loop, "T", first, written)]


def _states(loop: Any, step: Body) -> list[_Kept]:
    """Return the results of a loop that its steps write into a list."""
    writes = [node for node in step.nodes.values() if node.op in WRITES]
    written = {node.input[WRITES[node.op]]: node.attr["element_dtype"].type for node in writes}
    places = [(place, ref) for place, ref in enumerate(step.outputs) if ref in written]
    return [_Kept(normal(f"{loop.name}:{place}"), written[ref]) for place, ref in places]


def _of_branches(program: Program, node: Any) -> list[_Kept]:
    branches = [_own(program, node, key) for key in BRANCHES[node.op]]
    written = [[*_written(branch, returned=()), *_of_calls(program, branch)] for branch in branches]
    first = len(node.attr["Tout"].list.type)
    for writer, tensors in zip(branches, written, strict=True):
        for tensor in tensors:
            for branch in branches:
                ref = tensor.ref if branch is writer else branch.add_constant("kept/none", _nothing(tensor.dtype))
                _add_result(program, branch, ref, tensor.dtype)
    return _added(node, "Tout", first, [tensor for tensors in written for tensor in tensors])


def _added(node: Any, types: str, first: int, written: Sequence[_Kept]) -> list[_Kept]:
    """Add results to a node that calls functions, behind its `first` ones; return them."""
    node.attr[types].list.type.extend(tensor.dtype for tensor in written)
    for _ in written if node.attr["output_shapes"].list.shape else ():
        node.attr["output_shapes"].list.shape.add(unknown_rank=True)
    return [_Kept(normal(f"{node.name}:{first + number}"), tensor.dtype) for number, tensor in enumerate(written)]


def _written(function: Body, returned: Iterable[str]) -> list[_Kept]:
    """Return the tensors that a function writes into a list, except those in `returned`, each as a node of its own."""
    known = set(returned)
    found: list[_Kept] = []
    for write in tuple(function.nodes.values()):
        position = WRITES.get(write.op)
        if position is None or write.input[position] in known:
            continue
        dtype = write.attr["element_dtype"].type
        identity = node_def_pb2.NodeDef(
            name=function.free_name(f"{write.name}/kept"), op="Identity", input=[write.input[position]]
        )
        identity.attr["T"].type = dtype
        function.nodes[identity.name] = identity
        write.input[position] = identity.name
        found.append(_Kept(identity.name, dtype))
    return found


def _nothing(dtype: int) -> Array:
    """Return a number or a text that stands for a tensor that was not written."""
    return np.array("" if dtype == tf.string.as_datatype_enum else 0, tf.as_dtype(dtype).as_numpy_dtype)


def _add_result(program: Program, function: Body, ref: str, dtype: int) -> None:
    function.outputs.append(ref)
    program.signatures[function.name].output_arg.add(name=_free_argument(program, function), type=dtype)


def _own(program: Program, node: Any, key: str) -> Body:
    """Return the function that an attribute of the node names; a copy if something else calls it too."""
    name = node.attr[key].func.name
    calls = Counter(called for body in program.bodies() for called in called_functions(body.nodes.values()))
    if calls[name] == 1:
        return program.functions[name]
    own = copy.deepcopy(program.functions[name])
    number = 0
    while (free := f"{name}_own{number or ''}") in program.functions:
        number += 1
    own.name = node.attr[key].func.name = free
    program.functions[free] = own
    program.signatures[free] = copy.deepcopy(program.signatures[name])
    program.signatures[free].name = free
    return own


def _add_argument(program: Program, function: Body, dtype: int) -> None:
    name = function.free_name("kept")
    argument = node_def_pb2.NodeDef(name=name, op="Placeholder")
    argument.attr["dtype"].type = dtype
    argument.attr["shape"].shape.unknown_rank = True
    function.nodes[name] = argument
    function.inputs.append(name)
    program.signatures[function.name].input_arg.add(name=name, type=dtype)


def _free_argument(program: Program, function: Body) -> str:
    taken = {argument.name for argument in program.signatures[function.name].output_arg}
    number = 0
    while (name := f"kept_result{number or ''}") in taken:
        number += 1
    return name
