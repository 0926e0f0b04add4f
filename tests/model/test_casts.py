"""Numbers that an integer type cannot hold are found where the model casts them, by the outputs that depend on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pycheck.model import load
from pycheck.model.casts import casts_inside
from pycheck.model.graph import freeze
from pycheck.workflow.casts import out_of_range_casts

pytestmark = pytest.mark.real


def casting(keras: Any, target: str, source: str = "float32") -> Any:
    """Two outputs, the first of which is behind a cast."""
    x = keras.Input((3,), dtype=source, name="x")
    cast = keras.layers.Identity(name="a")(keras.ops.cast(keras.ops.cast(x, target), "float32"))
    return keras.Model(x, [cast, keras.layers.Identity(name="b")(keras.ops.cast(x, "float32"))])


@pytest.mark.parametrize(
    ("target", "value", "count", "undefined"),
    [
        ("uint8", 255.9, 0, False),
        ("uint8", -0.9, 0, False),
        ("uint8", 256.0, 1, True),
        ("uint8", -1.0, 1, True),
        ("int8", -128.9, 0, False),
        ("int8", 128.0, 1, True),
        ("int16", 32768.0, 1, True),
        ("uint16", 65535.0, 0, False),
        ("int32", 2147483520.0, 0, False),
        ("int32", 2147483648.0, 1, True),
        ("int32", np.nan, 1, True),
        ("int32", -np.inf, 1, True),
        ("uint32", 3e9, 1, False),
        ("int64", 3e9, 1, False),
        ("int64", 1e19, 1, True),
    ],
)
def test_a_cast_of_floats_fits_or_has_no_result(
    keras: Any, target: str, value: float, count: int, undefined: bool
) -> None:
    model = load(casting(keras, target))
    found = out_of_range_casts(model, {"x": np.array([[0.0, 1.0, value]], np.float32)})
    assert len(found) == count
    for cast in found:
        assert (cast.dtype, cast.count, cast.element_count, cast.undefined) == (target, 1, 3, undefined)
        assert cast.outputs == (model.info.signature.outputs[0].name,)
        np.testing.assert_equal(cast.value, np.float32(value))


@pytest.mark.parametrize(("target", "count"), [("int8", 1), ("uint8", 1), ("int16", 0), ("int64", 0)])
def test_integers_that_are_cut_have_a_result_in_tensorflow_alone(keras: Any, target: str, count: int) -> None:
    found = out_of_range_casts(load(casting(keras, target, "int32")), {"x": np.array([[1, 2, 300]], np.int32)})
    assert [(cast.value, cast.undefined) for cast in found] == [(300.0, False)] * count


def masked(x: Any, cast: Any) -> Any:
    """Zero wherever the cast does not fit."""
    import keras

    return keras.ops.where(keras.ops.abs(x) < 200.0, cast, keras.ops.zeros_like(x))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "int64"])
@pytest.mark.parametrize(
    ("behind", "has_effect"),
    [
        (lambda x, cast: cast, True),
        (lambda x, cast: cast * cast, True),
        (lambda x, cast: x + 0.0 * cast, False),
        (masked, False),
        (lambda x, cast: 1.0 / (1.0 + masked(x, cast)), False),
    ],
    ids=["itself", "square", "times zero", "masked", "behind a mask"],
)
def test_only_outputs_that_change_with_what_does_not_fit_are_the_casts(
    keras: Any, dtype: str, behind: Callable[[Any, Any], Any], has_effect: bool
) -> None:
    x = keras.Input((3,), name="x")
    cast = keras.ops.cast(keras.ops.cast(x, dtype), "float32")
    outputs = [behind(x, cast), keras.ops.sum(cast, axis=-1)]
    model = load(keras.Model(x, [keras.layers.Identity(name=f"o{i}")(value) for i, value in enumerate(outputs)]))
    names = tuple(spec.name for spec in model.info.signature.outputs)
    (cast,) = out_of_range_casts(model, {"x": np.array([[0.0, 1.0, 1e20], [1.0, 2.0, 3.0]], np.float32)})
    assert cast.outputs == (names if has_effect else names[1:])


def test_where_other_numbers_make_the_model_fail_all_outputs_behind_are_the_casts(keras: Any) -> None:
    x = keras.Input((1,), name="x")
    row = keras.ops.take(keras.ops.ones((3, 2)), keras.ops.mod(keras.ops.cast(x, "int32"), 5), axis=0)
    model = load(keras.Model(x, row))
    (cast,) = out_of_range_casts(model, {"x": np.array([[3e9], [1.0]], np.float32)})
    assert cast.outputs == (model.info.signature.outputs[0].name,)


def test_casts_in_loops_and_branches_are_known_by_type_and_by_output() -> None:
    import tensorflow as tf

    def call(x: Any) -> Any:
        looped, chosen = tf.zeros_like(x), x
        for _ in tf.range(3):
            if tf.reduce_sum(looped) < 9.0:
                looped += tf.cast(tf.cast(x * 100.0, tf.uint8), tf.float32)
        if tf.reduce_sum(x) > 0.0:
            chosen = tf.cast(tf.cast(x, tf.int32), tf.float32)
        return {"looped": looped, "chosen": chosen, "outside": tf.cast(tf.cast(x, tf.int16), tf.float32)}

    function = tf.function(call, input_signature=[tf.TensorSpec((None, 3), tf.float32, name="x")])
    frozen = freeze(function.get_concrete_function(), ("x",), ("looped", "chosen", "outside"))
    assert casts_inside(frozen) == {"looped": ("uint8",), "chosen": ("int32",)}
