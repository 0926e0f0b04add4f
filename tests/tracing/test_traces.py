"""Where it starts, in real models on real backends."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from pycheck.model.tensorflow_import import import_tensorflow
from pycheck.report import render
from pycheck.report.json import report_from_dict, report_to_dict
from pycheck.types import Report, Severity

from ..conftest import more
from ..published import import_tensorflowjs
from ..shared import session
from .conftest import RUNTIMES, Traced, healthy, points, two_sources, webgl_nan, with_role

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def nan(traced: Traced) -> Report:
    return traced(webgl_nan)


def test_the_source_is_the_relu_after_the_infinity_on_webgl_alone(nan: Report) -> None:
    ((point, result),) = with_role(nan, "source")
    assert (point.op, point.layer, str(result.runtime)) == ("Relu", "no_less_than_none", "chromium:webgl")


def test_the_finding_of_a_source_names_its_layer_and_shows_the_operand_that_caused_it(nan: Report) -> None:
    finding = nan.findings[0]
    assert (finding.code, finding.severity) == ("infinity-mishandled", Severity.ERROR)
    assert (finding.layer, *map(str, finding.runtimes)) == ("no_less_than_none", "chromium:webgl")
    assert list(finding.evidence["operands"].values()) == [-math.inf]
    assert math.isnan(finding.evidence["given"])
    assert finding.evidence["expected"] == 0.0


def test_what_follows_the_source_passes_its_error_on_and_is_right_by_itself(nan: Report) -> None:
    passing_on = with_role(nan, "passes-on")
    assert {str(result.runtime) for _, result in passing_on} == {"chromium:webgl"}
    assert "Conv2D" in {point.op for point, _ in passing_on}
    for point, result in passing_on:
        assert result.inherited is not None and result.inherited.passed is False
        assert result.own is None or result.own.passed is True, point.name


def test_the_split_says_that_the_backend_does_it_and_not_the_conversion(nan: Report) -> None:
    assert nan.trace is not None
    (split,) = nan.trace.splits
    assert split.conversion is not None and split.conversion.passed
    failing = {str(c.candidate) for c in split.backends if not c.passed}
    assert failing == {"chromium:webgl"}


def test_a_trace_survives_the_way_through_json(nan: Report) -> None:
    again = report_from_dict(report_to_dict(nan))
    assert report_to_dict(again) == report_to_dict(nan)
    assert again.trace is not None and len(again.trace.points) == len(points(nan))


def test_the_terminal_tells_where_it_starts(nan: Report) -> None:
    text = " ".join(render(nan, "terminal").split())
    assert "Where the error starts 24 points of the artifact, on 8 samples, the failing ones first" in text
    assert "6 NaN/Inf, limit 0; infinity-mishandled; for -Inf: NaN instead of 0 at sample 0 [16, 1]" in text


def test_every_point_has_its_range_and_what_half_floats_would_make_of_it(nan: Report) -> None:
    exponential = next(point for point in points(nan) if point.op == "Exp")
    assert exponential.largest is not None and exponential.overflow_headroom is not None
    assert exponential.overflow_headroom == pytest.approx(65504 / exponential.largest)
    assert exponential.overflow_headroom < 1e-20


@pytest.mark.parametrize("artifact_format", ["layers", *more("graph")])
def test_a_healthy_model_has_no_source_and_every_point_was_looked_at(traced: Traced, artifact_format: str) -> None:
    report = traced(healthy, format=artifact_format)
    assert report.passed
    assert with_role(report, "source") == []
    for point in points(report):
        if artifact_format == "layers" and point.skipped:
            assert "called more than once" in point.skipped
            continue
        assert [str(result.runtime) for result in point.results] == list(RUNTIMES), point.name
        for result in point.results:
            assert result.inherited is not None, point.name
            assert result.own is not None or result.note, point.name


def test_points_inside_of_nested_models_run_alone_and_a_layer_that_is_called_again_is_listed_as_skipped(
    tmp_path: Path,
) -> None:
    import_tensorflow()
    import_tensorflowjs()
    import tf_keras
    from tensorflowjs.converters import save_keras_model

    layers = tf_keras.layers
    inner = tf_keras.Sequential([layers.Dense(6, activation="tanh", name="one", input_shape=(6,))], name="inner")
    y = tf_keras.Input((6,), name="y")
    within = tf_keras.Sequential([layers.Dense(6, activation="relu", name="two", input_shape=(6,))], name="within")
    outer = tf_keras.Model(y, layers.Add(name="sum")([within(y), y]), name="outer")
    x = tf_keras.Input((6,), name="x")
    last = layers.Dense(6, name="last")
    save_keras_model(tf_keras.Model(x, last(last(outer(inner(x))))), str(tmp_path))
    report = session.trace(tmp_path / "model.json", samples=4, runtimes=["chromium:cpu"], cache=False)
    assert report.passed
    assert [point.name for point in points(report)] == ["inner/one", "outer/within/two", "outer/sum", "last", "last@1"]
    assert [point.name for point in points(report) if point.skipped] == ["last", "last@1"]
    for point in points(report)[:3]:
        (result,) = point.results
        assert (result.role, result.note) == ("ok", None), point.name
        assert result.own is not None and result.own.passed


def test_all_sources_are_listed_each_with_its_own_cause(traced: Traced) -> None:
    report = traced(two_sources, format="graph", runtimes=("chromium:webgl",))
    found = {point.op: result for point, result in with_role(report, "source")}
    assert set(found) == {"Relu", "RealDiv"}
    codes = {finding.code for finding in report.findings if "ran_alone" in finding.evidence}
    assert codes == {"infinity-mishandled", "division-by-zero"}


def test_groups_under_a_small_memory_give_the_same_and_what_does_not_fit_is_listed(traced: Traced) -> None:
    whole = points(traced(healthy, format="graph", runtimes=("chromium:cpu",)))
    report = traced(healthy, format="graph", runtimes=("chromium:cpu",), trace_memory="200kB", trace_samples=4)
    assert report.trace is not None and report.trace.group_count > 1
    skipped = [point for point in points(report) if point.skipped]
    assert skipped
    assert all("--trace-memory 200 kB" in (point.skipped or "") for point in skipped)
    assert "not traced" in render(report, "terminal")
    for one, point in zip(whole, points(report), strict=True):
        before = {result.runtime: result for result in one.results}
        for result in point.results:
            assert (result.role, result.runtime.kind) == (before[result.runtime].role, "cpu")
            assert result.inherited is not None and result.inherited.passed, point.name
