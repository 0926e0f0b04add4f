"""A graph may name its nodes as it likes: pycheck's own nodes beside it take none of its names."""

from __future__ import annotations

import numpy as np
import pytest

from pycheck.artifact import ArtifactGraph
from pycheck.artifact.executable import GraphWeight, Point
from pycheck.model.tensorflow_import import import_tensorflow
from pycheck.runtimes.native.executable import Executable
from pycheck.types import RuntimeId

pytestmark = pytest.mark.real

#: Names that TensorFlow gives by itself to the operations that hold and scale the weights.
NAMES = ("Placeholder", "VarHandleOp", "ReadVariableOp", "AssignVariableOp", "mul", "unstack")
X = np.random.default_rng(0).normal(size=(3, 40)).astype(np.float32)
W = np.random.default_rng(1).normal(size=(40, 200)).astype(np.float32)


def _graph(input_name: str, output_name: str) -> ArtifactGraph:
    """x @ w + 1 of these names; the weight is large enough to stay outside of the graph."""
    tf = import_tensorflow()
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 40], name=input_name)
        w = tf.constant(W, name="w")
        tf.add(tf.matmul(x, w, name="product"), 1.0, name=output_name)
    points = (
        Point("product", "MatMul", (input_name,), None, "product:0", constant=False),
        Point(output_name, "AddV2", ("product",), None, f"{output_name}:0", constant=False),
    )
    return ArtifactGraph(
        graph_def=graph.as_graph_def(),
        inputs={"x": f"{input_name}:0"},
        outputs={"y": f"{output_name}:0"},
        points=points,
        weights=(GraphWeight("w", None, "w:0", W.shape),),
    )


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_a_graph_runs_in_python_whatever_its_nodes_are_called(name: str, kind: str) -> None:
    for graph in (_graph(name, "y"), _graph("x", name)):
        executable = Executable(RuntimeId("artifact", kind), graph)
        try:
            values = executable.run({"x": X}, ["y", "product"])
        finally:
            executable.close()
        np.testing.assert_allclose(values["y"], X @ W + 1.0, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(values["product"], X @ W, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_power_is_that_of_the_graph_whatever_its_nodes_are_called(name: str) -> None:
    import_tensorflow()
    from pycheck.artifact.sensitivity import SensitivitySession

    for graph in (_graph(name, "y"), _graph("x", name)):
        session = SensitivitySession(graph, ["y"])
        try:
            assert np.allclose(session.run({"x": X}, np.array([1.5]))["y"], X @ (1.5 * W) + 1.0, rtol=1e-4, atol=1e-4)
            session.differentiate()
            direction = np.ones((3, 200), np.float32)
            slope = session.project({"x": X}, "y", direction)["w:0"]
        finally:
            session.close()
        assert slope == pytest.approx(float((X @ W).sum()), rel=1e-3)
