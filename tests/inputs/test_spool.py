"""Samples that are collected one by one on disk, and read again in batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pycheck.errors import InputsFileError
from pycheck.inputs import Spool, sample_of
from pycheck.types import Signature, TensorSpec

IMAGE = Signature((TensorSpec("image", "float32", (None, 2, 3), has_sample_axis=True),), ())
TWO = Signature((*IMAGE.inputs, TensorSpec("words", "string", (None,), has_sample_axis=True)), ())


def test_chosen_samples_come_back_in_batches_with_names_and_types(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    values = np.arange(30, dtype=np.float32).reshape(5, 2, 3)
    for number in range(5):
        spool.add({"image": values[number], "count": np.array(number, np.int32)})
    image, count = spool.columns([0, 3, 4])
    assert (image.name, image.shape, count.dtype) == ("image", (3, 2, 3), np.int32)
    blocks = list(image.rows(2))
    assert [len(block) for block in blocks] == [2, 1]
    np.testing.assert_array_equal(np.concatenate(blocks), values[[0, 3, 4]])
    assert [block.tolist() for block in count.rows(3)] == [[0, 3, 4]]
    assert spool.digest([0, 1]) == spool.digest([0, 1]) != spool.digest([1, 0])


@pytest.mark.parametrize(
    ("second", "what"),
    [
        ({"image": np.zeros((2, 4), np.float32)}, "has shape"),
        ({"image": np.zeros((2, 3), np.float64)}, "is float64"),
        ({"other": np.zeros((2, 3), np.float32)}, "gives other"),
    ],
)
def test_a_sample_unlike_the_first_is_refused(tmp_path: Path, second: dict[str, np.ndarray], what: str) -> None:
    spool = Spool(tmp_path)
    spool.add({"image": np.zeros((2, 3), np.float32)})
    with pytest.raises(InputsFileError, match=what):
        spool.add(second)
    assert spool.count == 1


def test_an_axis_of_one_sample_in_front_is_removed() -> None:
    for value in (np.ones((2, 3)), np.ones((1, 2, 3)), [[[1, 1, 1], [1, 1, 1]]]):
        assert sample_of(value, IMAGE)[""].shape == (2, 3)
    named = sample_of({"image": np.ones((1, 2, 3)), "words": "hello"}, TWO)
    assert (named["image"].shape, named["words"].shape) == ((2, 3), ())


@pytest.mark.parametrize("value", [None, {"image": object()}, [[1, 2], [1]]])
def test_what_is_no_array_is_named(value: object) -> None:
    with pytest.raises(InputsFileError, match=r"no array|not an array"):
        sample_of(value, IMAGE)
