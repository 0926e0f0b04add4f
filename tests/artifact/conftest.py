"""Artifacts of real models, and one TensorFlow thread to execute them in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.conversion import convert
from pycheck.conversion.existing import open_artifact
from pycheck.inputs import make_inputs
from pycheck.model import identify, load
from pycheck.model.tensorflow_import import import_tensorflow
from pycheck.runtimes.native.artifact import ArtifactRuntime
from pycheck.runtimes.native.model import NativeRuntime
from pycheck.types import Array, ArtifactInfo, RuntimeId, Tensors

from ..published import import_tensorflowjs

MODELS = Path(__file__).parents[2] / "models"


@dataclass(frozen=True)
class Converted:
    """A sample in one format, with inputs."""

    model: Any
    artifact: ArtifactInfo
    inputs: Tensors

    def feeds(self) -> dict[str, Array]:
        return {self.artifact.input_names[name]: value for name, value in self.inputs.items()}


@pytest.fixture(scope="session")
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Converted]:
    """Convert a sample by its file name; each once."""
    made: dict[tuple[str, str, str], Converted] = {}

    def make(name: str, artifact_format: str, quantize: str = "none") -> Converted:
        key = (name, artifact_format, quantize)
        if key not in made:
            model = load(identify(MODELS / name))
            folder = tmp_path_factory.mktemp("artifact") / "out"
            artifact = convert(model, folder, format=artifact_format, quantize=quantize)
            inputs = make_inputs(model.info.signature, samples=3, seed=1, hints=model.input_hints)
            made[key] = Converted(model, artifact, next(iter(inputs.batches(3))).tensors)
        return made[key]

    return make


@pytest.fixture
def predict(executor: ThreadPoolExecutor) -> Callable[..., Tensors]:
    """Outputs of a sample on `artifact:KIND` or `native:KIND`."""

    def run(sample: Converted, engine: str, kind: str) -> Tensors:
        runtime_id = RuntimeId(engine, kind)

        async def go() -> Tensors:
            if engine == "artifact":
                runtime: Any = ArtifactRuntime(runtime_id, sample.artifact, executor=executor)
            else:
                runtime = NativeRuntime(runtime_id, sample.model, executor=executor)
            async with runtime:
                return dict(await runtime.predict(sample.inputs))

        return asyncio.run(go())

    return run


@pytest.fixture
def execute(executor: ThreadPoolExecutor) -> Callable[..., tuple[Any, dict[str, Array]]]:
    """The started runtime's points and the values of `fetches` (all points, where None)."""

    def run(
        folder: Path, feeds: Mapping[str, Array], fetches: Sequence[str] | None = None, kind: str = "float32"
    ) -> tuple[Any, dict[str, Array]]:
        async def go() -> tuple[Any, dict[str, Array]]:
            info = open_artifact(folder, load(identify(folder)).info.signature)
            async with ArtifactRuntime(RuntimeId("artifact", kind), info, executor=executor) as runtime:
                points = runtime.points
                return points, await runtime.run(feeds, fetches or [point.name for point in points])

        return asyncio.run(go())

    return run


@pytest.fixture(autouse=True)
def _tensorflow(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("real"):
        import_tensorflow()


@pytest.fixture(scope="session")
def tensorflowjs() -> Any:
    """The published converter."""
    return import_tensorflowjs()


def relative_error(value: Array, expected: Array) -> float:
    return float(np.max(np.abs(value - expected)) / max(float(np.max(np.abs(expected))), 1e-30))
