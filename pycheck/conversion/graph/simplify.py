"""Removes the parts of a graph that only Python needs: calls, checks, and types that the browser lacks."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import tensorflow as tf

from ...graphdef.body import Body, Program, constant_value, normal
from ...graphdef.internals import node_def_pb2
from ...graphdef.refs import index_of, node_of

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")

#: Operations that return their first input; a page has no use for their effects (fail, print, stop a gradient).
_PASS_THROUGH = frozenset(
    {
        "CheckNumerics",
        "CheckNumericsV2",
        "DebugGradientIdentity",
        "EnsureShape",  # TF.js has it, but expects its shape among the inputs
        "PreventGradient",
        "Print",
        "Snapshot",
        "StopGradient",
    }
)

#: The only float type of TF.js is float32.
_FLOATS = {tf.float64.as_datatype_enum, tf.float16.as_datatype_enum, tf.bfloat16.as_datatype_enum}
_FLOAT32 = tf.float32.as_datatype_enum


def simplify(program: Program) -> list[str]:
    """Inline calls, remove checks, turn every float into float32; return notes on changes of values."""
    inline_calls(program)
    changed: Counter[str] = Counter()
    sign_bits = 0
    for body in program.bodies():
        sign_bits += _compare_instead_of_sign_bits(body)
        for node in body.nodes.values():
            if node.op in _PASS_THROUGH:
                _make_identity(node)
            _to_float32(node, changed)
    for signature in program.signatures.values():
        for argument in (*signature.input_arg, *signature.output_arg):
            argument.type = _FLOAT32 if argument.type in _FLOATS else argument.type
    program.drop_unused_functions()
    notes = [f"{dtype} -> float32, the only float of TF.js ({count} nodes)" for dtype, count in sorted(changed.items())]
    if sign_bits:
        nodes = f"{sign_bits} node{'s' if sign_bits > 1 else ''}"
        notes.append(f"sign bit of x -> x < 0 ({nodes}; exact but for -0 and NaN, whose sign TF.js does not tell)")
    return notes


def inline_calls(program: Program) -> None:
    """Replace each call by the nodes of the function, in every body, including calls within calls.

    XLA-compiled calls remain after freezing: Keras 3 makes them for grouped convolutions.
    """
    for body in program.bodies():
        while calls := [node for node in body.nodes.values() if _callee(program, node)]:
            for call in calls:
                _inline(body, call, program.functions[str(_callee(program, call))])
        body.prune()


def _callee(program: Program, node: Any) -> str | None:
    name = node.attr["f"].func.name if node.op in _CALLS else node.op
    return name if name in program.functions else None


def _inline(body: Body, call: Any, function: Body) -> None:
    del body.nodes[call.name]
    given = dict(zip(function.inputs, call.input, strict=True))
    names = {name: body.free_name(f"{call.name}/{name}") for name in function.nodes if name not in given}

    def moved(ref: str) -> str:
        name = node_of(ref)
        return given[name] if name in given else normal(f"{names[name]}:{index_of(ref)}")

    for old, new in names.items():
        node = node_def_pb2.NodeDef()
        node.CopyFrom(function.nodes[old])
        node.name = new
        node.input[:] = [moved(ref) for ref in node.input]
        body.nodes[new] = node
    for index, ref in enumerate(function.outputs):
        body.redirect(normal(f"{call.name}:{index}"), moved(ref))


def _make_identity(node: Any) -> None:
    dtype = node.attr["T"].type
    node.op = "Identity"
    del node.input[1:]
    node.attr.clear()
    node.attr["T"].type = dtype


def _compare_instead_of_sign_bits(body: Body) -> int:
    """Replace `keras.ops.signbit`, which Keras 3 uses in argmax and argmin of floats because of -0, by x < 0.

    TF.js has no Bitcast, and no other operation that shows the sign of -0 or NaN.
    """
    count = 0
    for node in list(body.nodes.values()):
        masked = _producer(body, node, "Less", "BitwiseAnd")
        cast = _producer(body, masked, "BitwiseAnd", "Bitcast")
        if not cast or cast.attr["T"].type != _FLOAT32 or cast.attr["type"].type != tf.int32.as_datatype_enum:
            continue
        mask, bound = body.constant(masked.input[1]), body.constant(node.input[1])
        if mask is None or bound is None or (mask != np.iinfo(np.int32).min).any() or (bound != 0).any():
            continue
        node.input[:] = [cast.input[0], body.add_constant(f"{node.name}/zero", np.zeros(bound.shape, np.float32))]
        node.attr["T"].type = _FLOAT32
        count += 1
    return count


def _producer(body: Body, node: Any, op: str, producer: str) -> Any:
    """Return the node that computes the first input of `node`, an `op`, if it is a `producer`."""
    if node is None or node.op != op:
        return None
    found = body.nodes[node_of(node.input[0])]
    return found if found.op == producer else None


def _to_float32(node: Any, changed: Counter[str]) -> None:
    found = set()
    for attr in node.attr.values():
        kind = attr.WhichOneof("value")
        if kind == "type" and attr.type in _FLOATS:
            found.add(attr.type)
            attr.type = _FLOAT32
        elif kind == "list" and _FLOATS.intersection(attr.list.type):
            found.update(_FLOATS.intersection(attr.list.type))
            attr.list.type[:] = [_FLOAT32 if dtype in _FLOATS else dtype for dtype in attr.list.type]
        elif kind == "tensor" and attr.tensor.dtype in _FLOATS:
            attr.tensor.CopyFrom(tf.make_tensor_proto(constant_value(node).astype(np.float32)))
    changed.update(tf.as_dtype(dtype).name for dtype in found)
