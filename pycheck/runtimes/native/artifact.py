"""Run the artifact itself in Python, in float32 and in true float64, whole or one point at a time."""

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
    """`artifact:float32` or `artifact:float64`: the artifact's graph, its weights decoded as TF.js decodes them.

    `artifact` may still be under way; `start` waits for it. All work of TensorFlow happens in
    `executor`, on the CPU, and no operation is merged with another or computed ahead, so that a
    value is the same whichever points are asked for beside it.
    `layers` are the names of the model's Keras layers, where they are known (see `read_artifact`).
    `like` is another runtime of the same artifact, started, which has read it.
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
        """Wait for the artifact, read it, and probe what the kernels do."""
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
        """Free the graph that was read, which no other runtime needs from now on; the session has its own weights."""
        self._started().forget_weights()
        self._like = None
        await asyncio.get_running_loop().run_in_executor(self._executor, give_back)

    @property
    def points(self) -> tuple[Point, ...]:
        """The artifact's points, in topological order."""
        return self._started().graph.points

    @property
    def quantized(self) -> frozenset[str]:
        """The points that read weights which the artifact keeps quantized."""
        return self._started().graph.quantized

    @property
    def in_float32(self) -> Mapping[str, tuple[str, ...]]:
        """Points whose value depends on operations that ran in float32 inside of float64, with these operations."""
        return self._started().in_float32

    @property
    def alone_in_float32(self) -> frozenset[str]:
        """Points that are the result of such an operation."""
        return self._started().alone_in_float32

    def point_of(self, output: str) -> str:
        """The point that an output of the artifact is; its own name where it is an input handed on."""
        return self._started().graph.point_of(output)

    async def predict(self, inputs: Tensors) -> Tensors:
        """Outputs by the model's names, complex ones as parts, for inputs by the model's names."""
        info = self._info
        feeds = {artifact_name: inputs[name] for name, artifact_name in info.input_names.items()}
        values = await self.run(feeds, list(info.output_names.values()))
        return {name: parts(values[artifact_name]) for name, artifact_name in info.output_names.items()}

    async def run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        """Values of `fetches`, computed from `feeds` alone.

        Args:
            feeds: Values by the name of a point, an input or an output of the artifact. Whatever `fetches`
                need and `feeds` do not give is computed; what lies behind a fed point is not.
            fetches: Names of points, inputs or outputs of the artifact.

        Raises:
            RuntimeFailedError: an operation fails on these values, or what it reads is not fed.
            UsageError: a name is none of the artifact's.
        """
        session = self._started()
        step = "predict" if "first_predict" in self.timings_s else "first_predict"
        return await self._timed(step, lambda: session.run(feeds, fetches))

    async def close(self) -> None:
        """Let go of the graph."""
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
