"""What a fault really does: the artifact on disk with one weight scaled, all samples, and the real gate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path

import numpy as np

from pycheck.artifact import read_artifact
from pycheck.comparison import measure, summarize
from pycheck.gate import assess
from pycheck.graphdef.session import Session
from pycheck.types import ArtifactInfo, Comparison, Report, RuntimeId
from pycheck.workflow.store import open_run, read_outputs, starts

CPU = RuntimeId("chromium", "cpu")


def scaled(folder: Path, into: Path, name: str, factor: float) -> None:
    """A copy of an artifact with one weight of its only shard multiplied."""
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(folder, into)
    (group,) = json.loads((into / "model.json").read_text())["weightsManifest"]
    (shard,) = group["paths"]
    data = bytearray((into / shard).read_bytes())
    offset = 0
    for entry in group["weights"]:
        size = prod(entry["shape"]) * {"float32": 4, "int32": 4, "bool": 1}[entry["dtype"]]
        if entry["name"] == name:
            values = np.frombuffer(data, np.float32, size // 4, offset)
            values *= np.float32(factor)
            (into / shard).write_bytes(data)
            return
        offset += size
    raise AssertionError(f"no weight {name}")


def faulty(
    report: Report, saved: Path, inputs: Mapping[str, np.ndarray], into: Path, factor: float = 1.01
) -> dict[str, tuple[Comparison, ...]]:
    """By weight: the comparisons of the artifact with that fault, on the samples of a saved run, as chromium:cpu."""
    assert report.artifact and report.power
    run, store = open_run(saved)
    assert list(starts(run.batch_sizes)) == [0]
    single, double = (read_outputs(run, store, runtime, 0) for runtime in report.model.references)
    found = {}
    for weight in report.power.weights:
        outputs = _outputs(report.artifact, inputs, into, weight.name, factor)
        rows = (_compared(report, name, outputs[name], single[name], double[name]) for name in single)
        found[weight.name] = assess(rows)
    return found


def noticed(comparisons: Iterable[Comparison], wider: float = 1.0) -> bool:
    """Whether an output is beyond its automatic limit, or beyond that many times the limit."""
    return any(
        (c.max_abs_error or 0.0) > wider * (c.tolerance.max_abs or 0.0)
        or (c.rms_error or 0.0) > wider * (c.tolerance.rms or 0.0)
        for c in comparisons
        if c.tolerance
    )


def _outputs(
    artifact: ArtifactInfo, inputs: Mapping[str, np.ndarray], into: Path, weight: str, factor: float
) -> dict[str, np.ndarray]:
    scaled(artifact.folder, into, weight, factor)
    graph = read_artifact(into)
    session = Session(graph.graph_def, {**graph.inputs, **graph.outputs})
    feeds = {theirs: inputs[ours] for ours, theirs in artifact.input_names.items()}
    outputs = session.run(feeds, list(artifact.output_names.values()))
    session.close()
    return {ours: outputs[theirs] for ours, theirs in artifact.output_names.items()}


def _compared(report: Report, name: str, candidate: np.ndarray, single: np.ndarray, double: np.ndarray) -> Comparison:
    floor = measure(single, double, double, start=0)
    single_runtime, double_runtime = report.model.references
    return summarize(
        measure(candidate, double, single, start=0, drawn=False),
        tensor=name,
        reference=double_runtime,
        candidate=CPU,
        class_reference=single_runtime,
        noise_floor=floor,
    )
