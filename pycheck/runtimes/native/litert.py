"""Runs a .tflite file in Python with TensorFlow Lite's interpreter."""

from __future__ import annotations

import asyncio
import platform
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from inspect import isawaitable
from typing import TypeVar

from ...artifact.tflite.interpreter import Kernels, TfliteInterpreter
from ...errors import RuntimeFailedError
from ...types import ARTIFACT_LITERT, ArtifactInfo, Environment, RuntimeId, Tensors
from ..base import Runtime

T = TypeVar("T")


class LitertRuntime(Runtime):
    """`artifact:litert`: a .tflite file in Python.

    `artifact` may not exist yet; `start` waits for it. All work runs in `executor`, the thread of TensorFlow.
    """

    def __init__(
        self,
        artifact: ArtifactInfo | Awaitable[ArtifactInfo],
        *,
        executor: Executor,
        kernels: Kernels = Kernels.XNNPACK,
    ) -> None:
        self.id: RuntimeId = ARTIFACT_LITERT
        self.timings_s: dict[str, float] = {}
        self._artifact = artifact
        self._executor = executor
        self._kernels = kernels
        self._loaded: TfliteInterpreter | None = None

    async def start(self) -> None:
        """Wait for the file, and load it."""
        self._info = info = await self._artifact if isawaitable(self._artifact) else self._artifact
        file = info.folder / info.model_file
        self._loaded = await self._timed("load_artifact", lambda: TfliteInterpreter(file, self._kernels))
        self.environment = litert_environment(self._kernels, self._loaded.notes)

    async def predict(self, inputs: Tensors) -> Tensors:
        """Compute outputs from inputs, both by the model's names."""
        if self._loaded is None:
            raise RuntimeFailedError(f"{self.id} is not started.")
        loaded, info = self._loaded, self._info
        feeds = {artifact_name: inputs[name] for name, artifact_name in info.input_names.items()}
        step = "predict" if "first_predict" in self.timings_s else "first_predict"
        values = await self._timed(step, lambda: loaded.run(feeds))
        return {name: values[artifact_name] for name, artifact_name in info.output_names.items()}

    async def close(self) -> None:
        """Release the interpreter."""
        self._loaded = None

    async def _timed(self, step: str, work: Callable[[], T]) -> T:
        def timed() -> T:
            begin = time.perf_counter()  # measured from here, because the thread may be busy before
            try:
                return work()
            finally:
                self.timings_s[step] = self.timings_s.get(step, 0.0) + time.perf_counter() - begin

        return await asyncio.get_running_loop().run_in_executor(self._executor, timed)


def litert_environment(kernels: Kernels = Kernels.XNNPACK, notes: tuple[str, ...] = ()) -> Environment:
    """Describe TensorFlow Lite in Python."""
    import tensorflow as tf

    return Environment(
        library=f"tensorflow {tf.__version__}",
        platform=f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}",
        backend=f"TensorFlow Lite, {kernels}",
        float_bits=32,
        notes=notes,
    )
