"""Every point of a graph artifact knows the Keras layer it came from, also where the converter merged several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pycheck.artifact import Point, read_artifact
from pycheck.conversion import convert
from pycheck.model import load
from pycheck.model.evidence import layers_of

pytestmark = pytest.mark.real


def _convolution(k: Any) -> Any:
    L = k.layers
    x = L.Input((8, 8, 3))
    y = L.ReLU(name="cut")(L.BatchNormalization(name="norm")(L.Conv2D(4, 3, use_bias=False, name="conv")(x)))
    y = L.ReLU(6.0, name="cut_6")(L.BatchNormalization(name="norm_6")(L.DepthwiseConv2D(3, name="deep")(y)))
    return k.Model(x, L.Dense(2, activation="relu", name="dense")(L.Flatten(name="flat")(y)))


def _attention(k: Any) -> Any:
    L = k.layers
    x = L.Input((6, 8))
    y = L.LayerNormalization(name="norm")(L.Add(name="sum")([x, L.MultiHeadAttention(2, 4, name="attention")(x, x)]))
    return k.Model(x, L.Dense(3, activation="gelu", name="dense")(y))


def _recurrent(k: Any) -> Any:
    L = k.layers
    x = L.Input((5, 3))
    y = L.Bidirectional(L.GRU(3, return_sequences=True), name="both")(L.LSTM(4, return_sequences=True, name="lstm")(x))
    return k.Model(x, L.Dense(2, name="dense")(y))


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[Any], Any]], tuple[Point, ...]]:
    """Of the converted model."""

    def read(make: Callable[[Any], Any]) -> tuple[Point, ...]:
        import keras

        built = make(keras)
        for weight in built.weights:  # what adds 0 or multiplies by 1 is optimized away
            weight.assign(np.full(weight.shape, 0.75, np.float32))
        model = load(built)
        folder = tmp_path_factory.mktemp("names") / "out"
        convert(model, folder, format="graph")
        return read_artifact(folder, layers=[layer.name for layer in layers_of(model.keras_model)]).points

    return read


def test_a_fused_node_names_the_last_layer_and_those_merged_into_it(points: Any) -> None:
    fused = {point.layer: point for point in points(_convolution) if "used" in point.op}
    assert {layer: point.merged for layer, point in fused.items()} == {
        "cut": ("conv", "norm"),
        "cut_6": ("deep", "norm_6"),
        "dense": (),
    }
    assert all(layer in point.name for layer, point in fused.items())
    assert [fused[layer].activation for layer in ("cut", "cut_6", "dense")] == ["relu", "relu6", "relu"]


@pytest.mark.parametrize(
    ("make", "layers"),
    [
        (_convolution, {"cut", "cut_6", "flat", "dense"}),
        (_attention, {"attention", "sum", "norm", "dense"}),
        (_recurrent, {"lstm", "both", "dense"}),
    ],
)
def test_every_point_but_an_output_handed_on_is_of_a_layer(make: Any, layers: set[str], points: Any) -> None:
    found = points(make)
    nameless = {point.name for point in found if point.layer is None}
    assert nameless <= {point.name for point in found if point.op == "Identity"}
    assert {point.layer for point in found} - {None} == layers


def test_a_loop_is_of_its_recurrent_layer(points: Any) -> None:
    loops = [point.layer for point in points(_recurrent) if "While" in point.op]
    assert loops == ["lstm", "both", "both"]


def test_what_first_shows_the_result_of_a_loop_in_numbers_names_the_loop(points: Any) -> None:
    found = points(_recurrent)
    loops = {point.name for point in found if "While" in point.op}
    shown = {loop: point.op for point in found for loop in point.loops}
    assert shown.keys() == loops
    assert set(shown.values()) == {"TensorListStack"}
