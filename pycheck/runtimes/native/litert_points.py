"""Runs a .tflite file in Python from any of its points to any others, with TensorFlow Lite."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from difflib import get_close_matches
from inspect import isawaitable

import numpy as np

from ...artifact import Point
from ...artifact.tflite import read_tflite
from ...artifact.tflite.interpreter import Kernels, TfliteInterpreter
from ...artifact.tflite.points import TfliteGraph, tflite_graph
from ...errors import RuntimeFailedError, UsageError
from ...types import ARTIFACT_LITERT, Array, ArtifactInfo, RuntimeId, Tensors
from ..base import Runtime
from .litert import litert_environment


class LitertPoints(Runtime):
    """`artifact:litert` with the values within the file, as `ArtifactRuntime` gives them of a TF.js model.

    The file has a fixed batch. A value for several batches consists of the values of all runs, joined along the first
    axis, whatever that axis is. No value has a type that LiteRT.js lacks: quantized ones are float32, booleans int32.
    `kernels` compute all values; only `run_with_others` uses the other ones.
    """

    in_float32: Mapping[str, tuple[str, ...]] = {}  # there is no float64 of which a part could be in float32
    alone_in_float32: frozenset[str] = frozenset()

    def __init__(
        self,
        artifact: ArtifactInfo | Awaitable[ArtifactInfo],
        *,
        executor: Executor,
        layers: Collection[str] = (),
        kernels: Kernels = Kernels.BUILTIN,
    ) -> None:
        self.id: RuntimeId = ARTIFACT_LITERT
        self.timings_s: dict[str, float] = {}
        self._artifact = artifact
        self._executor = executor
        self._layers = layers
        self._kernels = kernels
        self._graph: TfliteGraph | None = None

    async def start(self) -> None:
        """Wait for the file, and read it."""
        self._info = info = await self._artifact if isawaitable(self._artifact) else self._artifact
        began = time.perf_counter()
        model = await asyncio.to_thread(read_tflite, info.folder / info.model_file)
        self._graph = await asyncio.to_thread(tflite_graph, model, self._layers)
        self.timings_s["load_artifact"] = time.perf_counter() - began
        self.environment = litert_environment(self._kernels)

    @property
    def graph(self) -> TfliteGraph:
        """Return the file with its points."""
        if self._graph is None:
            raise RuntimeFailedError(f"{self.id} is not started.")
        return self._graph

    @property
    def points(self) -> tuple[Point, ...]:
        """Return the points, in the order in which they run."""
        return self.graph.points

    @property
    def quantized(self) -> frozenset[str]:
        """Return the points that are quantized, or read quantized weights."""
        return self.graph.quantized

    def point_of(self, output: str) -> str:
        """Return the point of an output of the file."""
        return self.graph.point_of(output)

    async def forget_weights(self) -> None:
        """Keep the weights, which every part of the file needs."""

    async def predict(self, inputs: Tensors) -> Tensors:
        """Compute outputs from inputs, both by the model's names."""
        info = self._info
        feeds = {artifact_name: inputs[name] for name, artifact_name in info.input_names.items()}
        values = await self.run(feeds, list(info.output_names.values()))
        return {name: values[artifact_name] for name, artifact_name in info.output_names.items()}

    async def run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        """Compute `fetches` from `feeds` alone; see `ArtifactRuntime.run`."""
        return await self._timed(feeds, fetches, self._kernels)

    async def run_with_others(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        """Compute as `run` does, with XNNPACK instead of the built-in kernels, or the other way round."""
        (others,) = set(Kernels) - {self._kernels}
        return await self._timed(feeds, fetches, others)

    async def _timed(self, feeds: Mapping[str, Array], fetches: Sequence[str], kernels: Kernels) -> dict[str, Array]:
        began = time.perf_counter()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, feeds, fetches, kernels)
        finally:
            self.timings_s["predict"] = self.timings_s.get("predict", 0.0) + time.perf_counter() - began

    def _run(self, feeds: Mapping[str, Array], fetches: Sequence[str], kernels: Kernels) -> dict[str, Array]:
        tensors = self.graph.tensors
        for name in (*feeds, *fetches):
            if name not in tensors:
                near = ", ".join(get_close_matches(name, tensors, n=3))
                raise UsageError(f"The artifact has no point {name!r}.", f"The nearest are: {near}." if near else "")
        wanted = [name for name in dict.fromkeys(fetches) if name not in feeds]
        values = {name: np.asarray(feeds[name]) for name in fetches if name in feeds}
        if wanted:
            try:
                part = self.graph.part(feeds, wanted)
            except ValueError as error:
                raise RuntimeFailedError(f"{self.id} cannot compute {', '.join(wanted)}: {error}.") from error
            values |= TfliteInterpreter(part, kernels).run({name: feeds[name] for name in feeds})
        return {name: values[name] for name in fetches}

    async def close(self) -> None:
        """Release the file."""
        self._graph = None
