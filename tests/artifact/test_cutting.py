"""An operation that is cut out of an artifact gives what it gives inside of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.artifact import Point, read_artifact
from pycheck.artifact.cut import Cut
from pycheck.artifact.cutting import cut_out
from pycheck.artifact.document import Document, read_document
from pycheck.errors import ArtifactFileError
from pycheck.graphdef.session import Session
from pycheck.runtimes.native.artifact import ArtifactRuntime
from pycheck.types import Array, RuntimeId

from .test_published import _nested, _published_graph, _published_layers, _sequential

pytestmark = pytest.mark.real

#: Together they have every kind of point: fused nodes, weights, loops, layers.
SAMPLES = [
    ("attention.keras", "graph"),
    ("cnn.keras", "layers"),
    ("keras2.h5", "graph"),
    ("recurrent.keras", "graph"),
    ("two_io.keras", "layers"),
]

Known = tuple[Document, tuple[Point, ...], dict[str, Array]]


@pytest.fixture
def known(converted: Any, executor: ThreadPoolExecutor) -> Callable[[str, str], Known]:
    """A sample's document, its points, and the value of each and of its inputs."""

    def run(name: str, artifact_format: str, quantize: str = "none") -> Known:
        sample = converted(name, artifact_format, quantize)

        async def go() -> Known:
            async with ArtifactRuntime(RuntimeId("artifact", "float32"), sample.artifact, executor=executor) as runtime:
                values = await runtime.run(sample.feeds(), [point.name for point in runtime.points])
                return read_document(sample.artifact.folder), runtime.points, {**sample.feeds(), **values}

        return asyncio.run(go())

    return run


def operands_of(point: Point, values: Mapping[str, Array]) -> dict[str, Array]:
    return {name: values[name] for name in point.inputs}


def run_cut(cut: Cut, operands: Mapping[str, Array], folder: Path) -> Array:
    """What Python gives for an operation that was cut out, from its files."""
    folder.mkdir()
    for name, content in cut.files().items():
        (folder / name).write_bytes(content)
    graph = read_artifact(folder)
    tensors = {**{point.name: point.tensor for point in graph.points}, **graph.outputs, **graph.inputs}
    session = Session(graph.graph_def, tensors)
    try:
        return session.run({cut.inputs[name]: value for name, value in operands.items()}, [cut.output])[cut.output]
    finally:
        session.close()


@pytest.mark.parametrize(("name", "artifact_format"), SAMPLES)
def test_every_operation_of_a_sample_gives_the_same_when_it_is_cut_out(
    name: str, artifact_format: str, known: Callable[..., Known], tmp_path: Path
) -> None:
    document, points, values = known(name, artifact_format)
    for number, point in enumerate(points):
        operands = operands_of(point, values)
        given = run_cut(cut_out(document, point, operands), operands, tmp_path / str(number))
        np.testing.assert_array_equal(given, values[point.name], err_msg=point.name)


@pytest.mark.parametrize("artifact_format", ["layers", "graph"])
def test_quantized_weights_stay_as_they_are(artifact_format: str, known: Callable[..., Known], tmp_path: Path) -> None:
    document, points, values = known("cnn.keras", artifact_format, "uint8")
    point = next(point for point in points if point.op in ("Conv2D", "_FusedConv2D"))
    operands = operands_of(point, values)
    cut = cut_out(document, point, operands)
    assert any("quantization" in entry for entry in cut.entries)
    assert len(cut.data) < sum(np.prod(entry["shape"]) * 4 for entry in cut.entries)
    np.testing.assert_array_equal(run_cut(cut, operands, tmp_path / "cut"), values[point.name])


def published(folder: Path, execute: Any, feeds: Mapping[str, Array]) -> Known:
    points, values = execute(folder, feeds)
    return read_document(folder), points, {**feeds, **values}


def _wrapped(k: Any) -> Any:
    x = k.Input((4, 3), name="x")
    h = k.layers.Bidirectional(k.layers.SimpleRNN(2, return_sequences=True), name="both")(x)
    return k.Model(x, k.layers.TimeDistributed(k.layers.Dense(3, activation="relu"), name="each")(h))


@pytest.mark.parametrize("make", [_nested, _wrapped, _sequential])
def test_layers_of_nested_models_and_layers_that_wrap_others_are_cut_out_with_their_weights(
    make: Any, tmp_path: Path, execute: Any
) -> None:
    import tf_keras

    model = make(tf_keras)
    model.set_weights([np.random.default_rng(1).normal(0.2, 0.3, w.shape) ** 2 for w in model.get_weights()])
    folder = _published_layers(model, tmp_path / "out")
    (port,) = read_document(folder).inputs
    x = np.random.default_rng(0).normal(size=(3, *model.input_shape[1:])).astype(np.float32)
    document, points, values = published(folder, execute, {port.tensor: x})
    for number, point in enumerate(points):
        operands = operands_of(point, values)
        given = run_cut(cut_out(document, point, operands), operands, tmp_path / str(number))
        np.testing.assert_array_equal(given, values[point.name], err_msg=point.name)


def test_a_layer_that_reads_a_mask_cannot_stand_alone(tmp_path: Path, execute: Any) -> None:
    import tf_keras

    ids = tf_keras.Input((7,), dtype="int32", name="ids")
    vectors = tf_keras.layers.Embedding(9, 4, mask_zero=True, name="table")(ids)
    model = tf_keras.Model(ids, tf_keras.layers.GlobalAveragePooling1D(name="mean")(vectors))
    folder = _published_layers(model, tmp_path / "out")
    document, points, values = published(folder, execute, {"ids": np.ones((2, 7), np.int32)})
    with pytest.raises(ArtifactFileError, match=r"mean \(GlobalAveragePooling1D\): .* mask of ids"):
        cut_out(document, points[-1], operands_of(points[-1], values))


@pytest.mark.parametrize("control_flow_v2", [False, True])
def test_a_loop_is_cut_out_with_all_that_is_inside(control_flow_v2: bool, tmp_path: Path, execute: Any) -> None:
    import tensorflow as tf

    def function(x: Any) -> dict[str, Any]:
        doubled = tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * 2.0 + 1.0), (0, tf.nn.relu(x)))[1]
        return {"answer": tf.nn.relu(doubled)}

    folder = _published_graph(
        function, [tf.TensorSpec([None, 4], tf.float32, name="x")], tmp_path / "out", control_flow_v2=control_flow_v2
    )
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    document, points, values = published(folder, execute, {"x:0": x})
    loop = next(point for point in points if point.op in ("while", "While", "StatelessWhile"))
    operands = operands_of(loop, values)
    given = run_cut(cut_out(document, loop, operands), operands, tmp_path / "cut")
    np.testing.assert_array_equal(given, values[loop.name])


def test_a_second_output_is_asked_for_by_its_number(tmp_path: Path, execute: Any) -> None:
    import tensorflow as tf

    folder = _published_graph(
        lambda x: {"low": tf.split(tf.nn.relu(x), 2, axis=1)[1]},
        [tf.TensorSpec([None, 4], tf.float32, name="x")],
        tmp_path / "out",
    )
    document, points, values = published(folder, execute, {"x:0": np.ones((2, 4), np.float32)})
    point = next(point for point in points if point.name.endswith(":1"))
    operands = operands_of(point, values)
    cut = cut_out(document, point, operands)
    assert cut.output == point.name
    np.testing.assert_array_equal(run_cut(cut, operands, tmp_path / "cut"), values[point.name])
