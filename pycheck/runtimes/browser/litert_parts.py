"""Returns values within a .tflite file from LiteRT.js, which runs only whole files: each part is a file of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from ...artifact.tflite.points import TfliteGraph
from ...errors import InputError, RuntimeFailedError, RuntimeTimeoutError
from ...types import Array, ArtifactInfo, Environment, RuntimeId, Tensors
from .page import BrowserRuntime, PointJob

_FILE = "part.tflite"


class LitertParts:
    """A page of LiteRT.js whose file has points, with the methods by which a trace asks `BrowserRuntime` for them.

    A context manager, which removes the files of the parts. All parts are loaded one after the other into the same
    page. `on_cpu` are points whose operation in isolation ran on the CPU although the runtime is WebGPU.
    """

    def __init__(self, page: BrowserRuntime, graph: TfliteGraph, artifact: ArtifactInfo) -> None:
        self.on_cpu: set[str] = set()
        self._page = page
        self._graph = graph
        self._artifact = artifact
        self._held: dict[str, Array] = {}

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="pycheck-parts-")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._folder.cleanup()

    @property
    def id(self) -> RuntimeId:
        """Return the runtime of the page."""
        return self._page.id

    @property
    def environment(self) -> Environment:
        """Return the environment of the page."""
        return self._page.environment

    @property
    def is_alive(self) -> bool:
        """Tell whether the page can run again after an error."""
        return self._page.is_alive

    async def whole(self, feeds: Mapping[str, Array]) -> Tensors:
        """Run the file as it is; return its outputs, by the names in the file."""
        inputs, outputs = self._artifact.inputs, self._artifact.outputs
        values, _ = await self._page.run_part(_named(self._artifact, inputs, outputs), feeds)
        return values

    async def run_jobs(
        self, feeds: Mapping[str, Array], jobs: Sequence[PointJob]
    ) -> list[dict[str, Array] | RuntimeFailedError | InputError]:
        """Run each job as a file of its own; see `BrowserRuntime.run_jobs`."""
        results: list[dict[str, Array] | RuntimeFailedError | InputError] = []
        for inputs, outputs in jobs:
            try:
                values, on_cpu = await self._run({name: feeds[name] for name in inputs}, outputs)
                results.append(values)
                if on_cpu and set(inputs) != set(self._artifact.inputs):
                    self.on_cpu.update(outputs)
            except (RuntimeFailedError, InputError) as error:
                if isinstance(error, RuntimeTimeoutError) or not self.is_alive:
                    raise
                results.append(error)
        return results

    async def hold(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> None:
        """Run the file with these points as its outputs, and keep the values for `take`; earlier ones are dropped."""
        self._held = {}
        self._held, _ = await self._run(feeds, fetches)

    async def take(self, names: Sequence[str]) -> dict[str, Array]:
        """Return values that `hold` kept, each once."""
        return {name: self._held.pop(name) for name in names}

    async def _run(self, feeds: Mapping[str, Array], fetches: Collection[str]) -> tuple[dict[str, Array], bool]:
        try:
            part = self._graph.part(feeds, fetches)
        except ValueError as error:
            raise RuntimeFailedError(f"Cannot compute {', '.join(fetches)}: {error}.") from error
        file = Path(self._folder.name, _FILE)
        file.write_bytes(part.to_bytes())
        inputs, outputs = ([port.name for port in side] for side in (part.inputs, part.outputs))
        info = replace(self._artifact, folder=file.parent, model_file=file.name)
        values, on_cpu = await self._page.run_part(
            _named(info, inputs, outputs), {name: feeds[name] for name in inputs}
        )
        return dict(values), on_cpu


def _named(info: ArtifactInfo, inputs: Sequence[str], outputs: Sequence[str]) -> ArtifactInfo:
    """Return a file whose inputs and outputs have the names of the file also for the model."""
    return replace(
        info,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        input_names={name: name for name in inputs},
        output_names={name: name for name in outputs},
    )
