"""The frozen graph: constants for variables, control flow kept, names mapped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.errors import ConversionError
from pycheck.model import Model, identify, load

pytestmark = pytest.mark.real


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
    class Remembers(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.total = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x: Any) -> Any:
            self.total.assign_add(keras.ops.sum(x))
            return x + self.total

    model = load(keras.Sequential([keras.Input((3,)), Remembers(name="remembers")]))
    with pytest.raises(ConversionError, match=r"changes its own variables when it predicts, at .*remembers"):
        model.frozen()


def test_a_function_that_stays_a_function_gathers_from_the_constant_that_its_variable_became(
    tf: Any, tmp_path: Path
) -> None:
    """Estimators were exported so: TensorFlow 2.19 freezes the variable and leaves a ResourceGather of it."""
    module = tf.Module()
    module.table = tf.Variable(np.arange(12.0).reshape(6, 2), dtype=tf.float32)
    look_up = tf.function(
        lambda ids: tf.gather(module.table, ids), experimental_attributes={"_noinline": True}, autograph=False
    )
    module.f = tf.function(
        lambda ids: {"rows": look_up(ids) + look_up(5 - ids)},
        input_signature=[tf.TensorSpec([None], tf.int32, name="ids")],
        autograph=False,
    )
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.f)
    model = load(identify(tmp_path / "m"))
    ids = np.array([0, 3, 5], np.int32)
    rows = module.table.numpy()
    np.testing.assert_array_equal(run(tf, model, ids=ids)["rows"], rows[ids] + rows[5 - ids])
