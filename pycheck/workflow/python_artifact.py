"""Runs the artifact of a run in Python: the first request starts it, and the end of the run closes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from ..types import ARTIFACT_FLOAT32, ARTIFACT_FLOAT64, ArtifactInfo
from .lazy_model import Source

if TYPE_CHECKING:
    from ..runtimes.native.artifact import ArtifactRuntime
    from ..tracing import TraceReferences


class PythonArtifact:
    """The artifact in float32, and also in float64; `layers` are the layers of a trace.

    `litert` returns the .tflite file of the run, if it has one.
    """

    def __init__(
        self,
        source: Source,
        layers: Collection[str],
        executor: Executor,
        litert: Callable[[], Awaitable[ArtifactInfo]],
    ) -> None:
        self._source = source
        self._layers = layers
        self._executor = executor
        self._litert = litert
        self._stack = AsyncExitStack()
        self._single: asyncio.Task[ArtifactRuntime] | None = None
        self._references: asyncio.Task[TraceReferences] | None = None
        self._lite: asyncio.Task[TraceReferences] | None = None

    async def close(self) -> None:
        """Close everything that was started."""
        for task in (self._references, self._single, self._lite):
            if task:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self._stack.aclose()

    def single(self) -> asyncio.Task[ArtifactRuntime]:
        """Return the artifact in float32; UsageError for a layer that it does not have."""
        self._single = self._single or asyncio.create_task(self._start_single())
        return self._single

    def references(self) -> asyncio.Task[TraceReferences]:
        """Return both, with artifact:float64, which needs so much memory that the power is measured first."""
        self._references = self._references or asyncio.create_task(self._start_references())
        return self._references

    def of_litert(self) -> asyncio.Task[TraceReferences]:
        """Return the .tflite file in TensorFlow Lite; UsageError for a layer that it does not have."""
        self._lite = self._lite or asyncio.create_task(self._start_litert())
        return self._lite

    async def _start_litert(self) -> TraceReferences:
        await self._source.tensorflow()
        from ..artifact.tflite.interpreter import Kernels
        from ..runtimes.native.litert_points import LitertPoints
        from ..tracing import TraceReferences, of_layers

        # A file that is MODEL has the values of the run. Beside a model, XNNPACK's faults are not those of the file.
        kernels = Kernels.XNNPACK if await self._source.is_artifact() else Kernels.BUILTIN
        layers = await self._source.layer_names()
        runtime = LitertPoints(await self._litert(), executor=self._executor, layers=layers, kernels=kernels)
        single = await self._stack.enter_async_context(runtime)
        of_layers(single.points, self._layers)  # raises for an unknown name
        return TraceReferences(single, None, None, self._executor)

    async def _start_single(self) -> ArtifactRuntime:
        artifact = await self._source.artifact()
        layers = await self._source.layer_names() if artifact.format == "graph" else ()
        await self._source.tensorflow()
        from ..tracing import of_layers

        runtime = self._source.artifact_runtime(ARTIFACT_FLOAT32, layers=layers)
        single = await self._stack.enter_async_context(runtime)  # which must run
        of_layers(single.points, self._layers)  # raises for an unknown name
        return single

    async def _start_references(self) -> TraceReferences:
        single = await self.single()
        from ..tracing import start_references

        beside = self._source.artifact_runtime(ARTIFACT_FLOAT64, like=single)
        return await start_references(single, beside, executor=self._executor, stack=self._stack)
