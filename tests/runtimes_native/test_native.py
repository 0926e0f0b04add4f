"""The native runtimes: what they give, what they say of themselves, how they fail."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.errors import RuntimeFailedError
from pycheck.model import Model, identify, load
from pycheck.runtimes.native.model import NativeRuntime
from pycheck.types import NATIVE_FLOAT32, NATIVE_FLOAT64, RuntimeId, Tensors

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def dense(keras: Any) -> Model:
    return load(keras.Sequential([keras.Input((3,), name="x"), keras.layers.Dense(2, name="y")]))


X = {"x": np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)}


def run(runtime: RuntimeId, model: Any, executor: Executor, *batches: Tensors) -> tuple[NativeRuntime, list[Tensors]]:
    async def go() -> tuple[NativeRuntime, list[Tensors]]:
        async with NativeRuntime(runtime, model, executor=executor) as native:
            return native, [await native.predict(batch) for batch in batches]

    return asyncio.run(go())


def test_float32_gives_exactly_what_the_model_gives_in_a_function(dense: Model, executor: Executor, tf: Any) -> None:
    _, (outputs,) = run(NATIVE_FLOAT32, dense, executor, X)
    expected = tf.function(lambda x: dense.keras_model(x, training=False))(X["x"]).numpy()
    assert outputs["y"].dtype == np.float32
    np.testing.assert_array_equal(outputs["y"], expected)


def test_float64_gives_float64(dense: Model, executor: Executor) -> None:
    _, (outputs,) = run(NATIVE_FLOAT64, dense, executor, X)
    kernel, bias = (np.asarray(w, np.float64) for w in dense.keras_model.get_weights())
    assert outputs["y"].dtype == np.float64
    np.testing.assert_allclose(outputs["y"], X["x"].astype(float) @ kernel + bias, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize(("runtime", "bits"), [(NATIVE_FLOAT32, 32), (NATIVE_FLOAT64, 64)])
def test_the_environment_says_what_was_probed(
    dense: Model, executor: Executor, tf: Any, runtime: RuntimeId, bits: int
) -> None:
    environment = run(runtime, dense, executor)[0].environment
    assert environment.library == f"tensorflow {tf.__version__}"
    assert environment.platform and environment.platform.startswith("CPython 3.")
    assert environment.float_bits == bits
    assert environment.denormals in ("kept", "flushed")
    assert environment.epsilon == 1e-7


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_the_environment_names_the_keras_that_runs_a_file_and_what_float64_lacked(
    tf_keras: Any, executor: Executor, tmp_path: Path
) -> None:
    tf_keras.Sequential([tf_keras.layers.BatchNormalization(input_shape=(2, 2, 3))]).save(tmp_path / "m.h5")
    environment = run(NATIVE_FLOAT64, load(identify(tmp_path / "m.h5")), executor)[0].environment
    assert environment.notes[0] == f"written by Keras {tf_keras.__version__}, run by tf_keras {tf_keras.__version__}"
    assert "FusedBatchNormV3" in environment.notes[1]


def test_each_step_has_its_time(dense: Model, executor: Executor) -> None:
    native, _ = run(NATIVE_FLOAT64, dense, executor, X, X)
    assert native.timings_s.keys() == {
        "import_tensorflow",
        "load_model",
        "make_float64",
        "probe",
        "first_predict",
        "predict",
    }
    assert all(seconds >= 0 for seconds in native.timings_s.values())


def test_a_model_that_is_still_loading_is_waited_for(dense: Model, executor: Executor) -> None:
    async def loading() -> Model:
        await asyncio.sleep(0.01)
        return dense

    _, (outputs,) = run(NATIVE_FLOAT32, loading(), executor, X)
    assert outputs["y"].shape == (4, 2)


def test_all_work_happens_in_the_executors_thread(dense: Model, executor: Executor) -> None:
    threads: list[str] = []

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(dense, name)

        def predict(self, tensors: Tensors) -> Tensors:
            threads.append(threading.current_thread().name)
            return dense.predict(tensors)

    run(NATIVE_FLOAT32, Watched(), executor, X)
    assert threads == [executor.submit(lambda: threading.current_thread().name).result()]


@pytest.mark.parametrize("runtime", [NATIVE_FLOAT32, NATIVE_FLOAT64])
def test_a_failure_names_the_operation_and_the_shapes_without_a_traceback(
    keras: Any, tf: Any, executor: Executor, runtime: RuntimeId
) -> None:
    x = keras.Input((None,), name="x")
    model = load(keras.Model(x, keras.layers.Lambda(lambda t: tf.reshape(t, (-1, 7)), name="fold")(x)))
    with pytest.raises(RuntimeFailedError) as caught:
        run(runtime, model, executor, X)
    assert f"{runtime} failed on x [4, 3]" in caught.value.message
    assert "fold" in caught.value.message
    assert "multiple of 7" in caught.value.message
    assert "Traceback" not in str(caught.value) and "File " not in str(caught.value)
    assert caught.value.exit_code == 3


def test_float64_of_a_model_with_other_state_fails_and_float32_does_not(
    keras: Any, tf: Any, executor: Executor
) -> None:
    table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.5)

    class Recall(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x + tf.cast(table.size(), tf.float32)

    model = load(keras.Sequential([keras.Input((3,), name="x"), Recall()]))
    run(NATIVE_FLOAT32, model, executor, X)
    with pytest.raises(RuntimeFailedError, match=r"lookup table .* cannot become a constant"):
        run(NATIVE_FLOAT64, model, executor, X)


def test_closing_twice_is_safe_and_predicting_afterwards_is_an_error(dense: Model, executor: Executor) -> None:
    async def go() -> None:
        native = NativeRuntime(NATIVE_FLOAT32, dense, executor=executor)
        await native.start()
        await native.close()
        await native.close()
        with pytest.raises(RuntimeFailedError, match="is not started"):
            await native.predict(X)

    asyncio.run(go())
