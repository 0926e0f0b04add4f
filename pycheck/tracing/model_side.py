"""Puts the model beside its artifact: which points both have, and who computes them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from ..runtimes.artifact import ArtifactRuntime
from ..runtimes.model_points import ModelPoints
from ..types import NATIVE_FLOAT32, NATIVE_FLOAT64, Array, ArtifactInfo
from .conversion import Sides
from .measuring import ARTIFACT_FLOAT32, ARTIFACT_FLOAT64
from .pairing import pair_layers, pair_nodes

if TYPE_CHECKING:
    from ..model import Model


async def start_sides(
    model: Model,
    artifact: ArtifactInfo,
    single: ArtifactRuntime,
    double: ArtifactRuntime | None,
    feeds: Mapping[str, Array],
    *,
    executor: Executor,
    stack: AsyncExitStack,
) -> Sides:
    """Both sides, started, to be closed with the stack; in float64 where that runs, else in float32.

    `feeds` are the artifact's inputs. ConversionError for a model that cannot become a graph of constants.
    """

    def read() -> tuple[object, dict[str, str], dict[str, str]]:
        frozen = model.frozen()
        if artifact.format == "layers":
            pairs = pair_layers(single.points, model.layer_tensors)
        else:
            pairs = pair_nodes(single.points, frozen.graph_def, model.layer_tensors)
        inputs = {artifact.input_names[name]: tensor for name, tensor in frozen.inputs.items()}
        for name, tensor in frozen.outputs.items():
            pairs.setdefault(single.point_of(artifact.output_names[name]), tensor)
        known = {point.name for point in single.points}
        return frozen.graph_def, inputs, {name: tensor for name, tensor in pairs.items() if name in known}

    graph_def, inputs, pairs = await asyncio.get_running_loop().run_in_executor(executor, read)
    ids = (NATIVE_FLOAT64, ARTIFACT_FLOAT64) if double else (NATIVE_FLOAT32, ARTIFACT_FLOAT32)
    points = ModelPoints(ids[0], graph_def, inputs, pairs, executor=executor)
    stack.push_async_callback(points.close)
    return Sides(
        model=points,
        artifact=double or single,
        single=single,
        model_id=ids[0],
        artifact_id=ids[1],
        points=single.points,
        paired=frozenset(pairs),
        outputs=frozenset(map(single.point_of, artifact.output_names.values())),
        feeds=feeds,
    )
