"""Makes artifacts faulty in one place each, traces them, and says how many were found and pinned to that place.

python -m tests.tracing.faults prints the table; --model, --format and --every N make it shorter, --list names faults.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pycheck.errors import PycheckError
from pycheck.options.reading import build
from pycheck.types import (
    ArtifactInfo,
    InputsInfo,
    Report,
    RuntimeId,
    TracePoint,
    Verdict,
)

from .fault_models import MODELS, SAMPLES

FORMATS = ("layers", "graph")
Change = Callable[["Artifact"], None]


# ------------------------------------------------------------------------------------ artifacts as files


@dataclass
class Artifact:
    """A model.json that can be changed, with every weight as it is stored."""

    content: dict[str, Any]
    weights: dict[str, np.ndarray]

    @classmethod
    def read(cls, folder: Path) -> Artifact:
        content = json.loads((folder / "model.json").read_bytes())
        weights: dict[str, np.ndarray] = {}
        for group in content["weightsManifest"]:
            data = b"".join((folder / path).read_bytes() for path in group["paths"])
            offset = 0
            for entry in group["weights"]:
                dtype = {"float32": "<f4", "int32": "<i4", "bool": "u1"}[entry["dtype"]]
                value = np.frombuffer(data, dtype, int(np.prod(entry["shape"])), offset).reshape(entry["shape"])
                weights[entry["name"]] = value.copy()
                offset += value.nbytes
        return cls(content, weights)

    def copy(self) -> Artifact:
        return Artifact(copy.deepcopy(self.content), {name: value.copy() for name, value in self.weights.items()})

    def entry(self, weight: str) -> dict[str, Any]:
        """Of the manifest."""
        entries = (entry for group in self.content["weightsManifest"] for entry in group["weights"])
        return next(entry for entry in entries if entry["name"] == weight)

    def write(self, folder: Path) -> None:
        entries = [entry for group in self.content["weightsManifest"] for entry in group["weights"]]
        self.content["weightsManifest"] = [{"paths": ["weights.bin"], "weights": entries}]
        folder.mkdir(parents=True)
        (folder / "weights.bin").write_bytes(b"".join(self.weights[entry["name"]].tobytes() for entry in entries))
        (folder / "model.json").write_text(json.dumps(self.content))

    @property
    def nodes(self) -> dict[str, dict[str, Any]]:
        """Of a graph artifact."""
        return {node["name"]: node for node in self.content["modelTopology"]["node"]}

    def layers(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every layer of a layers artifact by name, those of nested models too."""
        topology = self.content["modelTopology"]
        pending = [topology.get("model_config", topology)]
        while pending:
            layer = pending.pop()
            config = layer["config"]
            inner = config.get("layers") if isinstance(config, dict) else config
            pending += inner or []
            if not inner:
                yield config["name"], layer


# ------------------------------------------------------------------------------------ faults


@dataclass(frozen=True)
class Fault:
    """One change. `places` are the layer (layers) or the nodes (graph) where the artifact is wrong by it."""

    kind: str
    title: str
    change: Change = field(compare=False)
    places: frozenset[str]


def faults_of(artifact: Artifact) -> Iterator[Fault]:
    """Every fault that this suite knows for an artifact."""
    graph = "node" in artifact.content["modelTopology"]
    for name, value in artifact.weights.items():
        if value.dtype == np.float32 and value.size > 1 and value.any():
            places = _readers(artifact, name) if graph else _owner(artifact, name)
            for kind, change in _WEIGHT_FAULTS.items():
                yield Fault(kind, f"{kind} {name}", _on(change, name), places)
    yield from _node_faults(artifact) if graph else _layer_faults(artifact)


def _on(change: Callable[[Artifact, str], None], name: str) -> Change:
    return lambda artifact: change(artifact, name)


def _scaled(artifact: Artifact, name: str) -> None:
    artifact.weights[name] *= np.float32(1.03)


def _shifted(artifact: Artifact, name: str) -> None:
    artifact.weights[name] += np.float32(0.03) * np.abs(artifact.weights[name]).max()


def _zeroed(artifact: Artifact, name: str) -> None:
    value = artifact.weights[name]
    value.flat[int(np.abs(value).argmax())] = 0.0


def _quantized(artifact: Artifact, name: str) -> None:
    value = artifact.weights[name].astype(np.float64)
    low, high = float(value.min()), float(value.max())
    scale = (high - low) / 255 or 1.0
    artifact.weights[name] = np.round((value - low) / scale).astype(np.uint8)
    artifact.entry(name)["quantization"] = {"dtype": "uint8", "scale": scale, "min": low, "original_dtype": "float32"}


