"""Numbers that an integer type cannot hold are found where the model casts them, by the outputs that depend on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pycheck.casts import out_of_range_casts
from pycheck.model import load

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
