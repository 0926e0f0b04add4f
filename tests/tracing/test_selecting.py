"""Which points a trace looks at, by names that people type, and on which samples."""

from __future__ import annotations

import numpy as np
import pytest

from pycheck.artifact import Point
from pycheck.comparison import measure, summarize
from pycheck.errors import UsageError
from pycheck.gate import assess
from pycheck.tracing.selecting import of_layers, upstream, worst_samples
from pycheck.types import NATIVE_FLOAT32, NATIVE_FLOAT64, Comparison, RuntimeId


def point(name: str, layer: str | None, *inputs: str, merged: tuple[str, ...] = ()) -> Point:
    return Point(name, "Op", inputs, layer, f"{name}:0", False, merged=merged)


POINTS = (
    point("m/conv/Conv2D", "relu", "x", merged=("conv", "norm")),
    point("m/pool/MaxPool", "pool", "m/conv/Conv2D"),
    point("m/dense/MatMul", "dense", "m/pool/MaxPool"),
    point("m/dense/Softmax", "dense", "m/dense/MatMul"),
)


def chosen(*names: str) -> list[str]:
    return [p.name for p in of_layers(POINTS, names)]


def test_a_layer_is_all_of_its_points_and_what_they_read() -> None:
    assert chosen("dense") == ["m/pool/MaxPool", "m/dense/MatMul", "m/dense/Softmax"]


def test_a_node_is_chosen_by_its_name_and_a_layer_that_was_merged_into_another_by_its_own() -> None:
    assert chosen("m/dense/Softmax") == ["m/dense/MatMul", "m/dense/Softmax"]
    assert chosen("norm") == ["m/conv/Conv2D"]


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [("dens", "dense"), ("Pool", "pool"), ("nrom", "norm"), ("m/dense/Softmaxx", "m/dense/Softmax")],
)
def test_a_name_that_does_not_exist_gives_the_nearest_layers_and_nodes(typed: str, nearest: str) -> None:
    with pytest.raises(UsageError) as refused:
        chosen(typed)
    assert f"--layer {typed}: the artifact has no layer and no node of that name" in str(refused.value)
    said = str(refused.value).partition("The nearest: ")[2].rstrip(".").split(", ")
    assert nearest in said


def test_where_nothing_is_near_the_first_layers_are_named() -> None:
    with pytest.raises(UsageError, match="Its layers begin with conv, norm, relu, pool"):
        chosen("zzzzzz")


def test_what_a_failed_output_is_computed_from_is_all_before_it() -> None:
    assert [p.name for p in upstream(POINTS, ["m/dense/MatMul"])] == [p.name for p in POINTS[:3]]


def failed(*samples: int) -> Comparison:
    """An output of 40 samples of which these are wrong, the first most."""
    reference = np.ones((40, 3))
    given = reference.copy()
    for rank, sample in enumerate(samples):
        given[sample, 1] += 1.0 / (1 + rank)
    row = summarize(
        measure(given, reference, reference, start=0),
        tensor="y",
        reference=NATIVE_FLOAT64,
        candidate=RuntimeId("chromium", "webgl"),
        class_reference=NATIVE_FLOAT32,
        noise_floor=None,
    )
    return assess([row])[0]


def test_the_samples_are_those_that_failed_then_the_first_ones_in_the_order_of_the_input() -> None:
    assert worst_samples([failed(31, 17)], count=4, total=40) == (0, 1, 17, 31)
    assert worst_samples([failed(31, 17)], count=1, total=40) == (31,)
    assert worst_samples([], count=3, total=40) == (0, 1, 2)
