"""An output that fails without any source is told with what its error is made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pycheck.comparison import measure, summarize
from pycheck.diagnosis.converted import without_refuted
from pycheck.diagnosis.linking import linked
from pycheck.diagnosis.operations import diagnose_trace
from pycheck.gate import ToleranceOptions, assess
from pycheck.types import (
    NATIVE_FLOAT64,
    Array,
    Comparison,
    Effect,
    Finding,
    OutputSplit,
    PointResult,
    RuntimeId,
    Severity,
    Trace,
    TracePoint,
)

PYTHON, WEBGL = RuntimeId("artifact", "float64"), RuntimeId("chromium", "webgl")
RIGHT = np.linspace(1.0, 2.0, 240).reshape(4, 60)
#: What the automatic tolerance allows one element where float32 is exact: 32 unit roundoffs of the largest.
LIMIT = 32 * 2.0**-24 * 2.0


def row(
    errs: float,
    *,
    value: Array = RIGHT,
    tensor: str = "p",
    candidate: RuntimeId = WEBGL,
    reference: RuntimeId = PYTHON,
    options: ToleranceOptions | None = None,
) -> Comparison:
    """One element off by so many times the limit; NaN where that is NaN."""
    given = value.copy()
    given[2, 3] += errs * LIMIT
    limits = (options or ToleranceOptions()).of(tensor)
    measured = measure(given, value, value, start=0, rtol=limits.rtol, atol=limits.atol)
    floor = measure(value, value, value, start=0)
    (assessed,) = assess(
        [
            summarize(
                measured,
                tensor=tensor,
                reference=reference,
                candidate=candidate,
                class_reference=reference,
                noise_floor=floor,
            )
        ],
        options=options,
    )
    return assessed


def output(errs: float, options: ToleranceOptions | None = None) -> Comparison:
    """Of the model, on WebGL."""
    return row(errs, tensor="y", reference=NATIVE_FLOAT64, options=options)


def step(name: str, read: str, inherited: float, own: float | None, role: str = "ok") -> TracePoint:
    result = PointResult(WEBGL, role, row(inherited), None if own is None else row(own))
    return TracePoint(name, "Pow", None, (read,), results=(result,))


def converted(point: TracePoint, inherited: float, own: float) -> TracePoint:
    return replace(point, conversion=PointResult(PYTHON, "passes-on", row(inherited), row(own)))


CHAIN = (
    step("a", "x", 0.9, 0.9),
    step("b", "a", 1.7, 0.8, "passes-on"),
    step("c", "b", 2.4, 0.02, "passes-on"),
)
MILD = (step("a", "x", 0.3, 0.3), step("b", "a", 0.6, 0.3))


def told(
    *points: TracePoint, failing: Comparison, conversion: float | None = 0.0, backend: float | None = None
) -> list[Finding]:
    """Findings of a trace whose last point gives the output y."""
    python = None if conversion is None else row(conversion, tensor="y", candidate=PYTHON, reference=NATIVE_FLOAT64)
    browser = () if backend is None else (row(backend, tensor="y"),)
    trace = Trace(4, 1, 1, points, (OutputSplit("y", python, browser),))
    findings = diagnose_trace(trace, (), [failing], {"y": points[-1].name})
    return [finding for finding in linked(findings) if finding.code == "accumulated-drift"]


def test_errors_that_add_up_are_told_with_the_first_beyond_its_limit_and_the_largest_of_their_own() -> None:
    (found,) = told(*CHAIN, failing=output(2.4), backend=2.4)
    assert (found.evidence["because"], found.evidence["first"]) == ("backend", "b")
    assert "b (Pow)" in found.summary and "1.7 times" in found.summary
    assert found.summary.endswith("a (Pow) 90 % and b (Pow) 80 %.")
    assert [c["point"] for c in found.evidence["contributions"]] == ["a", "b"]


def test_what_errs_alone_and_not_in_the_whole_run_is_not_denied() -> None:
    (found,) = told(step("a", "x", 0.4, 3.0, "latent"), *CHAIN[1:], failing=output(2.4), backend=2.4)
    assert "not in the whole run" in found.summary
    assert found.evidence["contributions"][0]["point"] == "a"


def test_what_conversion_adds_up_is_told_as_such_whatever_the_backend() -> None:
    points = [converted(p, *errs) for p, errs in zip(CHAIN, [(0.9, 0.9), (1.9, 0.7), (1.9, 0.0)], strict=True)]
    (found,) = told(*points, failing=output(2.4), conversion=1.9, backend=0.5)
    assert (found.evidence["because"], found.evidence["first"]) == ("conversion", "b")
    assert "in Python itself. b (Pow) is" in found.summary


def test_where_neither_half_fails_alone_both_are_told() -> None:
    (found,) = told(*MILD, failing=output(1.2), conversion=0.6, backend=0.6)
    assert found.evidence["because"] == "conversion-and-backend"
    assert "60 %" in found.summary and "chromium:webgl 60 %" in found.summary


def test_an_output_that_fails_by_the_tolerance_that_was_given_alone_is_told_so() -> None:
    options = ToleranceOptions(atol={"y": 1e-9})
    (found,) = told(*MILD, failing=output(0.6, options), backend=0.6)
    assert found.evidence["because"] == "given-tolerance"
    assert "given tolerance (atol 1e-9)" in found.summary and "60 %" in found.summary


def test_an_output_that_passes_on_what_was_traced_is_told_so() -> None:
    (found,) = told(*MILD, failing=output(3.0), backend=0.6)
    assert found.evidence["because"] == "not-reproduced"
    assert "4 traced samples (chromium:webgl 60 % of its limit)" in found.summary


def test_a_value_within_its_tolerance_that_decides_between_a_number_and_none_is_told_as_a_jump() -> None:
    points = (step("a", "x", 0.5, 0.5), step("b", "a", np.nan, 0.0, "passes-on"))
    (found,) = told(*points, failing=output(np.nan), backend=np.nan)
    assert (found.evidence["because"], found.evidence["first"]) == ("jump", "b")
    assert "at b (Pow), NaN instead of" in found.summary


@pytest.mark.parametrize("at", [0, 1, 2])
def test_nothing_is_told_where_a_source_explains_it(at: int) -> None:
    points = list(CHAIN)
    points[at] = replace(points[at], results=(replace(points[at].results[0], role="source"),))
    assert told(*points, failing=output(2.4), backend=2.4) == []


def test_an_operation_whose_nan_python_computes_in_two_ways_is_told_as_that() -> None:
    either = replace(CHAIN[0], results=(replace(CHAIN[0].results[0], undecided=1),))
    (found,) = told(either, *CHAIN[1:], failing=output(np.nan))
    assert found.evidence["because"] == "kernels"
    assert "In Python, TensorFlow Lite's kernels differ in NaN or infinity at a (Pow)" in found.summary
    (finite,) = told(either, *CHAIN[1:], failing=output(2.4), backend=2.4)
    assert finite.evidence["because"] != "kernels"


def test_nothing_is_told_of_a_runtime_that_ended_before_the_output() -> None:
    points = (*CHAIN[:2], replace(CHAIN[2], results=()))
    assert told(*points, failing=output(2.4)) == []


def unseen(point: TracePoint, *reads: str) -> TracePoint:
    return replace(point, results=(), skipped="its value is too large", inputs=reads or point.inputs)


def test_what_was_not_traced_before_the_first_point_beyond_its_limit_is_the_suspect() -> None:
    (found,) = told(unseen(CHAIN[0]), *CHAIN[1:], failing=output(2.4), backend=2.4)
    assert (found.evidence["because"], found.evidence["first"]) == ("untraced", "b")
    assert found.evidence["suspects"] == ["a"]
    assert "a (Pow)" in found.summary and "its value is too large" in found.summary
    assert "pass" not in found.summary and "add up" not in found.summary
    assert "a" in found.advice


def test_suspects_reach_back_to_the_nearest_points_that_were_compared() -> None:
    points = (
        step("early", "x", 0.2, 0.2),
        unseen(step("lost", "early", 0.0, 0.0)),
        unseen(step("gone", "lost", 0.0, 0.0), "lost", "early"),
        step("b", "gone", 1.7, 0.8, "passes-on"),
        step("c", "b", 2.4, 0.02, "passes-on"),
    )
    (found,) = told(*points, failing=output(2.4), backend=2.4)
    assert found.evidence["suspects"] == ["gone", "lost"]


def test_what_was_not_run_alone_behind_a_suspect_is_one_too() -> None:
    points = (unseen(CHAIN[0]), step("b", "a", 1.7, None, "passes-on"), CHAIN[2])
    (found,) = told(*points, failing=output(2.4), backend=2.4)
    assert found.evidence["suspects"] == ["a", "b"]


def test_what_was_not_traced_before_points_that_pass_is_no_suspect() -> None:
    points = (unseen(step("zero", "x", 0.0, 0.0)), step("a", "zero", 0.9, 0.9), *CHAIN[1:])
    (found,) = told(*points, failing=output(2.4), backend=2.4)
    assert (found.evidence["because"], found.evidence["suspects"], found.evidence["skipped"]) == ("backend", [], 1)


def test_a_source_that_does_not_move_an_output_leaves_the_output_to_be_explained() -> None:
    faint = replace(CHAIN[0].results[0], role="source", effect=Effect("y", 0.01))
    (found,) = told(replace(CHAIN[0], results=(faint,)), *CHAIN[1:], failing=output(2.4), backend=2.4)
    assert found.evidence["because"] == "backend"


@pytest.mark.parametrize(
    ("conversion", "backend", "is_kept"), [(0.0, 2.0, False), (2.0, 2.0, True), (None, 2.0, True), (0.0, 0.5, True)]
)
def test_an_artifact_that_is_right_in_python_is_not_said_to_differ_from_its_model(
    conversion: float | None, backend: float, is_kept: bool
) -> None:
    python = None if conversion is None else row(conversion, tensor="y", candidate=PYTHON, reference=NATIVE_FLOAT64)
    trace = Trace(4, 1, 1, CHAIN, (OutputSplit("y", python, (row(backend, tensor="y"),)),))
    shared = Finding("conversion-drift", Severity.ERROR, "All err alike.", "", (WEBGL,), "y")
    drift = Finding("drift", Severity.ERROR, "It errs.", "", (WEBGL,), "y", explained_by=("conversion-drift", "drift"))
    kept = without_refuted([shared, drift, replace(shared, tensor="z")], trace)
    assert [(f.code, f.tensor) for f in kept if f.code == "conversion-drift"] == [
        *([("conversion-drift", "y")] if is_kept else []),
        ("conversion-drift", "z"),
    ]
    (symptom,) = (f for f in kept if f.code == "drift")
    assert symptom.explained_by == (("conversion-drift", "drift") if is_kept else ("drift",))
