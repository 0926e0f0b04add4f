"""Sources come in the order of what they do to the outputs, whatever the graph has first."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pycheck.diagnosis.operations import diagnose_trace
from pycheck.errors import RuntimeFailedError
from pycheck.tracing.effects import Effects, largest_effect
from pycheck.tracing.measuring import Expected, compare_point
from pycheck.types import (
    Array,
    Comparison,
    Effect,
    NanPolicy,
    PointResult,
    RuntimeId,
    Severity,
    Trace,
    TracePoint,
    WorstElement,
)

from ..shared import session

WEBGL, WASM = RuntimeId("chromium", "webgl"), RuntimeId("chromium", "wasm")
VALUE = np.linspace(1.0, 2.0, 40).reshape(4, 10)


class Python:
    """Of one point, mid: low is a thousandth of it, high ten times that, other does not read it."""

    points = ()

    async def run(self, feeds: Mapping[str, Array], fetches: Sequence[str]) -> dict[str, Array]:
        mid = feeds.get("mid", VALUE)
        if np.isnan(mid).any():
            raise RuntimeFailedError("no such value")
        return {name: {"low": mid * 1e-3, "high": mid * 10.0, "other": VALUE}[name] for name in fetches}


def compare(name: str, value: Array, expected: Expected) -> Comparison:
    return compare_point(name, value, expected, WEBGL, precision_bits=32, nan=NanPolicy.FAIL)


def effect_of(
    value: Array, outputs: Sequence[str] = ("low", "high", "other"), dtype: str | None = "float32"
) -> Effect | None:
    right = asyncio.run(Python().run({}, outputs))
    expected = {name: Expected(v.astype(np.float32), v) for name, v in right.items()}
    effects = Effects(Python(), {}, {name: name for name in outputs}, expected)
    return asyncio.run(effects.of("mid", value, dtype, compare))


def test_an_effect_names_the_output_that_moves_and_by_how_much_of_its_limit() -> None:
    small, large = effect_of(VALUE * (1 + 1e-5)), effect_of(VALUE * (1 + 1e-3))
    assert small is not None and large is not None
    assert small.tensor in ("low", "high") and 1.0 < small.share < large.share


def test_an_error_that_reaches_no_output_has_no_share() -> None:
    found = effect_of(VALUE * 2, ["other"])
    assert found is not None and found.share == 0.0


def test_what_python_cannot_compute_has_no_effect_that_is_known() -> None:
    assert effect_of(VALUE * np.nan) is None


@pytest.mark.parametrize(
    ("value", "dtype", "is_known"),
    [(1002, "uint8", False), (-1, "uint32", False), (234, "uint8", True), (1002, "int64", True), (1002, None, True)],
)
def test_a_number_that_the_type_of_the_point_cannot_hold_has_no_effect_that_is_known(
    value: int, dtype: str | None, is_known: bool
) -> None:
    assert (effect_of(np.full((4, 10), value), dtype=dtype) is not None) is is_known


ELEMENT = WorstElement(0, (3,), 1.0, 2.0, "error")


def told(effect: Effect) -> str:
    (point,) = (source("a", None),)
    results = tuple(replace(result, effect=effect, element=ELEMENT) for result in point.results)
    (finding,) = diagnose_trace(Trace(4, 1, 1, (replace(point, results=results),), ()), (), ())
    return finding.summary


def test_what_changes_the_shape_of_an_output_and_what_makes_it_infinite_are_told_apart() -> None:
    shape, infinite = effect_of(VALUE[:, :5], ["low"]), effect_of(np.where(VALUE < 1.5, VALUE, np.inf), ["high"])
    assert shape == Effect("low", math.inf, reshapes=True) and infinite == Effect("high", math.inf)
    assert told(shape).endswith(" changes the shape of low.")
    assert told(infinite).endswith(" changes which elements of high are finite.")


@pytest.mark.parametrize("exact", [np.int32, np.int64, np.bool_])
def test_whole_numbers_and_booleans_that_change_are_no_matter_of_what_is_finite(exact: type) -> None:
    right, wrong = np.array([0, 1, 1], exact), np.array([1, 1, 0], exact)
    reference = right.astype(np.float64)
    row = compare("kinds", wrong, Expected(right, reference))
    effect = largest_effect({"kinds": row})
    assert effect == Effect("kinds", math.inf, flips=True)
    assert "changes integers or booleans in kinds" in told(effect)
    same = largest_effect({"kinds": compare("kinds", right, Expected(right, reference))})
    assert same == Effect("kinds", 0.0)


def source(name: str, share: float | None, runtime: RuntimeId = WEBGL) -> TracePoint:
    row = compare(name, VALUE * 1.01, Expected(VALUE.astype(np.float32), VALUE))
    effect = None if share is None else Effect("y", share)
    return TracePoint(name, "MatMul", None, ("x",), results=(PointResult(runtime, "source", row, row, effect=effect),))


def test_sources_are_ordered_by_effect_and_those_of_none_that_is_known_come_last() -> None:
    points = (source("a", 0.02), source("b", None), source("c", 300.0), source("d", math.inf), source("e", 300.0))
    trace = Trace(4, 1, 1, points, ())
    assert [point.name for point, _ in trace.sources()] == ["d", "c", "e", "a", "b"]


def test_a_source_that_hardly_moves_an_output_is_no_error() -> None:
    points = (source("a", 0.02), source("b", None), source("c", 300.0))
    failed = compare("y", VALUE * 1.01, Expected(VALUE.astype(np.float32), VALUE))
    found = {f.tensor: f.severity for f in diagnose_trace(Trace(4, 1, 1, points, ()), (), [failed])}
    assert found == {"a": Severity.WARNING, "b": Severity.ERROR, "c": Severity.ERROR}


def faint_then_loud() -> tuple[Any, Any]:
    """Two operations cancel near 0 on WebGL: the first makes a millionth of the output, the second the rest."""
    import keras

    x = keras.Input((200,), name="x")
    faint = keras.layers.Rescaling(1e-6, name="faint")(keras.ops.log1p(x))
    loud = keras.layers.Rescaling(1.0, name="loud")(keras.ops.expm1(keras.layers.Rescaling(2.0, name="twice")(x)))
    model = keras.Model(x, keras.layers.Add(name="sum")([faint, loud]))
    return model, np.random.default_rng(0).uniform(1e-6, 1e-5, size=(8, 200)).astype(np.float32)


@pytest.mark.exhaustive
@pytest.mark.real
def test_the_culprit_of_a_real_model_comes_before_what_the_graph_has_first() -> None:
    model, inputs = faint_then_loud()
    report = session.trace(model, inputs, runtimes=[str(WEBGL)], cache=False, timeout_s=120.0)
    assert report.trace is not None
    ops = [point.op for point in report.trace.points if point.op in ("Log1p", "Expm1")]
    assert ops == ["Log1p", "Expm1"]
    assert [point.op for point, _ in report.trace.sources()] == ["Expm1", "Log1p"]
    severities = [f.severity for f in report.findings if "ran_alone" in f.evidence]
    assert severities == [Severity.ERROR, Severity.WARNING]