_WEIGHT_FAULTS: Mapping[str, Callable[[Artifact, str], None]] = {
    "scaled": _scaled,
    "shifted": _shifted,
    "zeroed": _zeroed,
    "quantized": _quantized,
}


def _owner(artifact: Artifact, weight: str) -> frozenset[str]:
    known = {name for name, _ in artifact.layers()}
    return frozenset([next(part for part in reversed(weight.split("/")) if part in known)])


def _readers(artifact: Artifact, weight: str) -> frozenset[str]:
    """Nodes that read a weight; of one inside of a function, those that call the function."""
    topology = artifact.content["modelTopology"]
    functions = topology.get("library", {}).get("function", [])
    inside = {f["signature"]["name"] for f in functions for n in f.get("nodeDef", []) if n["name"] == weight}
    readers = set()
    for node in topology["node"]:
        read = {ref.lstrip("^").partition(":")[0] for ref in node.get("input", [])}
        if weight in read or inside & _called(node):
            readers.add(node["name"])
    return frozenset(readers)


def _called(node: Mapping[str, Any]) -> set[str]:
    return {attr["func"]["name"] for attr in node.get("attr", {}).values() if "func" in attr}


#: Layers artifact: class -> argument -> what takes the place of which value.
_OTHER_ARGUMENTS: Mapping[str, Mapping[str, Callable[[Any], Any]]] = {
    "Conv2D": {
        "padding": lambda v: "valid" if v == "same" else "same",
        "strides": lambda v: [1, 1] if list(v) != [1, 1] else [2, 2],
        "dilation_rate": lambda v: [2, 2],
        "activation": lambda v: "tanh" if v in ("relu", "linear") else "relu",
    },
    "DepthwiseConv2D": {"activation": lambda v: "linear", "padding": lambda v: "valid"},
    "SeparableConv2D": {"strides": lambda v: [1, 1], "activation": lambda v: "relu"},
    "Conv2DTranspose": {"activation": lambda v: "linear"},
    "Conv1D": {"dilation_rate": lambda v: [3], "padding": lambda v: "same", "activation": lambda v: "elu"},
    "Dense": {"activation": lambda v: "sigmoid" if v != "sigmoid" else "tanh"},
    "BatchNormalization": {"epsilon": lambda v: 0.1},
    "LayerNormalization": {"epsilon": lambda v: 0.1},
    "LeakyReLU": {"alpha": lambda v: 0.3},
    "ReLU": {"max_value": lambda v: 0.5},
    "ELU": {"alpha": lambda v: 0.7},
    "UpSampling2D": {"interpolation": lambda v: "bilinear" if v == "nearest" else "nearest"},
    "LSTM": {"recurrent_activation": lambda v: "hard_sigmoid", "activation": lambda v: "relu"},
    "GRU": {"recurrent_activation": lambda v: "hard_sigmoid", "activation": lambda v: "softsign"},
    "Concatenate": {"axis": lambda v: 0},
    "Bidirectional": {"merge_mode": lambda v: "ave"},
}
_OTHER_CLASS = {
    "MaxPooling2D": "AveragePooling2D",
    "AveragePooling2D": "MaxPooling2D",
    "MaxPooling1D": "AveragePooling1D",
    "GlobalAveragePooling2D": "GlobalMaxPooling2D",
    "GlobalMaxPooling2D": "GlobalAveragePooling2D",
    "Add": "Multiply",
    "Multiply": "Maximum",
}


def _layer_faults(artifact: Artifact) -> Iterator[Fault]:
    for name, layer in artifact.layers():
        for key, other in _OTHER_ARGUMENTS.get(layer["class_name"], {}).items():
            value = layer["config"].get(key)
            changed = other(value)
            if key in layer["config"] and changed != value:
                change = _in_config(name, key, changed)
                yield Fault(_kind(key), f"{name}: {key} {value} -> {changed}", change, frozenset([name]))
        if other_class := _OTHER_CLASS.get(layer["class_name"]):
            yield Fault(
                "class",
                f"{name}: {layer['class_name']} -> {other_class}",
                _as_class(name, other_class),
                frozenset([name]),
            )


def _kind(key: str) -> str:
    kinds = {"recurrent_activation": "activation", "interpolation": "alignment", "dilation_rate": "strides"}
    kinds |= {"max_value": "slope", "alpha": "slope", "merge_mode": "axis"}
    return kinds.get(key, key)


def _in_config(name: str, key: str, value: Any) -> Change:
    def change(artifact: Artifact) -> None:
        next(layer for other, layer in artifact.layers() if other == name)["config"][key] = value

    return change


