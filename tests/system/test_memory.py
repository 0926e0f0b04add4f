"""The peak of the Python process: at most 1.2 GB and eight times the weights in float32, for all that runs in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pycheck.graphdef import session
from pycheck.graphdef.float64.promotion import to_float64
from pycheck.graphdef.function import GraphFunction
from pycheck.graphdef.large_constants import without_large_constants
from pycheck.model import load
from pycheck.system import memory
from pycheck.system.memory import give_back

pytestmark = pytest.mark.real

#: A model of 84 MB, converted and run in Python in all the ways in which a compare and a trace run it. Prints the
#: weights' size and the largest resident size that the process had, in bytes.
EVERYTHING = """
import asyncio, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import numpy as np
from pycheck.conversion import convert
from pycheck.system.memory import give_back
from pycheck.model import load
from pycheck.model.tensorflow_import import import_tensorflow
from pycheck.runtimes.native.artifact import ArtifactRuntime
from pycheck.runtimes.native.model import NativeRuntime
from pycheck.power.meter import Meter
from pycheck.types import Batch, RuntimeId

import_tensorflow()
import keras

layers = [keras.layers.Dense(2048, activation="tanh") for _ in range(5)]
keras_model = keras.Sequential([keras.Input((2048,), name="x"), *layers])
size = sum(4 * int(np.prod(weight.shape)) for weight in keras_model.weights)
thread = ThreadPoolExecutor(1)
inputs = {"x": np.random.default_rng(0).normal(size=(4, 2048)).astype("f4")}


async def ran(runtime):
    await runtime.start()
    outputs = await runtime.predict(inputs)
    assert all(np.isfinite(value).all() for value in outputs.values())
    return runtime


async def everything():
    model = load(keras_model)
    artifact = convert(model, Path(sys.argv[1]), format=sys.argv[2])
    give_back()
    kept = [await ran(NativeRuntime(RuntimeId("native", kind), model, executor=thread)) for kind in KINDS]
    single = await ran(ArtifactRuntime(RuntimeId("artifact", "float32"), artifact, executor=thread))
    double = await ran(ArtifactRuntime(RuntimeId("artifact", "float64"), artifact, executor=thread, like=single))
    for native in kept:  # power comes when these have ended
        await native.close()
    kept.clear()
    await single.close()
    await double.close()
    give_back()
    meter = Meter(artifact, Batch(0, 0, inputs, 4), (), fixed=False)
    rounds = meter.start_projecting()
    assert rounds
    rounds[0][0]()
    meter.perturb_some()
    meter.close()


KINDS = ("float32", "float64")
asyncio.run(everything())
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(size, int(peak.split()[1]) * 1024)
"""


@pytest.mark.exhaustive
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the largest resident size is read from /proc")
@pytest.mark.parametrize("format", [pytest.param("layers", marks=pytest.mark.exhaustive), "graph"])
def test_the_peak_stays_within_its_bound(tmp_path: Path, format: str) -> None:
    command = [sys.executable, "-c", EVERYTHING, str(tmp_path / "artifact"), format]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    weights, peak = map(int, done.stdout.split())
    assert weights > 80e6
    assert peak <= 1.2e9 + 8 * weights


def test_a_graph_without_its_large_constants_computes_the_same() -> None:
    import keras

    keras.utils.set_random_seed(0)
    inputs = keras.Input((40,), name="x")
    hidden = keras.layers.Dense(64, activation="tanh")(inputs)
    model = load(
        keras.Model(inputs, {"sum": keras.layers.Add()([hidden, hidden]), "y": keras.layers.Dense(30)(hidden)})
    )
    frozen = model.frozen()
    light = without_large_constants(frozen.graph_def, frozen.outputs.values())
    assert light.graph_def.ByteSize() < frozen.graph_def.ByteSize() / 4
    x = {"x": np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)}
    whole, notes = to_float64(frozen.graph_def)
    small, same_notes = to_float64(light.graph_def)
    expected = GraphFunction(whole, frozen.inputs, frozen.outputs)(x)
    given = GraphFunction(small, frozen.inputs, frozen.outputs, light.arrays(small))(x)
    assert notes == same_notes
    for name, value in expected.items():
        np.testing.assert_allclose(given[name], value, rtol=1e-14, atol=1e-15)
        assert given[name].dtype == np.float64


@pytest.mark.parametrize("count", [0, 1, 3])
def test_values_outside_of_a_graph_are_read_as_they_are(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    import tensorflow as tf

    monkeypatch.setattr(session, "_TOGETHER_BYTES", 100)  # the second of three goes in with the first
    values = [(f"w{number}:0", np.full((4, 4), number, np.float32)) for number in range(count)]
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [4], name="x")
        placed = [tf.compat.v1.placeholder(tf.float32, [4, 4], name=name.split(":")[0]) for name, _ in values]
        tf.add_n([tf.identity(x), *(tf.linalg.matvec(weight, x) for weight in placed)], name="y")
    running = session.Session(graph.as_graph_def(), {"x": "x:0", "y": "y:0"}, values)
    try:
        found = running.run({"x": np.ones(4, np.float32)}, ["y"])["y"]
    finally:
        running.close()
    assert found.tolist() == [1.0 + 4.0 * sum(range(count))] * 4


def test_memory_is_given_back_where_the_process_has_grown_or_cannot_say(monkeypatch: pytest.MonkeyPatch) -> None:
    collected: list[int] = []
    sizes = iter([500, 703, 705, 700, 763, 640, 703, 705, 641, None, 645, None, 645, 660])
    monkeypatch.setattr(memory, "_kept_bytes", 640 * 2**20)
    monkeypatch.setattr(memory, "_resident_bytes", lambda: None if (size := next(sizes)) is None else size * 2**20)
    monkeypatch.setattr(memory.gc, "collect", lambda: collected.append(len(collected)))
    counts = []
    for _ in range(10):
        give_back()
        counts.append(len(collected))
    # 500 and 703 are of TensorFlow; 705 (700 left), 763, 640, 703, 705 (641 left), unknown (645), unknown (645), 660
    assert counts == [0, 0, 1, 1, 1, 1, 2, 3, 4, 4]


#: Convolutions of which 16 samples take 400 MB together. Prints how much larger the process is after the model's own
#: predict, and how much larger it was at most.
PREDICT = """
from pathlib import Path
import numpy as np
from pycheck.system.memory import give_back
from pycheck.model import load
from pycheck.model.tensorflow_import import import_tensorflow

import_tensorflow()
import keras

layers = [keras.layers.Conv2D(32, 3, padding="same", activation="relu") for _ in range(12)]
model = load(keras.Sequential([keras.Input((128, 128, 3), name="x"), *layers, keras.layers.GlobalMaxPooling2D()]))
status = Path("/proc/self/status")


def resident(kind):
    line = next(line for line in status.read_text().splitlines() if line.startswith(kind))
    return int(line.split()[1]) / 1024


model.predict({"x": np.zeros((1, 128, 128, 3), "f4")})
own = model.own
give_back()
before = resident("VmRSS")
outputs = own({"x": np.random.default_rng(0).normal(size=(16, 128, 128, 3)).astype("f4")})
assert outputs[model.info.signature.outputs[0].name].shape == (16, 32)
give_back()
print(resident("VmRSS") - before, resident("VmHWM") - before)
"""


@pytest.mark.exhaustive
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the largest resident size is read from /proc")
def test_what_a_models_own_predict_takes_is_bounded_and_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", PREDICT], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    left, most = map(float, done.stdout.split())
    assert left < 100.0
    assert most < 500.0
