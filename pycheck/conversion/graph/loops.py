"""Keeps tensors that a loop writes into a list alive in TF.js, such as the results of tf.map_fn.

After each step TF.js disposes all tensors of a loop's body except its results and arguments, including tensors that
the body wrote into a list (tfjs-converter 4.22, executor/graph_executor.ts, _executeAsync). Stacking the list then
fails with "Cannot read properties of undefined (reading 'backend')". A recurrent layer runs, because it writes its
state. Every other written tensor therefore becomes a further result of the body, and a further variable of the loop.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from ...artifact.graph.faults import LOOPS, WRITES
from ...graphdef.body import Body, Program, called_functions
from ...graphdef.internals import node_def_pb2


def keep_written(program: Program) -> list[str]:
    """Make the tensors that each loop writes into a list results of its body; return notes."""
    count = 0
    for body in tuple(program.bodies()):
        for node in tuple(body.nodes.values()):
            if node.op in LOOPS:
                count += _of_loop(program, body, node)
    times = f"{count} time{'' if count == 1 else 's'}"
    return (
        [f"a tensor that a loop writes into a list -> its step returns it too, so that TF.js keeps it ({times})"]
        if count
        else []
    )


def _of_loop(program: Program, body: Body, loop: Any) -> int:
    writes = list(_unkept(program.functions[loop.attr["body"].func.name]))
    if not writes:
        return 0
    step, condition = (_own(program, loop, key) for key in ("body", "cond"))
    for name, position in writes:
        write = step.nodes[name]
        dtype = write.attr["element_dtype"].type
        identity = node_def_pb2.NodeDef(
            name=step.free_name(f"{name}/kept"), op="Identity", input=[write.input[position]]
        )
        identity.attr["T"].type = dtype
        step.nodes[identity.name] = identity
        write.input[position] = identity.name
        for function in (step, condition):
            _add_argument(program, function, dtype)
        step.outputs.append(identity.name)
        program.signatures[step.name].output_arg.add(name=_free_argument(program, step), type=dtype)
        first = "" if dtype == tf.string.as_datatype_enum else 0
        value = np.array(first, tf.as_dtype(dtype).as_numpy_dtype)
        loop.input.append(body.add_constant(f"{loop.name}/kept", value))
        loop.attr["T"].list.type.append(dtype)
        if loop.attr["output_shapes"].list.shape:
            loop.attr["output_shapes"].list.shape.add(unknown_rank=True)
    return len(writes)


def _unkept(step: Body) -> Iterator[tuple[str, int]]:
    """Return writing nodes, with the position of the written tensor, if that is not a result of the step."""
    for node in step.nodes.values():
        if node.op in WRITES and node.input[WRITES[node.op]] not in step.outputs:
            yield node.name, WRITES[node.op]


def _own(program: Program, loop: Any, key: str) -> Body:
    """Return the function that an attribute of the loop names; a copy if a different node calls it too."""
    name = loop.attr[key].func.name
    calls = Counter(called for body in program.bodies() for called in called_functions(body.nodes.values()))
    if calls[name] == 1:
        return program.functions[name]
    own = copy.deepcopy(program.functions[name])
    number = 0
    while (free := f"{name}_of_loop{number or ''}") in program.functions:
        number += 1
    own.name = loop.attr[key].func.name = free
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
