"""Parses references of nodes to their inputs: ``node``, ``node:2`` for an output, ``^node`` for a control edge."""

from __future__ import annotations


def node_of(ref: str) -> str:
    """Return the node that a reference names."""
    return ref.lstrip("^").partition(":")[0]


def index_of(ref: str) -> int:
    """Return the index of the node's output that a reference names."""
    return int(ref.rpartition(":")[2]) if ":" in ref else 0
