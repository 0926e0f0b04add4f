"""Whole runs without TensorFlow, browsers or processes: models that are NumPy, in a workbench with fake runtimes."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from pycheck.conversion.writing import write_model_json
from pycheck.errors import ConversionError
from pycheck.model.kind import KERAS_OBJECT, ModelSource
from pycheck.runtimes.base import Runtime
from pycheck.runtimes.fake import LIBRARY, SOUND, FakeArtifact, FakeHost, FakeModel, FakeReference, Fault, Step
from pycheck.types import Array, ArtifactInfo, ModelInfo, RuntimeId, Signature, TensorSpec
from pycheck.workflow.lazy_model import Source
from pycheck.workflow.pipeline import Workbench

#: In the artifact's folder: which model it was made from.
_MADE_FROM = "made_from.txt"
#: How much smaller than float32 LiteRT's weights are.
_DIVISORS = {"none": 1, "float16": 2, "dynamic": 3, "int8": 4}


def dense(
    inputs: Mapping[str, int] | None = None, outputs: Mapping[str, int] | None = None, *, seed: int = 0, bias: float = 0
) -> FakeModel:
    """Each output is a layer of its own over all inputs, of so many numbers a sample: x (4) gives y (3), left out."""
    inputs, outputs = inputs or {"x": 4}, outputs or {"y": 3}
    random = np.random.default_rng(seed)
    weights: dict[str, Array] = {}
    steps: dict[str, Step] = {}
    for name, size in outputs.items():
        weights[f"{name}/kernel"] = random.normal(size=(sum(inputs.values()), size)).astype(np.float32)
        weights[f"{name}/bias"] = np.full(size, bias, np.float32)

        def function(*given: Array, name: str = name) -> Array:
            return np.concatenate(given, axis=-1) @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]

        steps[name] = Step(tuple(inputs), function)
    return FakeModel(_signature(inputs, outputs), steps, weights)


def chain(*, seed: int = 0) -> FakeModel:
    """x (4) gives hidden (6) by tanh, and that gives y (3)."""
    random = np.random.default_rng(seed)
    weights = {
        "hidden/kernel": random.normal(size=(4, 6)).astype(np.float32),
        "y/kernel": random.normal(size=(6, 3)).astype(np.float32),
    }
    steps = {
        "hidden": Step(("x",), lambda x: np.tanh(x @ weights["hidden/kernel"])),
        "y": Step(("hidden",), lambda hidden: hidden @ weights["y/kernel"]),
    }
    return FakeModel(_signature({"x": 4}, {"y": 3}), steps, weights)


def _signature(inputs: Mapping[str, int], outputs: Mapping[str, int]) -> Signature:
    specs = (tuple(TensorSpec(name, "float32", (None, size)) for name, size in of.items()) for of in (inputs, outputs))
    return Signature(*specs)


@dataclass
class Fakes:
    """What fake runs are made of: models by name, faults by runtime; `hosts` are those that runs started.

    `quantized` are models that LiteRT.js runs instead, by quantization; `refused` are errors of a conversion, by format
    or by quantization for LiteRT.js.
    """

    models: dict[str, FakeModel] = field(default_factory=dict)
    faults: dict[RuntimeId, Fault] = field(default_factory=dict)
    quantized: dict[str, FakeModel] = field(default_factory=dict)
    refused: dict[str, ConversionError] = field(default_factory=dict)
    hosts: list[FakeHost] = field(default_factory=list)
    identity: str | None = None  # of each browser; answers are kept only if there is one

    def save(self, path: Path, model: FakeModel | None = None) -> Path:
        """A file that says which model it holds, of a kind and content of its own, as `identify` reads it."""
        model = model or dense()
        content = hashlib.sha256(b"".join(value.tobytes() for value in model.weights.values())).hexdigest()
        name = f"{path.stem}-{content[:8]}"
        self.models[name] = model
        config = json.dumps({"class_name": "Fake", "config": {"name": name}})
        with zipfile.ZipFile(path, "w") as archive:
            for part, text in (("config.json", config), ("model.weights.h5", content)):
                archive.writestr(zipfile.ZipInfo(part), text)  # without a time: the same model is the same file
        return path

    def break_(self, runtime: str, fault: Fault) -> None:
        """From now on this runtime has this fault."""
        self.faults[RuntimeId.parse(runtime)] = fault

    def source(self, *given: Any, **more: Any) -> Source:
        return _FakeSource(*given, fakes=self, **more)

    def host(self, engine: str, **asked: Any) -> FakeHost:
        self.hosts.append(FakeHost(engine, model_of=self.made_from, faults=self.faults, **asked))
        return self.hosts[-1]

    def made_from(self, artifact: ArtifactInfo) -> FakeModel:
        return self.models[(artifact.folder / _MADE_FROM).read_text()]

    def name_of(self, model: FakeModel) -> str:
        for name, known in self.models.items():
            if known is model:
                return name
        self.models[name := f"live-{len(self.models)}"] = model
        return name


@contextmanager
def faking(cache_dir: Path) -> Iterator[Fakes]:
    """Meanwhile every run in this process is one of fakes, with a cache of its own, and without the power.

    The power is measured with TensorFlow's gradients.
    """
    fakes = Fakes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workbench, "make_source", fakes.source)
        patch.setattr(Workbench, "make_host", fakes.host)
        patch.setattr(Workbench, "identify", staticmethod(lambda *_, **__: fakes.identity))
        patch.setenv("PYCHECK_CACHE_DIR", str(cache_dir))
        patch.setenv("PYCHECK_POWER", "false")
        yield fakes


class _Activations:
    largest = 1


class _Loaded:
    """What `Source` asks a loaded model for."""

    keras_model = None
    own = None
    precision = None
    activations = _Activations
    input_hints: Mapping[str, Any] = {}
    training_calls: Mapping[str, str] = {}
    inputs_of_outputs: Mapping[str, tuple[str, ...]] = {}
    casts_inside: Mapping[str, tuple[str, ...]] = {}

    def __init__(self, model: FakeModel, info: ModelInfo) -> None:
        self.model = model
        self.info = info

    def frozen(self) -> None:
        raise ConversionError("A fake has no graph.")


class _FakeSource(Source):
    """A model that needs no TensorFlow; all that the cache does with it is real."""

    def __init__(self, *given: Any, fakes: Fakes, **more: Any) -> None:
        super().__init__(*given, **more)
        self._fakes = fakes

    def variant(self, options: Any) -> Source:
        return _FakeSource(self._given, options, self._cache, self._executor, fakes=self._fakes, base=self)

    async def tensorflow(self) -> None:
        """There is none."""

    def runtime(self, id: RuntimeId, *, in_shapes: bool = False) -> Runtime:
        async def model() -> FakeModel:
            return cast(_Loaded, await self.model()).model

        return FakeReference(id, model(), self._fakes.faults.get(id, SOUND))

    def long_sums(self, artifact: ArtifactInfo) -> None:
        pass

    def artifact_runtime(self, id: RuntimeId, **_: Any) -> FakeArtifact:
        async def model() -> FakeModel:
            return self._fakes.made_from(await self.artifact())

        return FakeArtifact(id, model())

    def read_model(self, given: Any) -> Any:
        if isinstance(given, FakeModel):
            return _Loaded(given, ModelInfo("FakeModel", KERAS_OBJECT, "0" * 64, given.signature))
        assert isinstance(given, ModelSource)
        with zipfile.ZipFile(given.path) as archive:
            name = json.loads(archive.read("config.json"))["config"]["name"]
        model = self._fakes.models[name]
        return _Loaded(model, ModelInfo(str(given.path), given.format, given.sha256, model.signature))

    async def _convert_litert(self, *_: Any) -> ArtifactInfo:
        """A file of the size of the weights."""
        fake, quantize = (await self.model()).model, self._options.quantize
        for what in ("tflite", quantize):
            if what in self._fakes.refused:
                raise self._fakes.refused[what]
        folder = self._cache.reserve("artifact", None).folder
        size = sum(value.nbytes for value in fake.weights.values()) // _DIVISORS[quantize]
        (folder / "model.tflite").write_bytes(b"\0" * size)
        name = self._fakes.name_of(self._fakes.quantized.get(quantize, fake))
        (folder / _MADE_FROM).write_text(name)
        digest = hashlib.sha256(f"{name} {quantize}".encode()).hexdigest()
        return replace(_described(fake, folder, "tflite", quantize, size), weights_sha256=digest)

    def write_artifact(self, model: Any, folder: Path) -> ArtifactInfo:
        fake, options = model.model, self._options
        format = "layers" if options.format == "auto" else options.format
        if format in self._fakes.refused:
            raise self._fakes.refused[format]
        fields = {"format": f"{format}-model", "modelTopology": _layers(fake) if format == "layers" else _graph(fake)}
        fields |= {} if format == "layers" else {"signature": _graph_signature(fake)}
        size = write_model_json(folder, fields, list(fake.weights.items()), options.quantize, options.keep_float)
        (folder / _MADE_FROM).write_text(self._fakes.name_of(fake))
        return _described(fake, folder, format, options.quantize, size)


def _described(model: FakeModel, folder: Path, format: str, quantization: str, size: int) -> ArtifactInfo:
    inputs, outputs = ([spec.name for spec in side] for side in (model.signature.inputs, model.signature.outputs))
    return ArtifactInfo(
        folder,
        format,
        quantization,
        size,
        LIBRARY,
        "",
        tuple(inputs),
        tuple(outputs),
        {name: name for name in inputs},
        {name: name for name in outputs},
        model_file="model.tflite" if format == "tflite" else "model.json",
    )


def _layers(model: FakeModel) -> dict[str, Any]:
    inputs, outputs = model.signature.inputs, model.signature.outputs
    layers: list[dict[str, Any]] = [
        _layer("InputLayer", i.name, [], batch_input_shape=i.shape, dtype=i.dtype) for i in inputs
    ]
    joined = inputs[0].name
    if len(inputs) > 1:
        joined = "joined"
        layers.append(_layer("Concatenate", joined, [i.name for i in inputs], axis=-1))
    layers += [
        _layer("Dense", o.name, [joined], units=o.shape[-1], use_bias=True, activation="linear") for o in outputs
    ]
    ends = {f"{side}_layers": [[s.name, 0, 0] for s in of] for side, of in (("input", inputs), ("output", outputs))}
    config = {"name": "model", "layers": layers, **ends}
    return {"keras_version": "fake", "model_config": {"class_name": "Functional", "config": config}}


def _layer(kind: str, name: str, before: list[str], **config: Any) -> dict[str, Any]:
    nodes = [[[other, 0, 0, {}] for other in before]] if before else []
    return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": nodes}


def _graph(model: FakeModel) -> dict[str, Any]:
    inputs, float32 = model.signature.inputs, {"dtype": {"type": "DT_FLOAT"}}
    nodes: list[dict[str, Any]] = [{"name": i.name, "op": "Placeholder", "attr": float32} for i in inputs]
    nodes += [{"name": name, "op": "Const", "attr": float32} for name in model.weights]
    for output in model.signature.outputs:
        product = f"{output.name}/MatMul"
        weights = [f"{output.name}/kernel", f"{output.name}/bias"]
        nodes.append({"name": product, "op": "MatMul", "input": [inputs[0].name, weights[0]], "attr": {}})
        nodes.append({"name": output.name, "op": "BiasAdd", "input": [product, weights[1]], "attr": {}})
    return {"node": nodes, "versions": {"producer": 1}}


def _graph_signature(model: FakeModel) -> dict[str, Any]:
    sides = (("inputs", model.signature.inputs), ("outputs", model.signature.outputs))
    return {side: {spec.name: {"name": spec.name} for spec in of} for side, of in sides}