def _as_class(name: str, class_name: str) -> Change:
    def change(artifact: Artifact) -> None:
        next(layer for other, layer in artifact.layers() if other == name)["class_name"] = class_name

    return change


def _node_faults(artifact: Artifact) -> Iterator[Fault]:
    for name, node in artifact.nodes.items():
        attr = node.get("attr", {})
        for key, kind, other in _other_attributes(node["op"], attr):
            yield Fault(kind, f"{name} ({node['op']}): {key}", _in_attribute(name, key, other), frozenset([name]))
        if node["op"] in ("Mean", "ConcatV2", "Sum", "Max"):
            axis = node["input"][-1].partition(":")[0]
            if axis in artifact.weights and _readers(artifact, axis) == {name}:
                yield Fault("axis", f"{name} ({node['op']}): axis", _in_axis(axis), frozenset([name]))


def _other_attributes(op: str, attr: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Attribute, kind of fault, other value."""
    if op in ("_FusedConv2D", "Conv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2dNative", "MaxPool", "AvgPool"):
        same = attr["padding"]["s"] == _base64("SAME")
        yield "padding", "padding", {"s": _base64("VALID" if same else "SAME")}
    if op in ("_FusedConv2D", "Conv2D"):
        one = all(int(n) == 1 for n in attr["strides"]["list"]["i"])
        yield "strides", "strides", {"list": {"i": ["1", "2", "2", "1"] if one else ["1", "1", "1", "1"]}}
        yield "dilations", "strides", {"list": {"i": ["1", "2", "2", "1"]}}
    if "fused_ops" in attr and attr["fused_ops"]["list"].get("s"):
        fused = list(attr["fused_ops"]["list"]["s"])
        ending = [] if fused[-1] in map(_base64, ("Relu", "Relu6", "Elu")) else [_base64("Relu")]
        kept = fused if ending else fused[:-1]
        yield "fused_ops", "activation", {"list": {"s": [*kept, *ending]}}
    if op == "LeakyRelu":
        yield "alpha", "slope", {"f": 0.35}
    if op in ("FusedBatchNormV3", "FusedBatchNorm"):
        yield "epsilon", "epsilon", {"f": 0.1}
    if op in ("ResizeBilinear", "ResizeNearestNeighbor"):
        yield "half_pixel_centers", "alignment", {"b": not attr.get("half_pixel_centers", {}).get("b", False)}
        yield "align_corners", "alignment", {"b": not attr.get("align_corners", {}).get("b", False)}


def _base64(text: str) -> str:
    import base64

    return base64.b64encode(text.encode()).decode()


def _in_attribute(name: str, key: str, value: Any) -> Change:
    def change(artifact: Artifact) -> None:
        attr = artifact.nodes[name]["attr"]
        attr[key] = value
        if key == "half_pixel_centers" and value.get("b"):  # TensorFlow refuses both
            attr["align_corners"] = {"b": False}
        if key == "align_corners" and value.get("b"):
            attr["half_pixel_centers"] = {"b": False}

    return change


def _in_axis(weight: str) -> Change:
    def change(artifact: Artifact) -> None:
        value = artifact.weights[weight]
        artifact.weights[weight] = np.where(value <= 1, value + 1, 1).astype(value.dtype)

    return change


# ------------------------------------------------------------------------------------ traces


@dataclass
class Outcome:
    """What became of one artifact. `error` is why it cannot be executed at all; `moved` whether an output failed."""

    error: str | None = None
    moved: bool = False
    sources: tuple[TracePoint, ...] = ()
    report: Report | None = None
    seconds: float = 0.0

    def is_at(self, fault: Fault) -> bool:
        """Whether all that it blames is the very layer or node."""
        return bool(self.sources) and all(_names(point) & fault.places for point in self.sources)

    def is_in_layer(self, fault: Fault, layers: frozenset[str]) -> bool:
        """Whether all that it blames is of the layer that the node came from."""
        return bool(self.sources) and {point.layer for point in self.sources} <= layers


def _names(point: TracePoint) -> set[str]:
    """What a point is called by the report, with the loop that is part of it."""
    return {*point.loops, point.name, point.name.rpartition(":")[0], point.name.rpartition("/")[2].partition("@")[0]}


class Bench:
    """One model in one format, and traces of its artifact and of faulty ones; a context manager."""

    def __init__(self, name: str, artifact_format: str) -> None:
        from pycheck.conversion import convert
        from pycheck.model import load
        from pycheck.runtimes.native.model import NativeRuntime

        built, self._inputs = MODELS[name]()
        self.model = load(built)
        self._folder = Path(tempfile.mkdtemp(prefix="faults-"))
        self.made = convert(self.model, self._folder / "made", format=artifact_format)
        self.healthy = Artifact.read(self._folder / "made")
        self._executor = ThreadPoolExecutor(1)
        self._count = 0

        async def predict(kind: str) -> Any:
            async with NativeRuntime(RuntimeId("native", kind), self.model, executor=self._executor) as runtime:
                return dict(await runtime.predict(self._inputs))

        self._classes, self._size = (asyncio.run(predict(kind)) for kind in ("float32", "float64"))

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *error: object) -> None:
        self._executor.shutdown()
        shutil.rmtree(self._folder)

    def layers_at(self, fault: Fault) -> frozenset[str]:
        """The Keras layers of the places of a fault."""
        from pycheck.artifact.graph.layer_names import LayerNames

        if self.made.format == "layers":
            return fault.places
        names = LayerNames(self.healthy.nodes, self._layer_names())
        return frozenset(layer for place in fault.places if (layer := names.of(place)))

    def _layer_names(self) -> frozenset[str]:
        from pycheck.model.evidence import layers_of

        return frozenset(layer.name for layer in layers_of(self.model.keras_model))

    def written(self, artifact: Artifact) -> ArtifactInfo:
        """An artifact as somebody hands it over."""
        from pycheck.conversion.existing import open_artifact

        self._count += 1
        folder = self._folder / f"artifact-{self._count}"
        artifact.write(folder)
        return open_artifact(folder, self.model.info.signature)

    def faulty(self, fault: Fault) -> Artifact:
        """A copy of the artifact with the fault."""
        artifact = self.healthy.copy()
        fault.change(artifact)
        return artifact

    def trace(self, artifact: Artifact, *, given: bool = False) -> Outcome:
        """What `pycheck trace` finds without any browser; with `given` as of an artifact given with --tfjs-model."""
        began = time.perf_counter()
        try:
            report = asyncio.run(self._trace(self.written(artifact), given=given))
        except PycheckError as error:
            return Outcome(error=str(error), seconds=time.perf_counter() - began)
        assert report.trace is not None
        return Outcome(
            moved=any(split.conversion is not None and not split.conversion.passed for split in report.trace.splits),
            sources=tuple(p for p in report.trace.points if p.conversion and p.conversion.role == "source"),
            report=report,
            seconds=time.perf_counter() - began,
        )

    async def _trace(self, artifact: ArtifactInfo, *, given: bool) -> Report:
        from pycheck.runtimes.native.artifact import ArtifactRuntime
        from pycheck.tracing import TraceInputs, start_references, trace_run
        from pycheck.types import ARTIFACT_FLOAT32, ARTIFACT_FLOAT64

        async def drawn(count: int) -> TraceInputs:
            count = min(count, SAMPLES)
            parts = (self._inputs, self._size, self._classes)
            tensors, size, classes = ({name: value[:count] for name, value in part.items()} for part in parts)
            return TraceInputs(tensors, size, classes, tuple(range(count)))

        async def model() -> Any:
            return self.model

        report = Report(
            pycheck_version="0",
            model=self.model.info,
            artifact=artifact,
            inputs=InputsInfo(None, "", SAMPLES),
            runtimes=(),
            comparisons=(),
            findings=(),
            verdict=Verdict.PASS,
        )
        layers = self._layer_names() if artifact.format == "graph" else frozenset()
        async with AsyncExitStack() as stack:
            runtime = ArtifactRuntime(ARTIFACT_FLOAT32, artifact, executor=self._executor, layers=layers)
            single = await stack.enter_async_context(runtime)
            beside = ArtifactRuntime(ARTIFACT_FLOAT64, artifact, executor=self._executor, like=single)
            references = await start_references(single, beside, executor=self._executor, stack=stack)
            return await trace_run(
                report,
                references=references,
                model=model,
                long_sums=lambda _: None,
                draw=drawn,
                candidates=[],
                only_failed=False,
                slots=asyncio.Semaphore(1),
                options=build({"tfjs_model": artifact.folder} if given else {}),
                observe=lambda *_: None,
            )


# ------------------------------------------------------------------------------------ the table


@dataclass
class Tally:
    """Of one kind of fault. What cannot be executed is told by its error; what is harmless moves no output.

    `exact` are those of which all that is blamed is the layer (of a layers artifact) or the node (of a graph) that
    is faulty; `layer` those of which all that is blamed is of the faulty layer: a node that is fused of several
    layers counts as the one whose name it has.
    """

    made: int = 0
    refused: int = 0
    harmless: int = 0
    found: int = 0
    exact: int = 0
    layer: int = 0

    @property
    def effective(self) -> int:
        """Those that move an output beyond tolerance."""
        return self.made - self.refused - self.harmless

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, key) + getattr(other, key) for key in vars(self)))


#: By format and kind of fault.
Tallies = dict[tuple[str, str], Tally]


def can_hold(name: str, artifact_format: str) -> bool:
    """Whether the model can be had in a format."""
    return artifact_format == "graph" or name not in ("attention", "resized")


def run(benches: list[tuple[str, str]], every: int, report: Callable[[str], None]) -> tuple[Tallies, int]:
    """All faults of models in formats, or every so manieth; and how many healthy artifacts were blamed."""
    tallies: Tallies = {}
    blamed = number = 0
    for name, artifact_format in benches:
        began = time.perf_counter()
        with Bench(name, artifact_format) as bench:
            healthy = bench.trace(bench.healthy)
            if healthy.error or healthy.moved or healthy.sources:
                blamed += 1
                report(f"BLAMED {name} {artifact_format}: {healthy.error} {[p.name for p in healthy.sources]}")
            count = 0
            for fault in faults_of(bench.healthy):
                number += 1
                if number % every:
                    continue
                count += 1
                _add(tallies.setdefault((artifact_format, fault.kind), Tally()), bench, fault, report)
        report(f"{name} as {artifact_format}: {count} faults in {time.perf_counter() - began:.0f} s")
    return tallies, blamed


def _add(tally: Tally, bench: Bench, fault: Fault, report: Callable[[str], None]) -> None:
    outcome = bench.trace(bench.faulty(fault))
    tally.made += 1
    if outcome.error:
        tally.refused += 1
        report(f"  refused {fault.title}: {outcome.error.splitlines()[0]}")
    elif not outcome.moved:
        tally.harmless += 1
    else:
        exact = outcome.is_at(fault)
        in_layer = exact or outcome.is_in_layer(fault, bench.layers_at(fault))
        tally.found += bool(outcome.sources)
        tally.exact += exact
        tally.layer += in_layer
        if not exact:
            word = "layer only" if in_layer else "MISSED"
            report(f"  {word} {fault.title}, at {sorted(fault.places)}: blamed {[_told(p) for p in outcome.sources]}")


def _told(point: TracePoint) -> str:
    return f"{point.name} ({point.layer})"


def table(tallies: Tallies) -> str:
    """The figures."""
    columns = ("made", "refused", "harmless", "effective", "found", "exact", "layer")
    rows: dict[str, Tally] = {}
    for (_, kind), tally in sorted(tallies.items(), key=lambda item: item[0][1]):
        rows[kind] = rows.get(kind, Tally()) + tally
    rows["all"] = sum(rows.values(), Tally())
    lines = [f"{'kind':12s}" + "".join(f"{column:>11s}" for column in columns)]
    lines += [f"{kind:12s}" + "".join(f"{getattr(t, column):11d}" for column in columns) for kind, t in rows.items()]
    of_format = {f: sum((t for (format, _), t in tallies.items() if format == f), Tally()) for f in FORMATS}
    for title, tally, exact in (
        ("layers artifacts", of_format["layers"], "the exact layer"),
        ("graph artifacts", of_format["graph"], "the exact node"),
        ("all", rows["all"], "the exact layer or node"),
    ):
        if tally.effective:
            found, pinned, layer = (100 * n / tally.effective for n in (tally.found, tally.exact, tally.layer))
            lines.append(
                f"{title}, {tally.effective} effective: found {found:.1f} %, {exact} {pinned:.1f} %, "
                f"the right layer {layer:.1f} %"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", action="append", choices=sorted(MODELS), help="only these models")
    parser.add_argument("--format", action="append", choices=FORMATS, help="only in this format")
    parser.add_argument("--every", type=int, default=1, help="only every so manieth fault")
    parser.add_argument("--list", action="store_true", help="name the faults, and trace nothing")
    options = parser.parse_args()
    from pycheck.model.tensorflow_import import import_tensorflow

    import_tensorflow()
    formats = options.format or FORMATS
    benches = [(name, f) for name in options.model or MODELS for f in formats if can_hold(name, f)]
    if options.list:
        for name, artifact_format in benches:
            with Bench(name, artifact_format) as bench:
                for fault in faults_of(bench.healthy):
                    print(f"{name} as {artifact_format}: {fault.title}, at {', '.join(sorted(fault.places))}")
        return
    tallies, blamed = run(benches, options.every, lambda line: print(line, flush=True))
    print(table(tallies))
    print(f"healthy artifacts blamed: {blamed}")


if __name__ == "__main__":
    main()
