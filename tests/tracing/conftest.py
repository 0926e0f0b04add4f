"""Real traces of small models in a real browser, each run once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pycheck.types import PointResult, Report, TracePoint

from ..shared import session

SAMPLES = Path(__file__).parents[2] / "models"
RUNTIMES = ("chromium:cpu", "chromium:wasm", "chromium:webgl")

Traced = Callable[..., Report]


def with_role(report: Report, role: str) -> list[tuple[TracePoint, PointResult]]:
    """Points and results of one role, in topological order."""
    assert report.trace is not None
    return [(point, result) for point in report.trace.points for result in point.results if result.role == role]


def points(report: Report) -> tuple[TracePoint, ...]:
    assert report.trace is not None
    return report.trace.points


@pytest.fixture(scope="session")
def traced() -> Traced:
    """Traces a model once for the same arguments."""

    @cache
    def run(model: Callable[[], Any], **options: Any) -> Report:
        built, inputs = model()
        return session.trace(built, inputs, **{"runtimes": RUNTIMES, "timeout_s": 120.0, "cache": False} | options)

    return run


def webgl_nan() -> tuple[Path, Path]:
    return SAMPLES / "webgl_nan.keras", SAMPLES / "webgl_nan_inputs.npy"


def healthy() -> tuple[Any, Any]:
    """Two inputs, a nested model that is called twice, a layer that is called twice, two outputs."""
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    inner_input = keras.Input((12, 12, 4), name="patch")
    inner = keras.Model(
        inner_input,
        layers.ReLU(name="cut")(layers.Conv2D(6, 3, padding="same", name="look")(inner_input)),
        name="inner",
    )
    left, right = keras.Input((12, 12, 4), name="left"), keras.Input((12, 12, 4), name="right")
    both = layers.Concatenate(name="both")([inner(left), inner(layers.AveragePooling2D(1, name="soft")(right))])
    dense = layers.Dense(12, activation="tanh", name="again")
    pooled = layers.GlobalAveragePooling2D(name="pool")(both)
    scores = layers.Dense(3, activation="softmax", name="scores")(dense(dense(pooled)))
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=(4, 12, 12, 4)).astype(np.float32) for name in ("left", "right")}
    return keras.Model([left, right], [scores, layers.Dense(2, name="size")(pooled)]), inputs


def two_sources() -> tuple[Any, Any]:
    """A relu of -Inf and a 0 / 0, neither of which feeds the other."""
    import keras

    layers = keras.layers
    x = keras.Input((200,), name="x")
    endless = layers.Rescaling(-1e30, name="endless")(layers.Rescaling(1e30, name="large")(x))
    nothing = layers.ReLU(name="nothing")(endless)
    ratio = keras.ops.divide(x, layers.Rescaling(2.0, name="twice")(x))
    y = layers.Concatenate(name="y")([layers.Rescaling(0.5, name="half")(nothing), layers.ReLU(name="kept")(ratio)])
    inputs = np.random.default_rng(0).uniform(0.5, 1.0, size=(4, 200)).astype(np.float32)
    inputs[2, 5] = 0.0
    return keras.Model(x, y), inputs
