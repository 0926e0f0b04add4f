"""The samples, converted by pycheck and executed as artifacts in Python."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from pycheck.errors import RuntimeFailedError, UsageError
from pycheck.runtimes.native.artifact import ArtifactRuntime
from pycheck.types import RuntimeId

from .conftest import relative_error

pytestmark = pytest.mark.real

SAMPLES = [
    ("attention.keras", "graph"),
    ("cnn.keras", "graph"),
    ("cnn.keras", "layers"),
    ("half_overflow.keras", "layers"),
    ("keras2.h5", "graph"),
    ("keras2.h5", "layers"),
    ("recurrent.keras", "graph"),
    ("two_io.keras", "graph"),
    ("two_io.keras", "layers"),
    ("webgl_nan.keras", "graph"),
]


@pytest.mark.parametrize(("name", "artifact_format"), SAMPLES)
@pytest.mark.parametrize(("kind", "limit"), [("float32", 1e-5), ("float64", 1e-6)])
def test_an_artifact_gives_what_its_model_gives(
    name: str, artifact_format: str, kind: str, limit: float, converted: Any, predict: Any
) -> None:
    sample = converted(name, artifact_format)
    outputs = predict(sample, "artifact", kind)
    expected = predict(sample, "native", kind)
    assert outputs.keys() == expected.keys()
    for output, value in expected.items():
        assert outputs[output].dtype == kind
        assert relative_error(outputs[output], value) < limit


@pytest.mark.parametrize(("name", "artifact_format"), SAMPLES)
def test_a_point_alone_gives_the_value_that_it_has_within_the_whole(
    name: str, artifact_format: str, converted: Any, executor: ThreadPoolExecutor
) -> None:
    sample = converted(name, artifact_format)

    async def go() -> int:
        async with ArtifactRuntime(RuntimeId("artifact", "float32"), sample.artifact, executor=executor) as runtime:
            known = {**sample.feeds(), **await runtime.run(sample.feeds(), [p.name for p in runtime.points])}
            for point in runtime.points:
                alone = await runtime.run({source: known[source] for source in point.inputs}, [point.name])
                np.testing.assert_array_equal(alone[point.name], known[point.name], err_msg=point.name)
            return len(runtime.points)

    assert asyncio.run(go()) > 4


@pytest.mark.parametrize(("name", "artifact_format"), SAMPLES)
def test_points_are_in_topological_order_under_names_of_the_artifact(
    name: str, artifact_format: str, converted: Any, executor: ThreadPoolExecutor
) -> None:
    sample = converted(name, artifact_format)

    async def go() -> Any:
        async with ArtifactRuntime(RuntimeId("artifact", "float32"), sample.artifact, executor=executor) as runtime:
            return runtime.points

    known = set(sample.artifact.inputs)
    for point in asyncio.run(go()):
        assert set(point.inputs) <= known
        assert point.inputs or point.constant  # what reads nothing depends on no input
        assert point.name not in known
        known.add(point.name)
    text = (sample.artifact.folder / "model.json").read_text()
    points = known - set(sample.artifact.inputs)
    assert points and all(f'"{point.partition(":")[0]}"' in text for point in points)


def test_points_of_a_graph_know_the_layers_that_they_came_from(converted: Any, executor: ThreadPoolExecutor) -> None:
    sample = converted("cnn.keras", "graph")
    layers = [layer.name for layer in sample.model.keras_model.layers]

    async def go() -> Any:
        runtime = ArtifactRuntime(RuntimeId("artifact", "float32"), sample.artifact, executor=executor, layers=layers)
        async with runtime:
            return runtime.points

    found = {point.layer for point in asyncio.run(go()) if point.op == "_FusedMatMul"}
    assert found == {"digit"}


def test_a_point_that_is_not_there_is_refused_with_the_nearest(converted: Any, executor: ThreadPoolExecutor) -> None:
    sample = converted("cnn.keras", "layers")

    async def go() -> None:
        async with ArtifactRuntime(RuntimeId("artifact", "float32"), sample.artifact, executor=executor) as runtime:
            await runtime.run(sample.feeds(), ["digits"])

    with pytest.raises(UsageError, match=r"no point 'digits'(.|\n)*digit"):
        asyncio.run(go())


def test_what_is_not_fed_is_named(converted: Any, executor: ThreadPoolExecutor) -> None:
    sample = converted("cnn.keras", "layers")

    async def go() -> None:
        async with ArtifactRuntime(RuntimeId("artifact", "float32"), sample.artifact, executor=executor) as runtime:
            await runtime.run({}, ["digit"])

    with pytest.raises(RuntimeFailedError, match="must feed a value for placeholder"):
        asyncio.run(go())
