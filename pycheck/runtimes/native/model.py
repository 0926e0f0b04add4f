"""Runs the model in Python, in float32 as its author does and in true float64."""

from __future__ import annotations

import asyncio
import functools
import inspect
import platform
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import PycheckError, RuntimeFailedError
from ...system.memory import give_back, give_back_values
from ...tensors import parts
from ...types import Environment, RuntimeId, Tensors
from ..base import Runtime

if TYPE_CHECKING:
    from ...model import Model

T = TypeVar("T")

_NODE = re.compile(r"\{\{(?:function_)?node ([^}]+)\}\}")
_TF_NOISE = re.compile(r"\s*\[(?:\[.*|Op:[^\]]*\])\s*")


@dataclass(frozen=True, slots=True)
class _Function:
    """The function of a runtime, notes about it, and its outputs that depend on operations in float32."""

    predict: Callable[[Tensors], Tensors]
    notes: tuple[str, ...] = ()
    in_float32: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class NativeRuntime(Runtime):
    """`native:float32` or `native:float64`.

    `model` may still be loading; `start` waits for it. All work of TensorFlow runs in `executor`. `timings_s` has the
    seconds of each step, `predict` without the first. With `in_shapes` the model is traced again for the shapes of
    each batch, as Keras's own predict does.
    """

    def __init__(
        self, id: RuntimeId, model: Model | Awaitable[Model], *, executor: Executor, in_shapes: bool = False
    ) -> None:
        self.id = id
        self._by_shapes = in_shapes
        self._in_shapes: dict[tuple[tuple[int, ...], ...], _Function] = {}
        self.timings_s: dict[str, float] = {}
        self._model = model
        self._executor = executor
        self._predict: Callable[[Tensors], Tensors] | None = None

    async def start(self) -> None:
        """Wait for the model, make its function, and probe the kernels."""
        model = await self._model if inspect.isawaitable(self._model) else self._model
        self.timings_s.update(model.timings_s)
        step = "make_float64" if self.id.kind == "float64" else "make_float32"
        made = await self._timed(step, lambda: self._make_function(model))
        self._predict = self._in_shapes_of(model) if self._by_shapes else made.predict
        self.environment = await self._timed("probe", lambda: _environment(self.id.kind, model, made))

    async def predict(self, inputs: Tensors) -> Tensors:
        """Compute outputs in float32, or float64 for `native:float64`.

        Complex ones as parts, other types unchanged.
        """
        if self._predict is None:
            raise RuntimeFailedError(f"{self.id} is not started.")
        predict = self._predict
        step = "predict" if "first_predict" in self.timings_s else "first_predict"
        outputs = await self._timed(step, lambda: self._explained(predict, inputs))
        return {name: parts(value) for name, value in outputs.items()}

    async def close(self) -> None:
        """Release the model."""
        self._predict = None
        self._in_shapes.clear()

    def _in_shapes_of(self, model: Model) -> Callable[[Tensors], Tensors]:
        """Return a function that traces the model again for new shapes of inputs."""

        def predict(inputs: Tensors) -> Tensors:
            shapes = tuple(array.shape for array in inputs.values())
            if shapes not in self._in_shapes:
                self._in_shapes[shapes] = self._make_function(model.in_shapes(inputs))
            return self._in_shapes[shapes].predict(inputs)

        return predict

    def _make_function(self, model: Model) -> _Function:
        if self.id.kind == "float32":
            return _Function(model.predict)
        from ...graphdef.float64.floors import behind_float32, float32_notes
        from ...graphdef.float64.promotion import to_float64
        from ...graphdef.function import GraphFunction
        from ...graphdef.large_constants import without_large_constants

        try:
            frozen = model.frozen()
            light = without_large_constants(frozen.graph_def, frozen.outputs.values())
            graph_def, notes = to_float64(light.graph_def)
            in_float32 = behind_float32(graph_def, frozen.outputs)
            predict = GraphFunction(graph_def, frozen.inputs, frozen.outputs, light.arrays(graph_def))
            return _Function(predict, (*notes, *float32_notes(in_float32)), in_float32)
        except Exception as error:
            raise RuntimeFailedError(f"{self.id} cannot load this model: {explain(error)}") from error

    def _explained(self, predict: Callable[[Tensors], Tensors], inputs: Tensors) -> Tensors:
        try:
            return predict(inputs)
        except PycheckError:
            raise
        except Exception as error:
            shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in inputs.items())
            raise RuntimeFailedError(
                f"{self.id} failed on {shapes}: {explain(error)}",
                "The model fails in Python on these inputs. Change the inputs, or the model."
                if self.id.kind == "float32"
                else "",
            ) from error

    async def _timed(self, step: str, work: Callable[[], T]) -> T:
        def timed() -> T:
            begin = time.perf_counter()  # measured from here, because the thread may be busy before
            try:
                return work()
            finally:
                if step != "predict":
                    give_back()
                else:
                    give_back_values()
                self.timings_s[step] = self.timings_s.get(step, 0.0) + time.perf_counter() - begin

        return await asyncio.get_running_loop().run_in_executor(self._executor, timed)


