"""Which float type below float32 a graph computes in, as models with a mixed dtype policy do."""

from __future__ import annotations

from typing import Any

#: By number in TensorFlow's DataType (tensorflow/core/framework/types.proto); the coarsest first.
_HALVES = {14: "bfloat16", 19: "float16"}
#: These hold or pass on a value: weights that are stored in half floats and computed with in float32.
_NOT_COMPUTED = {"Cast", "Const", "Identity", "NoOp", "Placeholder"}

#: Relative error of rounding to nearest.
UNIT_ROUNDOFF = {"bfloat16": 2.0**-9, "float16": 2.0**-11}


def coarsest_float(graph_def: Any) -> str | None:
    """bfloat16 or float16 if a node of the GraphDef, or of its functions, computes in it; else None."""
    found = set()
    for nodes in (graph_def.node, *(function.node_def for function in graph_def.library.function)):
        for node in nodes:
            if node.op not in _NOT_COMPUTED:
                found |= {attr.type for attr in node.attr.values() if attr.type in _HALVES}
    return next((name for number, name in _HALVES.items() if number in found), None)
