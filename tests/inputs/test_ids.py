"""Inputs that name entries of tables: what they hold is gathered, and their size is no scale."""

from __future__ import annotations

import numpy as np
import pytest

from pycheck.errors import InputsFileError, RuntimeFailedError
from pycheck.inputs import from_arrays, refuse_ids
from pycheck.inputs.ids import found, together
from pycheck.inputs.scale import ScaleSketch
from pycheck.types import IdRange, InputHint, Signature, TensorSpec, Values

WHOLE = InputHint((Values("ids", "178 rows of e", None, 0, 178),))
COLUMNS = InputHint((Values("ids", "10 rows of a", (0,), 0, 10), Values("ids", "5 rows of b", (2,), 0, 5)))


def test_the_smallest_and_the_largest_number_come_with_their_samples_however_batches_are_cut() -> None:
    x = np.random.default_rng(0).integers(0, 178, (20, 6)).astype(np.float32)
    x[13, 2], x[7, 0] = 500, -3
    for size in (1, 3, 20):
        seen: tuple[IdRange, ...] = ()
        for start in range(0, 20, size):
            seen = together(seen, found("x", WHOLE, x[start : start + size], start))
        assert seen == (IdRange("x", None, 0, 178, "178 rows of e", -3.0, 500.0, 7, 13),)


def test_each_table_has_its_own_columns() -> None:
    x = np.array([[1, 99, 4], [9, -99, 0]], np.int32)
    assert [(ids.columns, ids.smallest, ids.largest) for ids in found("x", COLUMNS, x, 0)] == [
        ((0,), 1, 9),
        ((2,), 0, 4),
    ]


@pytest.mark.parametrize(
    ("below", "above", "ends"), [(True, True, (0, 177)), (False, True, (-3, 177)), (True, False, (0, 500))]
)
def test_numbers_that_the_model_keeps_within_the_table_are_not_outside(
    below: bool, above: bool, ends: tuple[int, int]
) -> None:
    kept = InputHint((Values("ids", "178 rows of e", None, 0, 178, any_below=below, any_above=above),))
    (ids,) = found("x", kept, np.array([[5, -3], [500, 7]], np.int32), 0)
    assert (ids.smallest, ids.largest) == ends


def test_entries_of_tables_have_no_scale() -> None:
    x = np.random.default_rng(0).uniform(0, 1, (30, 3)).astype(np.float32)
    x[:, 0] = np.arange(30) * 1000
    sketch = ScaleSketch.of(x, 0)
    assert sketch.summary("x", WHOLE) is None
    scale = sketch.summary("x", COLUMNS)
    assert scale is not None and scale.largest.index == scale.smallest.index == 1 and scale.largest.magnitude < 1
    assert sketch.summary("x", InputHint((Values("keys", "", None, keys=(1,)),))) is None
    assert sketch.summary("x", InputHint((Values("normal", "", mean=(0.0,), deviation=(1.0,)),))) == sketch.summary("x")


def test_a_number_that_tensorflow_refuses_is_named_with_its_table() -> None:
    x = np.full((4, 3), 5.0, np.float32)
    x[2, 1] = 178
    inputs = from_arrays(x, Signature((TensorSpec("x", "float32", (None, 3)),), ()))
    failure = RuntimeFailedError("native:float32 failed: indices[2,1] = 178 is not in [0, 178)")
    with pytest.raises(InputsFileError, match=r"'x' holds 178 in sample 2, .* 0 to 177"):
        refuse_ids(inputs, {"x": WHOLE}, failure)
    refuse_ids(inputs, {"x": WHOLE}, RuntimeFailedError("out of memory"))
    refuse_ids(inputs, {"x": InputHint((Values("ids", "", None, 0, 200),))}, failure)
