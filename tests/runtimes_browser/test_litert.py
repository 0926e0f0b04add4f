"""LiteRT.js computes what Python computes, and pycheck proves on which hardware it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pycheck.conversion import convert_litert
from pycheck.errors import RuntimeFailedError
from pycheck.model import load
from pycheck.runtimes.browser.host import BrowserHost
from pycheck.types import LITERT_KINDS, Array, ArtifactInfo, RuntimeId, Tensors

from ..conftest import more
from .conftest import Run, ready

pytestmark = pytest.mark.real

L = keras.layers


def dense() -> Any:
    x = keras.Input((8,), name="x")
    return keras.Model(x, L.Dense(3, name="logits")(L.Dense(16, activation="relu")(x)))


def two_inputs() -> Any:
    left, mask = keras.Input((6,), name="left"), keras.Input((4,), name="mask", dtype="bool")
    both = L.Concatenate()([left, keras.ops.cast(mask, "float32")])
    return keras.Model([left, mask], {"second": L.Dense(2)(both), "first": L.Dense(3, activation="sigmoid")(both)})


def embedding() -> Any:
    words = keras.Input((12,), dtype="int32", name="words")
    return keras.Model(words, L.Dense(2)(L.GlobalAveragePooling1D()(L.Embedding(50, 8, name="embedding")(words))))


def recurrent() -> Any:
    x = keras.Input((10, 4), name="x")
    return keras.Model(x, L.Dense(2)(L.LSTM(6)(x)))


def drawn(model: Any, samples: int) -> dict[str, Array]:
    random = np.random.default_rng(0)
    return {
        tensor.name: random.integers(0, 2, (samples, *tensor.shape[1:])).astype(tensor.dtype)
        if tensor.dtype in ("bool", "int32")
        else random.normal(size=(samples, *tensor.shape[1:])).astype("float32")
        for tensor in model.inputs
    }


def converted(model: Any, folder: Path, inputs: Tensors) -> ArtifactInfo:
    return convert_litert(load(model), folder / "artifact", {name: (1, *x.shape[1:]) for name, x in inputs.items()})


def started(host: BrowserHost, kind: str, artifact: ArtifactInfo) -> Any:
    return host.runtime(RuntimeId("chromium", kind), ready(artifact))


@pytest.mark.parametrize("kind", LITERT_KINDS)
@pytest.mark.parametrize("make", [two_inputs, *more(recurrent, dense, embedding)])
def test_a_model_gives_the_outputs_of_python_for_any_number_of_samples(
    make: Any, kind: str, run: Run[Any], host: BrowserHost, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(1)
    model = make()
    inputs = drawn(model, 3)
    artifact = converted(model, tmp_path, inputs)

    async def predict() -> Any:
        async with started(host, kind, artifact) as runtime:
            return await runtime.predict(inputs, samples=3), runtime.environment

    outputs, environment = run(predict())
    expected = load(model).predict(inputs)
    assert list(outputs) == list(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(outputs[name], value, atol=1e-5, rtol=0)
    assert environment.library == f"litert {host.harness.litert_version}"
    assert (environment.backend, environment.float_bits) == (kind, 32)
    assert (environment.renderer is not None) is (kind == "litert-webgpu")


def test_operations_that_webgpu_lacks_are_named_and_webassembly_lacks_none(
    run: Run[Any], host: BrowserHost, tmp_path: Path
) -> None:
    model = embedding()
    artifact = converted(model, tmp_path, drawn(model, 1))

    async def left(kind: str) -> Any:
        async with started(host, kind, artifact) as runtime:
            return runtime.environment.left_to_cpu

    assert [line.split(":")[0] for line in run(left("litert-webgpu"))] == ["GATHER"]
    assert run(left("litert-wasm")) == ()


def test_a_model_that_webgpu_would_run_on_the_cpu_as_a_whole_fails(
    run: Run[Any], host: BrowserHost, tmp_path: Path
) -> None:
    x = keras.Input((2, 2, 2, 2, 2), name="x")
    model = keras.Model(x, L.Lambda(lambda t: tf.transpose(t, [0, 5, 4, 3, 2, 1]), output_shape=(2, 2, 2, 2, 2))(x))
    inputs = drawn(model, 1)
    artifact = converted(model, tmp_path, inputs)

    async def predict(kind: str) -> Any:
        async with started(host, kind, artifact) as runtime:
            return await runtime.predict(inputs)

    with pytest.raises(RuntimeFailedError, match=r"no operation of this model on the GPU|on the CPU although"):
        run(predict("litert-webgpu"))
    (output,) = run(predict("litert-wasm")).values()
    np.testing.assert_array_equal(output, np.transpose(inputs["x"], [0, 5, 4, 3, 2, 1]))


def test_a_file_that_litert_cannot_read_fails_with_the_reason(run: Run[Any], host: BrowserHost, tmp_path: Path) -> None:
    model = dense()
    artifact = converted(model, tmp_path, drawn(model, 1))
    file = artifact.folder / artifact.model_file
    file.write_bytes(file.read_bytes()[:100])

    async def load_it() -> None:
        async with started(host, "litert-wasm", artifact):
            pass

    with pytest.raises(RuntimeFailedError, match="Failed to load model"):
        run(load_it())


def test_a_loop_that_computes_a_size_fails_on_webgpu_with_its_cause_and_runs_unrolled(
    run: Run[Any], host: BrowserHost, tmp_path: Path
) -> None:
    def steps(unroll: bool) -> Any:
        x = keras.Input((4, 3), name="x")
        return keras.Model(x, L.LSTM(2, return_sequences=True, unroll=unroll)(x))

    async def predict(model: Any, folder: Path) -> Tensors:
        inputs = drawn(model, 1)
        async with started(host, "litert-webgpu", converted(model, folder, inputs)) as runtime:
            return await runtime.predict(inputs)

    with pytest.raises(RuntimeFailedError, match=r"static-sized tensors.*tensor#\d+") as failed:
        run(predict(steps(False), tmp_path / "loop"))
    assert failed.value.message.count("static-sized") == 1 and "unroll=True" in failed.value.advice
    (outputs,) = run(predict(steps(True), tmp_path / "unrolled")).values()
    assert outputs.shape == (1, 4, 2)
