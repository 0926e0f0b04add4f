"""The references by which nodes name what they read: ``node``, ``node:2`` for an output, ``^node`` for its end."""

from __future__ import annotations


def node_of(ref: str) -> str:
    """The node that a reference names."""
    return ref.lstrip("^").partition(":")[0]


def index_of(ref: str) -> int:
    """Return the index of the node's output that a reference names."""
    return int(ref.rpartition(":")[2]) if ":" in ref else 0
