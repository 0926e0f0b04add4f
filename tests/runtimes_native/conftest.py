"""What the tests of the native runtimes share: TensorFlow, and a model's outputs in float32 and float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pycheck.model import Model, load
from pycheck.types import Array, Tensors


@dataclass(frozen=True)
class Both:
    """One model's outputs in both precisions, on the same inputs; single output models have `single`, `double`."""

    model: Model
    inputs: Tensors
    float32: Tensors
    float64: Tensors
    notes: tuple[str, ...]
    in_float32: Mapping[str, tuple[str, ...]]

    @property
    def x(self) -> Array:
        """The first input, in float64."""
        return np.asarray(next(iter(self.inputs.values())), np.float64)

    @property
    def single(self) -> Array:
        return next(iter(self.float32.values()))

    @property
    def double(self) -> Array:
        return next(iter(self.float64.values()))


@pytest.fixture(scope="session")
def keras() -> Any:
    from pycheck.model.tensorflow_import import import_tensorflow

    import_tensorflow()
    import keras

    return keras


@pytest.fixture(scope="session")
def tf_keras(keras: Any) -> Any:
    import tf_keras

    return tf_keras


@pytest.fixture(scope="session")
def tf(keras: Any) -> Any:
    import tensorflow

    return tensorflow


def random_inputs(model: Model, samples: int = 3, free_size: int = 6) -> Tensors:
    """Normal floats, and integers below 10, from a fixed seed."""
    generator = np.random.default_rng(5)
    tensors = {}
    for spec in model.info.signature.inputs:
        shape = [samples, *(free_size if size is None else size for size in spec.shape[1:])]
        drawn = generator.integers(0, 10, shape) if "int" in spec.dtype else generator.normal(size=shape)
        tensors[spec.name] = drawn.astype(spec.dtype)
    return tensors


def randomize(model: Any) -> None:
    """Give every float weight a value that no initializer gives: no zero biases, no unit variances."""
    generator = np.random.default_rng(6)
    for weight in model.weights:
        if "float32" in str(weight.dtype):
            drawn = generator.normal(0, 0.3, weight.shape)
            positive = any(word in weight.name for word in ("variance", "gamma", "scale"))
            weight.assign((np.abs(drawn) + 0.5 if positive else drawn).astype(np.float32))


@pytest.fixture(scope="session")
def both(keras: Any) -> Callable[..., Both]:
    """Load a Keras model and run it in both precisions."""
    from pycheck.graphdef.float64.floors import behind_float32
    from pycheck.graphdef.float64.promotion import to_float64
    from pycheck.graphdef.function import GraphFunction

    def run(keras_model: Any, inputs: Tensors | None = None, *, random_weights: bool = True) -> Both:
        if random_weights:
            randomize(keras_model)
        model = load(keras_model)
        inputs = random_inputs(model) if inputs is None else inputs
        frozen = model.frozen()
        graph_def, notes = to_float64(frozen.graph_def)
        double = GraphFunction(graph_def, frozen.inputs, frozen.outputs)(inputs)
        return Both(model, inputs, model.predict(inputs), double, notes, behind_float32(graph_def, frozen.outputs))

    return run


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool
