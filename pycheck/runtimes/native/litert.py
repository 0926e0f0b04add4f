"""Runs a .tflite file in Python with TensorFlow Lite's interpreter."""

from __future__ import annotations

import asyncio
import platform
import time
import warnings
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from enum import StrEnum
from inspect import isawaitable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ...artifact.tflite import Port, TfliteModel, read_tflite, stateful_operations
from ...errors import InstallationError, RuntimeFailedError
from ...system.quiet import without_native_noise
from ...types import ARTIFACT_LITERT, Array, ArtifactInfo, Environment, RuntimeId, Tensors
from ..base import Runtime

T = TypeVar("T")


class Kernels(StrEnum):
    """The kernels of the interpreter: TensorFlow Lite's own, or XNNPACK's, which LiteRT.js has too."""

    BUILTIN = "built-in kernels"
    XNNPACK = "XNNPACK"


class TfliteInterpreter:
    """One file, ready to run; not thread-safe. RuntimeFailedError if the interpreter refuses it."""

    def __init__(self, file: Path, kernels: Kernels = Kernels.BUILTIN) -> None:
        self.model = read_tflite(file)
        self.notes = _notes(self.model)
        try:
            self._interpreter = _interpreter(str(file), kernels)
            with without_native_noise():
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise RuntimeFailedError(f"TensorFlow Lite cannot load {file}: {_one_line(error)}") from error

    def run(self, inputs: Tensors) -> dict[str, Array]:
        """Compute outputs from inputs, both by the names in the file.

        A batch that is a multiple of the file's is run in parts, as the page does. RuntimeFailedError: an operation
        fails, or an input does not fit.
        """
        shapes = {port.name: self._shape(port) for port in self.model.inputs}
        for name, shape in shapes.items():
            if name not in inputs or inputs[name].shape[1:] != shape[1:] or inputs[name].ndim != len(shape):
                given = list(inputs[name].shape) if name in inputs else "nothing"
                raise RuntimeFailedError(f"The file's input {name} has shape {list(shape)}, and {given} was given.")
        count = next((n for n in (_parts(inputs[name], shape) for name, shape in shapes.items()) if n != 1), 1)
        parts = [self._run_part(inputs, part, shapes) for part in range(count)]
        if count == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _run_part(self, inputs: Tensors, part: int, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
        tensors = self.model.tensors()
        try:
            if self.notes:
                self._interpreter.reset_all_variables()
            for port in self.model.inputs:
                value, shape = inputs[port.name], shapes[port.name]
                if value.shape != shape:
                    value = value[part * shape[0] : (part + 1) * shape[0]]
                self._interpreter.set_tensor(port.tensor, value.astype(tensors[port.tensor].dtype))
            with without_native_noise():
                self._interpreter.invoke()
            return {port.name: self._interpreter.get_tensor(port.tensor) for port in self.model.outputs}
        except (RuntimeError, ValueError) as error:
            raise RuntimeFailedError(f"TensorFlow Lite failed: {_one_line(error)}") from error

    def _shape(self, port: Port) -> tuple[int, ...]:
        return tuple(size or 1 for size in self.model.tensors()[port.tensor].shape)


class LitertRuntime(Runtime):
    """`artifact:litert`: a .tflite file in Python.

    `artifact` may not exist yet; `start` waits for it. All work runs in `executor`, the thread of TensorFlow.
    """

    def __init__(
        self,
        artifact: ArtifactInfo | Awaitable[ArtifactInfo],
        *,
        executor: Executor,
        kernels: Kernels = Kernels.BUILTIN,
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
        self.environment = _environment(self._kernels, self._loaded.notes)

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


def _interpreter(file: str, kernels: Kernels) -> Any:
    import tensorflow as tf

    if not hasattr(tf.lite, "Interpreter"):
        raise InstallationError(
            f"TensorFlow {tf.__version__} has no tf.lite.Interpreter.",
            'Install an older one: pip install "tensorflow<2.22"',
        )
    types = tf.lite.experimental.OpResolverType
    resolver = types.AUTO if kernels is Kernels.XNNPACK else types.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with warnings.catch_warnings(), without_native_noise():
        warnings.simplefilter("ignore")  # the class is deprecated in favor of the package ai_edge_litert
        return tf.lite.Interpreter(file, experimental_op_resolver_type=resolver)


def _environment(kernels: Kernels, notes: tuple[str, ...]) -> Environment:
    import tensorflow as tf

    return Environment(
        library=f"tensorflow {tf.__version__}",
        platform=f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}",
        backend=f"TensorFlow Lite, {kernels}",
        float_bits=32,
        notes=notes,
    )


def _notes(model: TfliteModel) -> tuple[str, ...]:
    found = stateful_operations(model)
    if not found:
        return ()
    return (f"{', '.join(found)}: keeps a state from run to run. Python resets it before each run, LiteRT.js cannot",)


def _parts(value: Array, shape: tuple[int, ...]) -> int:
    """Return how many parts of the file's batch a value has. RuntimeFailedError if they do not fit."""
    if value.shape == shape:
        return 1
    if not shape or value.shape[0] % shape[0]:
        raise RuntimeFailedError(f"{value.shape[0]} samples cannot be split into the file's batches of {shape[0]}.")
    return int(value.shape[0] // shape[0])


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
