from __future__ import annotations

import numpy as np
import pytest

from pycheck.inputs import altered, from_arrays
from pycheck.types import Signature, TensorSpec

SIGNATURE = Signature(
    (TensorSpec("a", "float32", (None, 2)), TensorSpec("ids", "int32", (None, 1))),
    (TensorSpec("y", "float32", (None, 2)),),
)
A = np.array([[1.0, -8.0], [np.nan, 3.0], [0.5, np.inf]], np.float32)
IDS = np.array([[1], [2], [3]], np.int32)


def test_a_factor_multiplies_one_input_and_leaves_its_type_and_the_others() -> None:
    inputs = from_arrays({"a": A, "ids": IDS}, SIGNATURE)
    (batch,) = altered(inputs, factors={"a": 0.5}, limits={}).batches(8)
    np.testing.assert_array_equal(batch.tensors["a"], A * np.float32(0.5))
    assert batch.tensors["a"].dtype == np.float32
    np.testing.assert_array_equal(batch.tensors["ids"], IDS)


def test_a_limit_bounds_the_magnitude_and_keeps_nan() -> None:
    inputs = from_arrays({"a": A, "ids": IDS}, SIGNATURE)
    (batch,) = altered(inputs, factors={}, limits={"a": 2.0}).batches(8)
    np.testing.assert_array_equal(batch.tensors["a"], np.float32([[1.0, -2.0], [np.nan, 2.0], [0.5, 2.0]]))


def test_changed_inputs_have_another_hash_and_may_be_read_again() -> None:
    inputs = from_arrays({"a": A, "ids": IDS}, SIGNATURE)
    halved, clipped = (
        altered(inputs, factors={"a": 0.5}, limits={}),
        altered(inputs, factors={}, limits={"a": 0.5}),
    )
    assert len({inputs.info.sha256, halved.info.sha256, clipped.info.sha256}) == 3
    assert [batch.size for batch in halved.batches(2)] == [batch.size for batch in halved.batches(2)] == [2, 1]


def test_an_input_that_is_not_there_cannot_be_changed() -> None:
    inputs = from_arrays({"a": A, "ids": IDS}, SIGNATURE)
    with pytest.raises(ValueError, match="no input b"):
        altered(inputs, factors={"b": 0.5}, limits={})
