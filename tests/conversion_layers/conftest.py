"""Builds every case once, converts it, and predicts all of them in one Node process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pycheck.artifact.document import read_document
from pycheck.artifact.layers.faults import layers_faults

from . import models
from .cases import ALIKE, REFUSED, Case

SAMPLES = 3


@dataclass(frozen=True)
class Outcome:
    """A model, what Keras computes, and what tfjs-layers did with the artifact."""

    model: Any
    expected: list[np.ndarray]
    got: list[np.ndarray]
    input_names: list[str]
    output_names: list[str]
    artifact: Any
    error: str | None = None
    faults: tuple[Any, ...] = ()


@dataclass
class Pending:
    model: Any
    expected: list[np.ndarray]
    artifact: Any
    request: dict[str, Any]
    error: str | None = None


@dataclass
class Bench:
    """Converts models one by one, then runs them all."""

    folder: Path
    pending: dict[str, Pending] = field(default_factory=dict)

    def attempt(self, name: str, make: Callable[[], tuple[Any, ...]]) -> None:
        """Add what `make` gives; a case that cannot be made fails its own test alone."""
        try:
            self.add(name, *make())
        except Exception as error:
            self.pending[name] = Pending(None, [], None, {}, f"{type(error).__name__}: {error}")

    def add(self, name: str, model: Any, inputs: list[np.ndarray], quantize: str = "none") -> None:
        from pycheck.conversion.layers import convert_layers
        from pycheck.errors import ConversionError

        where = self.folder / f"model{len(self.pending)}"
        expected = [np.asarray(y) for y in _flat(model(_as_given(model, inputs), training=False))]
        try:
            artifact, error = convert_layers(model, where, quantize), None
        except ConversionError as refusal:
            artifact, error = None, str(refusal)
        files = []
        for i, x in enumerate(inputs):
            x = x.astype(np.int32) if x.dtype.kind in "iu" else x
            file = self.folder / f"{where.name}.in{i}"
            file.write_bytes(x.tobytes())
            files.append({"file": file.name, "dtype": x.dtype.name, "shape": x.shape})
        request = {"folder": str(where), "inputs": files, "out": str(self.folder / f"{where.name}.out")}
        self.pending[name] = Pending(model, expected, artifact, request, error)

    def run(self) -> dict[str, Outcome]:
        requests = [p.request for p in self.pending.values() if not p.error]
        (self.folder / "cases.json").write_text(json.dumps(requests))
        script = Path(__file__).with_name("predict.mjs")
        subprocess.run(["node", script, self.folder / "cases.json"], check=True, capture_output=True, timeout=240)
        return {name: self._outcome(pending) for name, pending in self.pending.items()}

    def _outcome(self, pending: Pending) -> Outcome:
        if pending.error:
            return Outcome(pending.model, pending.expected, [], [], [], None, pending.error)
        out = pending.request["out"]
        report = json.loads(Path(f"{out}.json").read_text())
        if "error" in report:
            return Outcome(pending.model, pending.expected, [], [], [], pending.artifact, report["error"])
        got = [
            np.fromfile(f"{out}.{i}.bin", "int32" if o["dtype"] == "int32" else "float32").reshape(o["shape"])
            for i, o in enumerate(report["outputs"])
        ]
        names = [o["name"] for o in report["outputs"]]
        faults = layers_faults(read_document(Path(pending.request["folder"])))
        return Outcome(pending.model, pending.expected, got, report["inputs"], names, pending.artifact, faults=faults)


def _flat(outputs: Any) -> list[Any]:
    if isinstance(outputs, dict):
        return [outputs[key] for key in sorted(outputs)]
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


def _as_given(model: Any, inputs: list[np.ndarray]) -> Any:
    struct = getattr(model, "_inputs_struct", getattr(model, "_nested_inputs", None))
    if isinstance(struct, dict):
        return dict(zip(sorted(struct), inputs, strict=True))
    return inputs[0] if len(inputs) == 1 else inputs


def _layers(keras: int) -> ModuleType:
    if keras == 3:
        import keras as library
    else:
        import tf_keras as library
    return library


def build_case(case: Case) -> Any:
    library = _layers(case.keras)
    shapes = case.shapes if case.open_shapes is None else case.open_shapes
    several = isinstance(shapes[0], tuple)
    inputs = [library.layers.Input(shape, dtype=case.dtype) for shape in (shapes if several else (shapes,))]
    layer = eval(case.layer, vars(library.layers).copy())
    return library.Model(inputs if several else inputs[0], layer(inputs if several else inputs[0]))


def make_inputs(case: Case, rng: np.random.Generator) -> list[np.ndarray]:
    several = isinstance(case.shapes[0], tuple)
    shapes = case.shapes if several else (case.shapes,)
    if case.layer.startswith("Masking"):
        return [rng.integers(0, 3, (SAMPLES, *shapes[0])).astype(case.dtype)]
    integers = case.dtype != "float32" or case.layer.startswith("Embedding")
    return [
        (rng.integers(0, 7, (SAMPLES, *shape)) if integers else rng.normal(0, 1.5, (SAMPLES, *shape))).astype(
            case.dtype
        )
        for shape in shapes
    ]


def randomize(model: Any, seed: int = 0) -> Any:
    """Weights that no initializer would give, so that one left out shows."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        name = getattr(variable, "path", variable.name)
        if "float" in str(variable.dtype):
            value = rng.normal(0, 0.5, variable.shape)
            variable.assign(np.abs(value) + 0.3 if "variance" in name else value)
    return model


def _case_model(case: Case) -> Any:
    model = build_case(case)
    return model if case.layer.startswith("Normalization") else randomize(model)


def _randomized(model: Any, *rest: Any) -> tuple[Any, ...]:
    return randomize(model), *rest


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What became of every case of `cases.ALIKE` and every model of `models`, by name."""
    bench = Bench(tmp_path_factory.mktemp("layers"))
    rng = np.random.default_rng(1)
    for case in ALIKE:
        bench.attempt(case.name, lambda case=case: (_case_model(case), make_inputs(case, rng)))
    for name, make in models.MODELS.items():
        bench.attempt(name, lambda make=make: _randomized(*make(rng)))
    return bench.run()


@pytest.fixture(scope="session")
def refusals() -> Callable[[str], list[str]]:
    """The reasons given for a case of `cases.REFUSED`, by its name."""
    from pycheck.conversion.layers import unsupported

    by_name = {case.name: case for case, _ in REFUSED}
    return lambda name: unsupported(build_case(by_name[name]))
