"""Replaces a node by a formula of other operations, written as ordinary TensorFlow code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from ...artifact.kernel_faults import NodeFacts, kernel_faults
from ...graphdef.body import Array, Body, Program, Shape, called_functions, infer_shapes, normal
from ...graphdef.internals import node_def_pb2, op_def_registry
from ...graphdef.refs import index_of, node_of


@dataclass(frozen=True, slots=True)
class Site:
    """One node to rewrite: its attributes, and the facts about its inputs that are known before it runs."""

    node: Any  # NodeDef
    constants: tuple[Array | None, ...]
    shapes: tuple[Shape, ...]


def facts_of(node: Any, constants: tuple[Array | None, ...], shapes: tuple[Shape, ...]) -> NodeFacts:
    """Convert a NodeDef to the form that the rules about kernels read."""
    types: dict[str, str] = {}
    attributes: dict[str, Any] = {}
    for key, attribute in node.attr.items():
        kind = attribute.WhichOneof("value")
        if kind == "type":
            types[key] = str(tf.as_dtype(attribute.type).name)
        elif kind == "s":
            attributes[key] = attribute.s.decode("utf-8", "replace")
        elif kind == "list":
            attributes[key] = list(attribute.list.i)
        elif kind in ("i", "b", "f"):
            attributes[key] = getattr(attribute, kind)
    ranks = tuple(None if shape is None else len(shape) for shape in shapes)
    return NodeFacts(str(node.op), types, attributes, constants, ranks)


def is_wrong(site: Site) -> bool:
    """Tell whether a TF.js kernel that a rewrite avoids is wrong for a site."""
    return bool(kernel_faults(facts_of(site.node, site.constants, site.shapes), rewritten=True))


#: A function of the site and its input tensors (with static shapes) that returns the output, or all outputs in order.
Formula = Callable[[Site, Sequence[Any]], Any]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A rule that rewrites one operation as others that TF.js has.

    `formula` may use only operations of TF.js. `text` describes it, `accuracy` says how far its value is from
    TensorFlow's own, and `applies` excludes nodes that need no rewrite.
    """

    formula: Formula
    text: str
    accuracy: str
    applies: Callable[[Site], bool] = lambda _: True


def size_of(x: Any, axis: int) -> Any:
    """Return the length of an axis of a traced tensor: a number if it is known, else a scalar tensor."""
    return x.shape[axis] if x.shape[axis] is not None else tf.shape(x)[axis]


def known(site: Site, index: int) -> Array:
    """Return the value of a constant input.

    ValueError if it is not constant, which `Rewrite.applies` should exclude.
    """
    value = site.constants[index]
    if value is None:
        raise ValueError(f"Input {index} of {site.node.name} is not constant.")
    return value


def is_ranked(site: Site) -> bool:
    """Tell whether the rank of every input is known."""
    return all(shape is not None for shape in site.shapes)


def apply_rewrites(program: Program, rewrites: Mapping[str, Rewrite]) -> list[str]:
    """Rewrite every node with a rule in the table, in all bodies; return one note for each kind of rewrite."""
    counts: Counter[str] = Counter()
    for body in _callers_first(program):
        candidates = [node for node in body.nodes.values() if node.op in rewrites]
        calls = [node for node in body.nodes.values() if any(called_functions([node]))]
        if not candidates and not calls:
            continue
        shapes = infer_shapes(program, body)
        for call in calls:
            _pass_shapes(program, call, shapes)
        for node in candidates:
            site = Site(
                node=node,
                constants=tuple(body.constant(ref) for ref in node.input),
                shapes=tuple(shapes[ref] for ref in node.input),
            )
            if rewrites[node.op].applies(site):
                counts[node.op] += 1
                _splice(body, site, rewrites[node.op].formula)
        body.prune()
    return [
        f"{op} -> {rewrites[op].text} ({count} node{'s' if count > 1 else ''}; {rewrites[op].accuracy})"
        for op, count in sorted(counts.items())
    ]


def _callers_first(program: Program) -> Iterator[Body]:
    pending, seen = [program.main], set[str]()
    while pending:
        body = pending.pop(0)
        yield body
        for name in called_functions(body.nodes.values()):
            if name not in seen:
                seen.add(name)
                pending.append(program.functions[name])


def _pass_shapes(program: Program, call: Any, shapes: Mapping[str, Shape]) -> None:
    """Pass the shapes of arguments to the functions of a While or If, unless a loop changes them."""
    if call.attr["output_shapes"].list.shape and "body" in call.attr:
        given = [tf.TensorShape(shape) for shape in call.attr["output_shapes"].list.shape]
    else:
        arguments = list(call.input)[0 if "body" in call.attr else 1 :]
        given = [tf.TensorShape(shapes[ref] if "body" not in call.attr else None) for ref in arguments]
    for name in called_functions([call]):
        function = program.functions[name]
        for argument, shape in zip(function.inputs, given, strict=True):
            function.nodes[argument].attr["shape"].shape.CopyFrom(shape.as_proto())


def _splice(body: Body, site: Site, formula: Formula) -> None:
    """Trace the formula into a new graph, then move its nodes into the body under the node's name.

    The node that computes output 0 gets the node's own name, so that references and names of layers stay.
    """
    node = site.node
    with tf.Graph().as_default() as graph:
        types = _input_types(node)
        placeholders = [
            tf.compat.v1.placeholder(dtype, shape, name=f"input_{index}")
            for index, (dtype, shape) in enumerate(zip(types, site.shapes, strict=True))
        ]
        outputs = formula(site, placeholders)
        outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        outputs = [tf.identity(output) for output in outputs]
    given = {placeholder.op.name: ref for placeholder, ref in zip(placeholders, node.input, strict=True)}
    first = outputs[0].op
    del body.nodes[node.name]
    names = {op.name: body.free_name(f"{node.name}/{op.name}") for op in graph.get_operations() if op.name not in given}
    names[first.name] = node.name

    def moved(ref: str) -> str:
        name = node_of(ref)
        return given[name] if name in given else normal(f"{names[name]}:{index_of(ref)}")

    for source in graph.as_graph_def().node:
        if source.name in given:
            continue
        copy = node_def_pb2.NodeDef()
        copy.CopyFrom(source)
        copy.name = names[source.name]
        copy.input[:] = [moved(ref) for ref in source.input if not ref.startswith("^")]
        body.nodes[copy.name] = copy
    for index, output in enumerate(outputs[1:], start=1):
        body.redirect(f"{node.name}:{index}", moved(output.name))


def _input_types(node: Any) -> list[Any]:
    """Return the type of each input of a node, from its operation's definition."""
    types: list[Any] = []
    for argument in op_def_registry.get(node.op).input_arg:
        if argument.type_list_attr:
            types.extend(node.attr[argument.type_list_attr].list.type)
            continue
        dtype = node.attr[argument.type_attr].type if argument.type_attr else argument.type
        types.extend([dtype] * (node.attr[argument.number_attr].i if argument.number_attr else 1))
    return [tf.as_dtype(dtype) for dtype in types]
