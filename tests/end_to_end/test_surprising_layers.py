"""The layers among the surprising kernels, in an artifact of the layers format: each is pinned to its layer.

As in test_surprising_kernels.py every output is one layer on one value, between others that hand values on, and what
the table says of WebGL was measured on SwiftShader.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.types import Finding

from ..shared import session

pytestmark = pytest.mark.real

NAN, INF = math.nan, math.inf
SAMPLES = 4
RUNTIMES = ("chromium:cpu", "chromium:wasm", "chromium:webgl", "chromium:webgl-f16")
#: Every other one is NaN.
BESIDE_NAN = "relu6_of_inf_beside_nan"


@dataclass(frozen=True)
class Row:
    """A layer, what it reads in every element, and the code of the finding at it on each of RUNTIMES."""

    value: float
    layer: Callable[[Any, str], Any]
    codes: tuple[str | None, str | None, str | None, str | None]


LOST_BY_WEBGL = (None, None, "infinity-mishandled", "infinity-mishandled")
CHANGED_BY_WEBGL = (None, None, "nonfinite-changed", None)
ROWS = {
    "relu_of_minus_inf": Row(-INF, lambda L, name: L.ReLU(name=name), LOST_BY_WEBGL),
    "relu6_of_nan": Row(NAN, lambda L, name: L.ReLU(max_value=6.0, name=name), (None, "nan-masked", None, None)),
    BESIDE_NAN: Row(
        INF,
        lambda L, name: L.ReLU(max_value=6.0, name=name),
        (None, "nan-masked", "nan-spread", "infinity-mishandled"),
    ),
    "elu_of_nan": Row(NAN, lambda L, name: L.ELU(name=name), CHANGED_BY_WEBGL),
    "softplus_of_nan": Row(NAN, lambda L, name: L.Activation("softplus", name=name), CHANGED_BY_WEBGL),
    "leaky_relu_of_inf": Row(INF, lambda L, name: L.LeakyReLU(negative_slope=0.2, name=name), LOST_BY_WEBGL),
    "leaky_relu_of_minus_inf": Row(-INF, lambda L, name: L.LeakyReLU(negative_slope=0.2, name=name), LOST_BY_WEBGL),
    "tanh_of_1e_8": Row(1e-8, lambda L, name: L.Activation("tanh", name=name), (None, None, "own-drift", None)),
    "seventy_thousand": Row(1e4, lambda L, name: L.Rescaling(7.0, name=name), (None, None, None, "f16-overflow")),
}
CODES = {name: row.codes for name, row in ROWS.items()} | {
    "max_pool": (None, "nan-spread", None, None),
    "softmax": ("nan-spread",) * 4,
}


@pytest.fixture(scope="module")
def report() -> pycheck.Report:
    """All layers in one model, on all runtimes, in one run, traced."""
    from keras import Input, Model
    from keras import layers as L

    given, outputs, inputs = [], [], {}

    def branch(name: str, layer: Any, value: Any) -> None:
        axes = tuple(range(value.ndim - 1, 0, -1))
        x = Input(value.shape[1:], name=f"in_{name}")
        before = L.Permute(axes, name=f"before_{name}")(x)
        given.append(x)
        outputs.append(L.Permute(axes, name=f"after_{name}")(layer(before)))
        inputs[f"in_{name}"] = value

    for name, row in ROWS.items():
        value = np.full((SAMPLES, 8, 32), row.value, np.float32)
        if name == BESIDE_NAN:
            value[:, ::2] = NAN
        branch(name, row.layer(L, name), value)
    windows = np.tile(np.float32([[NAN, 3], [1, 2]]), (SAMPLES, 16, 16))
    branch("max_pool", L.MaxPooling2D(name="max_pool"), windows[:, None])
    rows = np.tile(np.float32([[1], [NAN], [2]]), (SAMPLES, 1, 32))
    branch("softmax", L.Softmax(name="softmax"), rows)
    model = Model(given, outputs)
    return session.trace(
        model, inputs, runtimes=RUNTIMES, format="layers", flags={"WEBGL_CPU_FORWARD": False}, cache=False
    )


def _sources(report: pycheck.Report, runtime: str) -> list[Finding]:
    return [f for f in report.findings if runtime in map(str, f.runtimes) and "ran_alone" in f.evidence]


@pytest.mark.exhaustive
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", CODES)
def test_the_trace_pins_it_to_the_layer_and_says_why(report: pycheck.Report, name: str, runtime: str) -> None:
    found = {(f.layer, f.code) for f in _sources(report, runtime) if f.tensor == name}
    code = None if name == "softmax" and _python_spreads_too(report) else CODES[name][RUNTIMES.index(runtime)]
    assert found == ({(name, code)} if code else set())


@pytest.mark.exhaustive
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_stands_before_and_behind_a_layer_is_not_blamed(report: pycheck.Report, runtime: str) -> None:
    named = {f.layer or "" for f in _sources(report, runtime)}
    beyond = set()
    if runtime == "chromium:webgl-f16":  # whose half floats have no infinity on SwiftShader
        beyond = {f"before_{name}" for name, row in ROWS.items() if math.isinf(row.value)}
        beyond |= {"after_leaky_relu_of_inf", "after_leaky_relu_of_minus_inf", "after_seventy_thousand"}
    assert {name for name in named if name.startswith(("before_", "after_"))} <= beyond


@pytest.mark.exhaustive
def test_the_finding_shows_the_operand_that_caused_it(report: pycheck.Report) -> None:
    (found,) = (f for f in _sources(report, "chromium:webgl") if f.layer == "relu_of_minus_inf")
    assert list(found.evidence["operands"].values()) == [-INF]
    assert (found.evidence["sample"], math.isnan(found.evidence["given"])) == (0, True)


def _python_spreads_too(report: pycheck.Report) -> bool:
    """Whether TensorFlow's own softmax spoils the neighbours of a NaN, which depends on the processor."""
    (row, *_) = (c for c in report.comparisons if c.tensor == "after_softmax" and not c.is_noise_floor)
    return sum(row.nonfinite.counts[1]) == row.element_count
