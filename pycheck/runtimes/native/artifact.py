"""Runs the artifact itself in Python, in float32 and in true float64, as a whole or one point at a time."""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from inspect import isawaitable
from typing import TypeVar

from ...artifact import ArtifactGraph, Point, read_artifact
from ...errors import PycheckError, RuntimeFailedError
from ...system.memory import give_back, give_back_values
from ...tensors import parts
from ...types import Array, ArtifactInfo, Environment, RuntimeId, Tensors
from ..base import Runtime
from .executable import Executable

T = TypeVar("T")


class ArtifactRuntime(Runtime):
    """`artifact:float32` or `artifact:float64`: the artifact's graph, with weights decoded as TF.js decodes them.

    `artifact` may not exist yet; `start` waits for it. All work of TensorFlow runs in `executor`, on the CPU. No
    operation is merged with another one or computed in advance, so a value does not depend on the other points that
    are fetched. `layers` are the names of the model's Keras layers, if known (see `read_artifact`). `like` is a
    started runtime of the same artifact, which has read it.
    """

    def __init__(
        self,
        id: RuntimeId,
        artifact: ArtifactInfo | Awaitable[ArtifactInfo],
        *,
        executor: Executor,
        layers: Collection[str] = (),
        like: ArtifactRuntime | None = None,
    ) -> None:
        self.id = id
        self._like = like
        self.timings_s: dict[str, float] = {}
        self._artifact = artifact
        self._executor = executor
        self._layers = layers
        self._session: Executable | None = None

    async def start(self) -> None:
        """Wait for the artifact, read it, and probe the kernels."""
        self._info = await self._artifact if isawaitable(self._artifact) else self._artifact
        self._session = await self._timed("load_artifact", self._load)
        from ...graphdef.float64.floors import float32_notes

        session, names = self._session, self._info.output_names
        in_float32 = {name: session.in_float32[inner] for name, inner in names.items() if inner in session.in_float32}
        self.environment = await self._timed(
            "probe", lambda: _environment(self.id.kind, (*session.notes, *float32_notes(in_float32)), in_float32)
        )

    @property
    def graph(self) -> ArtifactGraph:
        """Return the graph of the artifact. Its `graph_def` is None after `forget_weights`."""
        return self._started().graph

    async def forget_weights(self) -> None:
        """Free the graph that was read, if no other runtime needs it; the session has its own weights."""
        self._started().forget_weights()
        self._like = None
        await asyncio.get_running_loop().run_in_executor(self._executor, give_back)

    @property
    def points(self) -> tuple[Point, ...]:
        """Return the artifact's points, in topological order."""
        return self._started().graph.points

    @property
    def quantized(self) -> frozenset[str]:
        """Return the points that read weights which are quantized in the artifact."""
        return self._started().graph.quantized

    @property
    def in_float32(self) -> Mapping[str, tuple[str, ...]]:
        """Return points that depend on operations that run in float32 within float64, with these operations."""
        return self._started().in_float32

    @property
    def alone_in_float32(self) -> frozenset[str]:
        """Return points that are the result of such an operation."""
        return self._started().alone_in_float32

    def point_of(self, output: str) -> str:
        """Return the point of an output of the artifact; its own name if it is an input that is returned unchanged."""
        return self._started().graph.point_of(output)

    async def predict(self, inputs: Tensors) -> Tensors:
        """Compute outputs from inputs, both by the model's names; complex outputs become parts."""
        info = self._info
        feeds = {artifact_name: inputs[name] for name, artifact_name in info.input_names.items()}
        values = await self.run(feeds, list(info.output_names.values()))
        return {name: parts(values[artifact_name]) for name, artifact_name in info.output_names.items()}

    async def run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        """Compute `fetches` from `feeds` alone.

        Args:
            feeds: Values by the name of a point, an input or an output of the artifact. Other values that `fetches`
                need are computed; operations before a fed point do not run.
            fetches: Names of points, inputs or outputs.

        Raises:
            RuntimeFailedError: an operation fails on these values, or an operand is not fed.
            UsageError: the artifact does not have a name.
        """
        session = self._started()
        step = "predict" if "first_predict" in self.timings_s else "first_predict"
        return await self._timed(step, lambda: session.run(feeds, fetches))

    async def close(self) -> None:
        """Release the graph."""
        session, self._session = self._session, None
        if session:
            session.close()

    def _started(self) -> Executable:
        if self._session is None:
            raise RuntimeFailedError(f"{self.id} is not started.")
        return self._session

    def _load(self) -> Executable:
        if self._like:
            graph = self._like.graph
        else:
            graph = read_artifact(self._info.folder / self._info.model_file, layers=self._layers)
        try:
            return Executable(self.id, graph)
        except PycheckError:
            raise
        except Exception as error:
            from .model import explain

            raise RuntimeFailedError(f"{self.id} cannot load this artifact: {explain(error)}") from error

    async def _timed(self, step: str, work: Callable[[], T]) -> T:
        begin = time.perf_counter()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            freed = give_back if step == "load_artifact" else give_back_values
            await asyncio.get_running_loop().run_in_executor(self._executor, freed)
            self.timings_s[step] = self.timings_s.get(step, 0.0) + time.perf_counter() - begin


def _environment(kind: str, notes: tuple[str, ...], in_float32: Mapping[str, tuple[str, ...]]) -> Environment:
    import tensorflow as tf

    from .model import probe_denormals, probe_float_bits

    dtype = tf.as_dtype(kind)
    return Environment(
        library=f"tensorflow {tf.__version__}",
        platform=f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}",
        float_bits=probe_float_bits(dtype),
        denormals=probe_denormals(dtype),
        in_float32=in_float32,
        notes=notes,
    )