def _environment(kind: str, model: Model, made: _Function) -> Environment:
    import tensorflow as tf

    gpus = [] if kind == "float64" else tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    dtype = tf.as_dtype(kind)
    return Environment(
        library=f"tensorflow {tf.__version__}",
        platform=f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}",
        renderer=", ".join(names) or None,
        float_bits=probe_float_bits(dtype),
        denormals=probe_denormals(dtype),
        epsilon=_epsilon(model.keras_model),
        in_float32=made.in_float32,
        notes=(*model.notes, *made.notes),
    )


def _epsilon(keras_model: Any) -> float | None:
    """Return the epsilon of the Keras that runs the model; in a SavedModel it is a constant."""
    if keras_model is None:
        return None
    if any(cls.__module__.startswith("tf_keras.") for cls in type(keras_model).__mro__):
        import tf_keras

        return float(tf_keras.backend.epsilon())
    import keras

    return float(keras.config.epsilon())


@functools.cache  # TensorFlow warns about functions that are created repeatedly
def probe_float_bits(dtype: Any) -> int:
    """Return the precision of an addition kernel: the p for which 1 + 2**-p becomes 1."""
    for bits, precision in ((64, 52), (32, 23), (16, 10)):
        if _run_kernel(lambda a, b: a + b, 1.0, 2.0**-precision, dtype) != 1.0:
            return bits
    return 8


@functools.cache
def probe_denormals(dtype: Any) -> str:
    """Tell whether a product below the smallest normal number of `dtype` is kept rather than flushed to zero."""
    import numpy as np

    smallest = float(np.finfo(dtype.as_numpy_dtype).tiny)
    return "kept" if _run_kernel(lambda a, b: a * b, smallest, 0.5, dtype) != 0.0 else "flushed"


def _run_kernel(operation: Callable[[Any, Any], Any], a: float, b: float, dtype: Any) -> float:
    import tensorflow as tf

    function = tf.function(operation, input_signature=[tf.TensorSpec([None], dtype)] * 2, autograph=False)
    return float(function(tf.constant([a] * 1024, dtype), tf.constant([b] * 1024, dtype)).numpy()[-1])


def explain(error: Exception) -> str:
    """Return TensorFlow's message in one line: the reason, and the operation (with its layer in the name)."""
    if isinstance(error, PycheckError):
        return error.message
    text = str(error)
    nodes = _NODE.findall(text)
    lines = [_TF_NOISE.sub("", line).strip() for line in text.splitlines()]
    candidates = [
        line
        for line in lines
        if line
        and not line.startswith(("Graph execution error", "Detected at node", "File ", "Traceback", "Stack trace"))
        and not line.startswith(("Original stack trace", "<", "^"))
    ]
    reason = _NODE.sub("", candidates[-1]).strip() if candidates else type(error).__name__
    return f"{reason} (in the operation {nodes[-1]})" if nodes else reason
