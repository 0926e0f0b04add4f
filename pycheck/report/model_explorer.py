"""Writes a trace for Google's Model Explorer: the points as a graph, and their errors as custom node data.

Both formats are those of github.com/google-ai-edge/model-explorer: a list of graphs (graph_builder.py, and
input_graph.ts, which reads it), and GraphNodeData (node_data_builder.py). Its loader of TF.js models (tfjs.ts) names
nodes as in model.json; these are also the names of points. The same data therefore fits either graph.
"""

from __future__ import annotations

import json
import math
from typing import Any

from ..types import Comparison, Report, RuntimeId, Trace, TracePoint
from .wording import count, short

GRAPH_FILE = "graph.json"

_PASSED, _NEAR, _FAILED = "#c6e7c9", "#ffe9a8", "#e2604a"
#: Shares of the limit, each with the colour of values up to it.
_THRESHOLDS = (
    {"value": 0.5, "bgColor": _PASSED},
    {"value": 1.0, "bgColor": _NEAR},
    {"value": 1e38, "bgColor": _FAILED},
)


def model_explorer_files(report: Report) -> dict[str, str]:
    """Return JSON texts by file name: the graph, and for each runtime the own and the inherited errors of all nodes.

    The value of a node is the share of its limit that the error uses; above 1 it fails. If non-finite values or shapes
    differ, the value is a text. A report without a trace has no files.
    """
    trace = report.trace
    if trace is None:
        return {}
    graph = {"id": report.artifact.format if report.artifact else "artifact", "nodes": _nodes(trace)}
    data: dict[str, Any] = {GRAPH_FILE: [graph]}
    for runtime in dict.fromkeys(result.runtime for point in trace.points for result in point.results):
        for measure in ("own", "inherited"):
            data[f"{runtime.engine}-{runtime.kind}-{measure}.json"] = _node_data(trace, runtime, measure)
    return {name: json.dumps(content, indent=1, allow_nan=False) + "\n" for name, content in data.items()}


def _nodes(trace: Trace) -> list[dict[str, Any]]:
    """Return the artifact's nodes with their inputs; an input that is not a point is a node too."""
    outputs: dict[str, list[TracePoint]] = {}
    for point in trace.points:
        outputs.setdefault(_node(point.name), []).append(point)
    given = [n for points in outputs.values() for p in points for n in map(_node, p.inputs) if n not in outputs]
    inputs = [{"id": name, "label": "input", "namespace": "", "incomingEdges": []} for name in dict.fromkeys(given)]
    return [*inputs, *(_graph_node(name, points) for name, points in outputs.items())]


def _graph_node(name: str, points: list[TracePoint]) -> dict[str, Any]:
    first = points[0]
    attributes = {"layer": first.layer, "skipped": first.skipped}
    return {
        "id": name,
        "label": first.op,
        "namespace": name.rpartition("/")[0],
        "incomingEdges": [
            {"sourceNodeId": _node(source), "sourceNodeOutputId": _output(source), "targetNodeInputId": str(number)}
            for number, source in enumerate(first.inputs)
        ],
        "attrs": [{"key": key, "value": value} for key, value in attributes.items() if value],
        "outputsMetadata": [{"id": _output(point.name), "attrs": _described(point)} for point in points],
    }


def _described(point: TracePoint) -> list[dict[str, str]]:
    values = {
        "shape": "x".join(map(str, point.shape)) if point.shape is not None else None,
        "dtype": point.dtype,
        "smallest": short(point.smallest) if point.smallest is not None else None,
        "largest": short(point.largest) if point.largest is not None else None,
        "overflow headroom": short(point.overflow_headroom) if point.overflow_headroom is not None else None,
        "underflow headroom": short(point.underflow_headroom) if point.underflow_headroom is not None else None,
    }
    return [{"key": key, "value": value} for key, value in values.items() if value is not None]


def _node_data(trace: Trace, runtime: RuntimeId, measure: str) -> dict[str, Any]:
    """Make GraphNodeData; a node with several outputs has the value of the output with the largest share."""
    worst: dict[str, Comparison] = {}
    for point in trace.points:
        name = _node(point.name)
        for result in point.results:
            found: Comparison | None = result.own if measure == "own" else result.inherited
            if result.runtime != runtime or found is None:
                continue
            if name not in worst or found.share_or_inf > worst[name].share_or_inf:
                worst[name] = found
    return {
        "name": f"{runtime}, {measure} error / limit",
        "results": {name: _result(comparison) for name, comparison in worst.items()},
        "thresholds": list(_THRESHOLDS),
    }


def _result(comparison: Comparison) -> dict[str, Any]:
    share = comparison.share_or_inf
    if math.isfinite(share):
        return {"value": float(f"{share:.3g}")}
    changed = comparison.nonfinite.changed
    words = "different shape" if comparison.shape_mismatch else f"{count(changed)} NaN/Inf" if changed else "not equal"
    return {"value": words, "bgColor": _FAILED}


def _node(point: str) -> str:
    """Return the node that a point is an output of."""
    name, separator, index = point.rpartition(":")
    return name if separator and index.isdigit() else point


def _output(point: str) -> str:
    return point.removeprefix(_node(point)).removeprefix(":") or "0"
