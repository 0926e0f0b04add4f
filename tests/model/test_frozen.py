"""The frozen graph: constants for variables, control flow kept, names mapped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pycheck.errors import ConversionError
from pycheck.model import Model, load


def run(tf: Any, model: Model, **tensors: np.ndarray) -> dict[str, np.ndarray]:
    """The frozen graph in a bare session."""
    frozen = model.frozen()
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        tf.import_graph_def(frozen.graph_def, name="")
        return session.run(dict(frozen.outputs), {frozen.inputs[name]: value for name, value in tensors.items()})


def test_it_computes_what_the_model_computes(keras: Any, tf: Any) -> None:
    zebra, ant = keras.Input((3,), name="zebra"), keras.Input((3,), name="ant")
    outputs = {"z": keras.layers.Dense(2)(zebra), "a": keras.layers.Dense(4)(ant)}
    model = load(keras.Model([zebra, ant], outputs))
    tensors = {"zebra": np.ones((2, 3), np.float32), "ant": np.full((2, 3), 2, np.float32)}
    expected, given = model.predict(tensors), run(tf, model, **tensors)
    assert given.keys() == expected.keys()
    for name in expected:
        np.testing.assert_allclose(given[name], expected[name], rtol=1e-6)


def test_it_has_no_variables_and_keeps_loops_whole(keras: Any) -> None:
    model = load(keras.Sequential([keras.Input((7, 3)), keras.layers.LSTM(4)]))
    ops = {node.op for node in model.frozen().graph_def.node}
    assert "While" in ops
    assert not ops & {"ReadVariableOp", "VarHandleOp", "Enter", "Switch"}


def test_it_is_made_once(keras: Any) -> None:
    model = load(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]))
    assert model.frozen() is model.frozen()


def test_lookup_tables_are_in_it_and_may_be_used_again_and_again(keras: Any, tf: Any) -> None:
    lookup = keras.layers.IntegerLookup(vocabulary=[30, 50], name="found")
    model = load(keras.Sequential([keras.Input((3,), dtype="int64", name="x"), lookup]))
    x = np.array([[30, 50, 7]], np.int64)
    for _ in range(2):
        np.testing.assert_array_equal(run(tf, model, x=x)["found"], [[1, 2, 0]])
    assert list(model.frozen().inputs) == ["x"]


def test_state_that_is_no_constant_is_named(keras: Any, tf: Any) -> None:
    table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.5)

    class Learns(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            table.insert(tf.cast(x[:, 0], tf.int64), x[:, 0])
            return x + tf.cast(table.size(), tf.float32)

    model = load(keras.Sequential([keras.Input((3,)), Learns(name="learns")]))
    with pytest.raises(ConversionError, match=r"changes its lookup table when it predicts, at .*LookupTableInsertV2"):
        model.frozen()
    assert model.input_hints == {}


def test_a_model_that_changes_its_variables_is_refused_with_the_place(keras: Any) -> None:
    layer = keras.layers.LSTM(3, stateful=True, name="remembers")
    model = load(keras.Sequential([keras.Input(batch_shape=(2, 4, 3)), layer]))
    with pytest.raises(ConversionError, match=r"changes its own variables when it predicts, at .*remembers"):
        model.frozen()
