"""Run the model itself in Python up to tensors inside of it, for what an artifact has at the same places."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor

from ...artifact import ArtifactGraph, Point
from ...errors import PycheckError, RuntimeFailedError
from ...types import Array, RuntimeId
from .executable import Executable


class ModelPoints:
    """`native:float64` or `native:float32` at points of an artifact.

    `graph_def` is the model's frozen graph; `inputs` and `tensors` map the artifact's names of its inputs and of
    its points to tensors of that.
    """

    def __init__(
        self,
        id: RuntimeId,
        graph_def: object,
        inputs: Mapping[str, str],
        tensors: Mapping[str, str],
        *,
        executor: Executor,
    ) -> None:
        self.id = id
        points = tuple(Point(name, "", (), None, tensor, False) for name, tensor in tensors.items())
        self._graph = ArtifactGraph(graph_def, dict(inputs), {}, points)
        self._executor = executor
        self._executable: Executable | None = None

    async def run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        """Values of points, from values of the inputs. RuntimeFailedError: the model cannot be run like this."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, feeds, fetches)

    def _run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        if self._executable is None:
            try:
                self._executable = Executable(self.id, self._graph)
            except PycheckError:
                raise
            except Exception as error:
                from .model import explain

                raise RuntimeFailedError(f"{self.id} cannot load this model: {explain(error)}") from error
        return self._executable.run(feeds, fetches)

    async def close(self) -> None:
        """Free what TensorFlow holds."""
        executable, self._executable = self._executable, None
        if executable:
            executable.close()
