"""Finds nodes within loops and branches of TensorFlow 1, which old converters leave in the graph.

A loop is a frame, entered by Enter and left by Exit. A branch consists of the nodes after a Switch; half of them stay
dead until a Merge. Neither TensorFlow nor TF.js can return values within.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .refs import node_of

_ENTER = frozenset({"Enter", "RefEnter"})
_EXIT = frozenset({"Exit", "RefExit"})
_SWITCH = frozenset({"Switch", "RefSwitch"})
_MERGE = frozenset({"Merge", "RefMerge"})
_NEXT = frozenset({"NextIteration", "RefNextIteration"})

#: The conditions for a node to be alive: tensors of predicates, and their values.
_Condition = frozenset[tuple[str, bool]]


def topological_order(nodes: Mapping[str, Any], roots: Iterable[str]) -> list[str]:
    """Return the nodes that `roots` need, each after those it reads; back edges of loops are not followed."""
    order: dict[str, None] = {}
    for root in roots:
        stack = [(root, False)]
        while stack:
            name, expanded = stack.pop()
            if name in order:
                continue
            if expanded:
                order[name] = None
                continue
            stack.append((name, True))
            if nodes[name].op in _MERGE:
                stack.extend((node_of(ref), False) for ref in nodes[name].input if nodes[node_of(ref)].op not in _NEXT)
            else:
                stack.extend((node_of(ref), False) for ref in reversed(nodes[name].input))
    # Nodes on a back edge are needed too, after those they read.
    returning = [node_of(ref) for name in order for ref in nodes[name].input if node_of(ref) not in order]
    return list(order) if not returning else topological_order(nodes, [*order, *returning])


@dataclass(frozen=True, slots=True)
class ControlFlow:
    """The loops that each node is in (`frames`, outermost first), and the nodes that cannot be read (`inside`)."""

    frames: Mapping[str, tuple[str, ...]]
    inside: frozenset[str]

    @classmethod
    def of(cls, nodes: Mapping[str, Any], order: Iterable[str]) -> ControlFlow:
        """Follow frames and conditions along `order` (topological)."""
        frames: dict[str, tuple[str, ...]] = {}
        conditions: dict[str, _Condition] = {}
        for name in order:
            node = nodes[name]
            before = [ref for ref in node.input if node_of(ref) in frames]
            frame = max((frames[node_of(ref)] for ref in before), key=len, default=())
            if node.op in _ENTER:
                frame = (*frame, node.attr["frame_name"].s.decode())
            elif node.op in _EXIT:
                frame = frame[:-1]
            frames[name] = frame
            conditions[name] = _condition(nodes, node, before, conditions, in_loop=bool(frame))
        switches = {name for name in frames if nodes[name].op in _SWITCH}
        hidden = {name for name in frames if frames[name] or conditions[name]}
        return cls(frames, frozenset(switches | hidden))


def _condition(
    nodes: Mapping[str, Any],
    node: Any,
    before: list[str],
    conditions: Mapping[str, _Condition],
    in_loop: bool,
) -> _Condition:
    literals: set[tuple[str, bool]] = set()
    for ref in before:
        source = nodes[node_of(ref)]
        literals |= conditions[source.name]
        if source.op in _SWITCH and not in_loop and node.op not in _EXIT:
            literals.add((_predicate(nodes, source.input[1]), ref.endswith(":1")))
    if node.op in _MERGE:  # alive for both values
        literals = {(predicate, way) for predicate, way in literals if (predicate, not way) not in literals}
    return frozenset(literals)


def _predicate(nodes: Mapping[str, Any], ref: str) -> str:
    while nodes[node_of(ref)].op == "Identity":
        ref = nodes[node_of(ref)].input[0]
    return ref.removesuffix(":0")


def anchor_constants(graph_def: Any) -> None:
    """Give each loop its own copies of the constants it reads, in place, with a control edge to the loop.

    The published converter removes these edges, which TF.js does not need. TensorFlow rejects a node with inputs from
    inside and outside of a loop.
    """
    nodes = {node.name: node for node in graph_def.node}
    if not any(node.op in _ENTER for node in nodes.values()):
        return
    flow = ControlFlow.of(nodes, topological_order(nodes, list(nodes)))
    anchors: dict[tuple[str, ...], str] = {}
    for name, frame in flow.frames.items():
        if nodes[name].op in _MERGE:
            anchors.setdefault(frame, name)
    copies: dict[tuple[str, tuple[str, ...]], Any] = {}
    for node in nodes.values():
        frame = flow.frames[node.name]
        if not frame or node.op in (*_ENTER, "Const") or frame not in anchors:
            continue
        for position, ref in enumerate(node.input):
            source = nodes[node_of(ref)]
            if source.op != "Const" or ref.startswith("^"):
                continue
            key = (source.name, frame)
            if key not in copies:
                copy = type(source)()
                copy.CopyFrom(source)
                copy.name = f"{source.name}/in_loop_{len(copies)}"
                copy.input.append(f"^{anchors[frame]}")
                copies[key] = copy
            node.input[position] = copies[key].name
    graph_def.node.extend(copies.values())
