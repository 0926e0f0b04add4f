"""Sizes of free dimensions: for one input, for all, and what cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from pycheck.errors import UsageError
from pycheck.inputs import asked_sizes, free_inputs
from pycheck.types import Signature, TensorSpec

MODEL = Signature(
    (
        TensorSpec("image", "uint8", (None, None, None, 3)),
        TensorSpec("audio", "float32", (None, None)),
        TensorSpec("fixed", "float32", (None, 12)),
        TensorSpec("wave", "float32", (None,), has_sample_axis=False),
    ),
    (),
)


@pytest.mark.parametrize(
    ("asked", "sizes"),
    [
        ({}, {}),
        ({"audio": (16000,)}, {"audio": (16000,)}),
        ({"image": (224, 160)}, {"image": (224, 160)}),
        ({"image": (224,)}, {"image": (224, 224)}),
        ({None: (96,)}, {"image": (96, 96), "audio": (96,), "wave": (96,)}),
        ({None: (96, 64)}, {"image": (96, 64)}),
        ({None: (96,), "audio": (5,)}, {"audio": (5,), "image": (96, 96), "wave": (96,)}),
    ],
)
def test_sizes_are_of_one_input_or_of_all_that_have_free_dimensions(asked: Any, sizes: Any) -> None:
    assert asked_sizes(MODEL, asked) == sizes


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"fixed": (12,)}, r"--size fixed:12: .*'fixed'.*\(samples, 12\)"),
        ({"audio": (1, 2)}, r"--size audio:1x2: .*'audio'.* 1 free dimension.*(?s:.)*Give --size audio:1$"),
        ({"image": (1, 2, 3)}, "has 2 free dimensions"),
        ({"audoi": (1,)}, "(?s)names the input 'audoi'.*Did you mean 'audio'"),
        ({None: (1, 2, 3)}, "--size 1x2x3: no input has 3 free dimensions"),
    ],
)
def test_a_size_that_no_input_can_have_is_refused_with_the_way_out(asked: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        asked_sizes(MODEL, asked)


def test_a_model_of_fixed_sizes_takes_none() -> None:
    fixed = Signature((TensorSpec("x", "float32", (None, 12)),), ())
    with pytest.raises(UsageError, match=r"--size 3: .* x \(samples, 12\)"):
        asked_sizes(fixed, {None: (3,)})
    assert free_inputs(fixed) == {} and free_inputs(MODEL) == {"image": 2, "audio": 1, "wave": 1}
