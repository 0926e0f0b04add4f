"""Convolutions with strides beyond their kernel are right on wasm, whose own "same" padding is wrong there."""

from __future__ import annotations

import numpy as np
import pytest

from ..conftest import more
from ..shared import session

pytestmark = pytest.mark.real


@pytest.mark.parametrize("format", ["graph", *more("layers")])
def test_strides_beyond_the_kernel_are_right_on_wasm_and_no_kernel_is_called_broken(format: str) -> None:
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(0)
    x = keras.Input((9, 10, 4))
    rows = layers.Reshape((18, 20))(x)
    convolved = [
        layers.DepthwiseConv2D((3, 1), strides=2, padding="same", depth_multiplier=2)(x),
        layers.Conv2D(3, (1, 2), strides=3, padding="same", activation="relu")(x),
        layers.Conv2D(8, (1, 2), strides=3, padding="same", groups=4)(x),
        layers.Conv2D(3, 2, strides=3, padding="same")(x),
        layers.SeparableConv2D(3, 2, strides=4, padding="same")(x),
        layers.Conv1D(3, 2, strides=4, padding="same")(rows),
        layers.DepthwiseConv1D(2, strides=5, padding="same")(rows),
        layers.SeparableConv1D(3, 2, strides=7, padding="same", activation="tanh")(rows),
    ]
    model = keras.Model(x, [layers.Activation("linear", name=f"y{n}")(y) for n, y in enumerate(convolved)])
    inputs = np.random.default_rng(0).normal(size=(4, 9, 10, 4)).astype(np.float32)
    report = session.compare(model, inputs, format=format, runtimes=["chromium:cpu", "chromium:wasm"])
    assert report.passed, str(report)
    assert not [f for f in report.findings if f.code == "broken-kernel"]
    assert len([c for c in report.comparisons if c.candidate.kind == "wasm"]) == len(convolved)
    written = [note for note in report.artifact.notes if "padding" in note] if report.artifact else []
    assert written and not any("zeros only" in note or "returns only zeros" in note for note in written)
