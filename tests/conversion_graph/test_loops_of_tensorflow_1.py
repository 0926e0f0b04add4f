"""A loop of TensorFlow 1, a cycle in the graph, is refused by name; the same loop as a function is converted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pycheck.conversion import convert
from pycheck.errors import ConversionError
from pycheck.model import identify, load

pytestmark = pytest.mark.real


def saved(folder: Path, *, nested: bool) -> Path:
    """A SavedModel of TensorFlow 1 whose loop, and a loop inside of it, multiply by a variable."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 4), name="x")
        w = v1.get_variable("w", (4, 4), initializer=v1.ones_initializer(), use_resource=False)

        def once(value: tf.Tensor) -> tf.Tensor:
            return tf.tanh(tf.matmul(value, w))

        def twice(value: tf.Tensor) -> tf.Tensor:
            return v1.while_loop(lambda i, _: i < 2, lambda i, v: (i + 1, once(v)), [tf.constant(0), value])[1]

        body = twice if nested else once
        y = v1.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, body(v)), [tf.constant(0), x])[1]
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(folder), {"x": x}, {"y": y})
    return folder


@pytest.fixture(params=[False, True], ids=["one", "nested"])
def nested(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_it_is_refused_by_name(nested: bool, tmp_path: Path) -> None:
    import tensorflow as tf

    tf.compat.v1.disable_control_flow_v2()
    try:
        folder = saved(tmp_path / "saved", nested=nested)
    finally:
        tf.compat.v1.enable_control_flow_v2()
    model = load(identify(folder))
    x = np.full((2, 4), 0.1, np.float32)
    assert model.predict({"x": x})["y"].shape == (2, 4)
    with pytest.raises(ConversionError, match="TensorFlow 1 loop") as refused:
        convert(model, tmp_path / "artifact", format="graph")
    assert "enable_control_flow_v2" in refused.value.advice


def test_as_functions_it_is_converted(nested: bool, tmp_path: Path) -> None:
    import tensorflow as tf

    tf.compat.v1.enable_control_flow_v2()
    convert(load(identify(saved(tmp_path / "saved", nested=nested))), tmp_path / "artifact", format="graph")
    assert (tmp_path / "artifact" / "model.json").is_file()
