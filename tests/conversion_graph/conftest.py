"""Converts every model once and runs all artifacts in one Node process, on the cpu and the wasm backend."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BACKENDS = ("cpu", "wasm")
_IN_JS = {"f": "float32", "i": "int32", "u": "int32", "b": "bool"}
_IN_NUMPY = {"float32": np.float32, "int32": np.int32, "bool": np.uint8}


@dataclass
class Outcome:
    """One artifact: what TensorFlow computes, and what TF.js does on each backend, by the model's output names."""

    model: Any
    artifact: Any
    expected: dict[str, np.ndarray]
    got: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


class Bench:
    """Takes models one by one, then runs them all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: list[dict[str, Any]] = []
        self.outcomes: dict[str, Outcome] = {}

    def add(self, name: str, make: Callable[[], Any], backends: tuple[str, ...] = BACKENDS, **options: Any) -> None:
        """Convert what `make` gives; an error becomes the outcome of this model alone."""
        import keras

        from pycheck.conversion import convert

        keras.utils.set_random_seed(len(self.outcomes))  # weights too: a bound that some draw exceeds proves nothing
        here = self._folder / f"{len(self.outcomes)}"
        try:
            model = make()
            artifact = convert(model, here / "artifact", format="graph", **options)
            inputs = made_inputs(model)
            self.outcomes[name] = Outcome(model, artifact, model.predict(inputs))
        except Exception as error:
            errors = dict.fromkeys(backends, f"{type(error).__name__}: {error}")
            self.outcomes[name] = Outcome(None, None, {}, errors=errors)
            return
        described = {}
        for index, (key, value) in enumerate(inputs.items()):
            dtype = _IN_JS[value.dtype.kind]
            file = here / f"input{index}"
            file.write_bytes(value.astype(dtype).tobytes())
            described[artifact.input_names[key]] = {"file": str(file), "dtype": dtype, "shape": value.shape}
        for backend in backends:
            out = here / backend
            out.mkdir()
            job = {"folder": str(artifact.folder), "backend": backend, "out": str(out)}
            job |= {"inputs": described, "outputs": list(artifact.outputs), "name": name}
            self._jobs.append(job)

    def run(self) -> dict[str, Outcome]:
        jobs = self._folder / "jobs.json"
        jobs.write_text(json.dumps(sorted(self._jobs, key=lambda job: job["backend"])))
        script = Path(__file__).with_name("predict.mjs")
        subprocess.run(["node", script, jobs], check=True, capture_output=True, timeout=240)
        for job in self._jobs:
            self._collect(job)
        return self.outcomes

    def _collect(self, job: dict[str, Any]) -> None:
        outcome, backend = self.outcomes[job["name"]], job["backend"]
        result = json.loads((Path(job["out"]) / "result.json").read_text())
        if "error" in result:
            outcome.errors[backend] = result["error"]
            return
        outcome.names = {"inputs": result["inputNames"], "outputs": result["outputNames"]}
        outcome.got[backend] = {
            name: np.fromfile(Path(job["out"]) / f"{index}.bin", _IN_NUMPY[output["dtype"]]).reshape(output["shape"])
            for index, (name, output) in enumerate(zip(outcome.artifact.output_names, result["outputs"], strict=True))
        }


def made_inputs(model: Any, samples: int = 3) -> dict[str, np.ndarray]:
    """Seeded inputs by the model's signature; a dynamic dimension is 6 long, an integer from 0 to 4."""
    rng = np.random.default_rng(1)
    made = {}
    for spec in model.info.signature.inputs:
        shape = (samples, *(6 if size is None else size for size in spec.shape[1:]))
        kind = np.dtype(spec.dtype).kind
        value = rng.random(shape) < 0.5 if kind == "b" else rng.integers(0, 5, shape)
        made[spec.name] = (rng.normal(0, 1.5, shape) if kind == "f" else value).astype(spec.dtype)
    return made


def assert_alike(outcome: Outcome, backend: str, name: str, tolerance: float = 1e-5) -> None:
    """Same shape, same places of NaN and infinity, and no error above `tolerance` of the output's largest value."""
    assert backend not in outcome.errors, outcome.errors[backend]
    expected, got = np.asarray(outcome.expected[name], np.float64), outcome.got[backend][name].astype(np.float64)
    assert got.shape == expected.shape
    scale = np.max(np.abs(expected), where=np.isfinite(expected), initial=0) or 1.0
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale)


def saved_and_loaded(module: Any, folder: Path) -> Any:
    """A tf.Module with a function `serve`, as pycheck loads its SavedModel."""
    import tensorflow as tf

    from pycheck.model import identify, load

    tf.saved_model.save(module, str(folder), signatures=module.serve.get_concrete_function())
    return load(identify(folder))


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What became of every model and of every group of operations, by name."""
    from pycheck.model import load

    from . import models, operations

    bench = Bench(tmp_path_factory.mktemp("graph"))
    for name, make in models.MODELS.items():
        bench.add(name, lambda make=make: load(models.randomize(make())))
    for quantize in ("float16", "uint16", "uint8"):
        bench.add(quantize, lambda: load(models.randomize(models.MODELS["cnn"]())), ("cpu",), quantize=quantize)
    saved = tmp_path_factory.mktemp("saved")
    bench.add("control flow", lambda: saved_and_loaded(models.ControlFlow(), saved / "control_flow"))
    for name, group in operations.GROUPS.items():
        for part, backends in operations.PARTS.items():
            if names := operations.names_of(group, part):
                serving, folder = operations.Serving(group, names), saved / f"{name}, {part}"
                bench.add(f"{name}, {part}", lambda s=serving, f=folder: saved_and_loaded(s, f), backends)
    return bench.run()
