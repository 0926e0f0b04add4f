"""Checks which nodes TF.js can execute, and names every node that it rejects or computes differently."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from ...artifact.kernel_faults import FAULTY, NO_TEXT, OPS_WITHOUT_TEXT, WITHOUT_KERNEL, KernelFault, kernel_faults
from ...artifact.operations import listed_operations
from ...graphdef.body import Body, Program, called_functions
from .rewriting import facts_of

#: Types that TF.js reads in graphs; it reads integers of other widths as int32.
_TYPES = frozenset(
    dtype.as_datatype_enum
    for dtype in (tf.float32, tf.int32, tf.bool, tf.string, tf.complex64, tf.variant, tf.int64, tf.int8, tf.uint8)
)

_RANDOM = frozenset({"Multinomial", "RandomStandardNormal", "RandomUniform", "RandomUniformInt", "TruncatedNormal"})

#: Operations that TF.js runs only in executeAsync: control flow, and results whose size depends on values.
#: Source: executor/model_analysis.ts of tfjs-converter 4.22; If fails there later, because its result is a promise.
_ASYNCHRONOUS = frozenset(
    {"If", "StatelessIf", "While", "StatelessWhile", "Where"}
    | {"LookupTableFindV2", "LookupTableSizeV2"}
    | {"NonMaxSuppressionV2", "NonMaxSuppressionV3", "NonMaxSuppressionV5"}
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A node that cannot be converted, and the reason."""

    op: str
    node: str
    reason: str


def find_problems(program: Program) -> list[Problem]:
    """Return every node that TF.js lacks, or computes differently because it ignores an attribute."""
    supported = listed_operations()
    problems: list[Problem] = []
    for body in program.bodies():
        for node in body.nodes.values():
            reason = _reason(node, body, program, supported)
            if reason:
                problems.append(Problem(node.op, node.name, reason))
    return problems


def backend_notes(program: Program) -> list[str]:
    """Return notes about kernels that are missing or wrong on some backends, and about random operations."""
    nodes = [node for body in program.bodies() for node in body.nodes.values()]
    operations = {node.op for node in nodes}
    notes = [
        f"the {backend} backend of TF.js has no kernel for {', '.join(sorted(missing & operations))}"
        for backend, missing in WITHOUT_KERNEL.items()
        if missing & operations
    ]
    wrong = [fault for body in program.bodies() for node in body.nodes.values() for fault in _wrong(node, body)]
    notes += [
        f"{fault.op} on {' and '.join(fault.backends)}: {fault.fault}"
        for fault in dict.fromkeys(wrong)
        if fault.backends
    ]
    if operations & _ASYNCHRONOUS:
        needed = ", ".join(sorted(operations & _ASYNCHRONOUS))
        notes.append(f"{needed}: call await model.executeAsync(inputs), because predict and execute do not support it")
    if operations & _RANDOM:
        notes.append(f"{', '.join(sorted(operations & _RANDOM))}: random, so results differ between runs")
    return notes


def _wrong(node: Any, body: Body) -> list[KernelFault]:
    """Return the kernel faults that no rewrite has fixed."""
    if node.op not in FAULTY:
        return []
    constants = tuple(body.constant(ref) for ref in node.input)
    return kernel_faults(facts_of(node, constants, ()), rewritten=False)


def describe_problems(problems: Iterable[Problem], layers: Collection[str]) -> str:
    """Format one line for each operation and reason, with its layers (or nodes, if there are no layers)."""
    users: dict[tuple[str, str], dict[str, None]] = {}
    for problem in problems:
        layer = layer_of(problem.node, layers)
        users.setdefault((problem.op, problem.reason), {})[f"layer {layer!r}" if layer else f"node {problem.node}"] = (
            None
        )
    return "\n".join(f"  {op}: {reason}, used by {', '.join(names)}" for (op, reason), names in users.items())


