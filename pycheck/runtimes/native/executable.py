"""Executes a graph up to its points, and a model up to the points of its artifact, in Python in one precision."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from difflib import get_close_matches

from ...artifact import ArtifactGraph, Point
from ...errors import PycheckError, RuntimeFailedError, UsageError
from ...types import Array, RuntimeId


class Executable:
    """A graph in one precision that runs from any of its points to any others. It is not thread-safe.

    `graph` is the given graph, which the session does not need; `forget_weights` frees its weights.
    """

    def __init__(self, id: RuntimeId, graph: ArtifactGraph) -> None:
        from ...graphdef.large_constants import without_large_constants
        from ...graphdef.session import Session

        self.graph = graph
        self.notes = graph.notes
        self.in_float32: Mapping[str, tuple[str, ...]] = {}  # by point and output, see `behind_float32`
        self.alone_in_float32: frozenset[str] = frozenset()  # points whose own node runs in float32
        self._id = id
        points = {point.name: point.tensor for point in graph.points}
        light = without_large_constants(graph.graph_def, ())
        graph_def = light.graph_def
        if id.kind == "float64":
            from ...graphdef.float64.floors import behind_float32, ran_in_float32
            from ...graphdef.float64.promotion import to_float64

            graph_def, notes = to_float64(graph_def)
            self.notes = (*graph.notes, *notes)
            self.in_float32 = behind_float32(graph_def, {**points, **graph.outputs})
            self.alone_in_float32 = ran_in_float32(graph_def, points)
        self._session = Session(graph_def, {**points, **graph.outputs, **graph.inputs}, light.arrays(graph_def))

    def forget_weights(self) -> None:
        """Keep only the points of `graph`, and the names of its inputs and outputs."""
        self.graph = replace(self.graph, graph_def=None)

    def run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        """Compute `fetches` from `feeds` alone; both are names of points, inputs or outputs.

        RuntimeFailedError: an operation fails on these values, or an operand is not fed. UsageError: unknown name.
        """
        for name in (*feeds, *fetches):
            if name not in self._session.tensors:
                near = ", ".join(get_close_matches(name, self._session.tensors, n=3))
                raise UsageError(f"The artifact has no point {name!r}.", f"The nearest are: {near}." if near else "")
        try:
            return self._session.run(feeds, fetches)
        except Exception as error:
            from .model import explain

            shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in feeds.items())
            raise RuntimeFailedError(f"{self._id} failed on {shapes or 'nothing'}: {explain(error)}") from error

    def close(self) -> None:
        """Free the memory of TensorFlow."""
        self._session.close()


class ModelPoints:
    """`native:float64` or `native:float32` at points of an artifact.

    `graph_def` is the model's frozen graph; `inputs` and `tensors` map the artifact's names of its inputs and points
    to tensors of that graph.
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
        """Compute points from the inputs. RuntimeFailedError: the model cannot run on these."""
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
        """Free the memory of TensorFlow."""
        executable, self._executable = self._executable, None
        if executable:
            executable.close()
