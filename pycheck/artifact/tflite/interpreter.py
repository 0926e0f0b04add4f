"""Runs a .tflite file with TensorFlow Lite's interpreter."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ArtifactFileError, InstallationError, RuntimeFailedError
from ...system.quiet import without_native_noise
from ...types import Array, Tensors
from .checks import state_notes
from .model import Port, TfliteModel, read_tflite


class Kernels(StrEnum):
    """The kernels of the interpreter.

    XNNPACK: what `tf.lite.Interpreter` uses by default, and LiteRT.js on wasm. BUILTIN: TensorFlow Lite's own, which
    XNNPACK's faults do not touch; they turn infinity into the largest float32, and drop NaN in a maximum.
    """

    BUILTIN = "built-in kernels"
    XNNPACK = "XNNPACK"


class TfliteInterpreter:
    """One file, or one model in memory, ready to run; not thread-safe. ArtifactFileError if it is refused."""

    def __init__(self, file: Path | TfliteModel, kernels: Kernels = Kernels.XNNPACK) -> None:
        self.model = file if isinstance(file, TfliteModel) else read_tflite(file)
        self.notes = state_notes(self.model)
        given = {"model_content": file.to_bytes()} if isinstance(file, TfliteModel) else {"model_path": str(file)}
        try:
            self._interpreter = _interpreter(given, kernels)
            with without_native_noise():
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            name = "a part of the model" if isinstance(file, TfliteModel) else file
            raise ArtifactFileError(
                f"TensorFlow Lite cannot load {name}: {_one_line(error)}.",
                "Update TensorFlow if a newer version wrote the file, or convert the model again.",
            ) from error

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
        if numbers := [name for name, value in parts[0].items() if not value.ndim]:
            raise RuntimeFailedError(f"{numbers[0]} has no axis along which the results of {count} runs can be joined.")
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
            raise RuntimeFailedError(f"TensorFlow Lite failed: {_one_line(error)}.") from error

    def _shape(self, port: Port) -> tuple[int, ...]:
        return tuple(size or 1 for size in self.model.tensors()[port.tensor].shape)


def _interpreter(given: Mapping[str, Any], kernels: Kernels) -> Any:
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
        return tf.lite.Interpreter(**given, experimental_op_resolver_type=resolver)


def _parts(value: Array, shape: tuple[int, ...]) -> int:
    """Return how many parts of the file's batch a value has. RuntimeFailedError if they do not fit."""
    if value.shape == shape:
        return 1
    if not shape or value.shape[0] % shape[0]:
        raise RuntimeFailedError(f"{value.shape[0]} samples cannot be split into the file's batches of {shape[0]}.")
    return int(value.shape[0] // shape[0])


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