def layer_of(node: str, layers: Collection[str]) -> str | None:
    """Return the Keras layer of a node: the deepest part of its name that is the name of a layer.

    Keras 3 numbers the scope of a layer that is called again: ``dense_1`` may be the layer ``dense``.
    """
    for part in reversed(node.split("/")[:-1] or [node]):
        if part in layers:
            return part
        unnumbered = re.sub(r"_\d+$", "", part)
        if unnumbered in layers:
            return unnumbered
    return None


def _reason(node: Any, body: Body, program: Program, supported: Collection[str]) -> str | None:
    if node.op not in supported:
        return "TF.js has no such operation"
    for attr in node.attr.values():
        dtypes = [attr.type] if attr.HasField("type") else attr.list.type
        for dtype in dtypes:
            if dtype == tf.resource.as_datatype_enum:
                return "TF.js does not support lookup tables in loops and branches"
            if dtype not in _TYPES:
                return f"TF.js has no type {tf.as_dtype(dtype).name}"
    unknown = [name for name in called_functions([node]) if name not in program.functions]
    if unknown:
        return f"the graph does not have the function {', '.join(unknown)}"
    texts = (node.attr[key].type == tf.string.as_datatype_enum for key in ("T", "Tparams") if key in node.attr)
    if node.op in OPS_WITHOUT_TEXT and any(texts):
        return NO_TEXT
    check = _CHECKS.get(node.op)
    return check(node, body) if check else None


def _channels_last(node: Any, _: Body) -> str | None:
    data_format = node.attr["data_format"].s.decode() or "NHWC"
    return None if data_format in ("NHWC", "NDHWC") else f"TF.js only supports channels_last, not {data_format}"


def _pooling(node: Any, body: Body) -> str | None:
    if node.attr["padding"].s == b"EXPLICIT":
        return "TF.js does not support explicit paddings here"
    wrong_format = _channels_last(node, body)
    if not wrong_format and any(node.attr[key].list.i[end] != 1 for key in ("ksize", "strides") for end in (0, -1)):
        return "TF.js only pools over space, not over samples or channels"
    return wrong_format


def _transposed_convolution(node: Any, body: Body) -> str | None:
    if any(rate != 1 for rate in node.attr["dilations"].list.i):
        return "TF.js ignores its dilations"
    return _channels_last(node, body)


def _batch_norm(node: Any, body: Body) -> str | None:
    if node.attr["is_training"].b:
        return "it computes batch statistics (training mode)"
    return _only_first_output(node, body) or _channels_last(node, body)


def _only_first_output(node: Any, body: Body) -> str | None:
    refs = {ref for other in body.nodes.values() for ref in other.input} | set(body.outputs)
    return "TF.js only returns its first output" if any(ref.startswith(f"{node.name}:") for ref in refs) else None


def _scalar_inputs(*positions: int) -> Callable[[Any, Body], str | None]:
    """Return the inputs that TF.js reads as one number, for any shape."""

    def check(node: Any, body: Body) -> str | None:
        for position in positions:
            value = body.constant(node.input[position])
            if value is not None and value.size != 1:
                return "TF.js only supports a number as its limits, not a tensor"
        return None

    return check


def _never(reason: str) -> Callable[[Any, Body], str | None]:
    return lambda _node, _body: reason


#: Attributes that TF.js ignores although they change the value.
_CHECKS: Mapping[str, Callable[[Any, Body], str | None]] = {
    "AvgPool": _pooling,
    "AvgPool3D": _pooling,
    "BiasAdd": _channels_last,
    "ClipByValue": _scalar_inputs(1, 2),
    "Conv2D": _channels_last,
    "Conv2DBackpropInput": _transposed_convolution,
    "Conv3D": _channels_last,
    "DepthToSpace": _channels_last,
    "DepthwiseConv2dNative": _channels_last,
    "FakeQuantWithMinMaxVars": _never("TF.js returns its input unquantized"),
    "FusedBatchNorm": _batch_norm,
    "FusedBatchNormV2": _batch_norm,
    "FusedBatchNormV3": _batch_norm,
    "MaxPool": _pooling,
    "MaxPool3D": _pooling,
    "MaxPoolWithArgmax": _pooling,
}
