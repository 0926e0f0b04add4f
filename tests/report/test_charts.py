from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from pycheck.report.html import charts, depth
from pycheck.types import Comparison, MagnitudeErrors, Report, Tolerance

from .conftest import CPU, F16, WEBGL


def of(report: Report, runtime: object) -> Comparison:
    return next(c for c in report.comparisons if c.candidate == runtime)


@pytest.fixture
def comparison(reports: dict[str, Report]) -> Comparison:
    return of(reports["passing"], CPU)


def test_each_filled_octave_has_a_bar_and_one_element_can_be_seen(comparison: Comparison) -> None:
    chart = charts.histogram(replace(comparison, ulp_histogram=(999_999, 0, 1)), None)
    assert chart is not None
    assert [bar.title for bar in chart.bars] == ["under 1 ULP: 999,999", "2 to 4 ULP: 1"]
    many, one = chart.bars
    assert many.height > one.height > 5
    assert many.x < one.x
    assert [tick.text for tick in chart.y_ticks] == ["1", "100", "10k", "1M"]


def test_without_pairs_there_is_no_chart(comparison: Comparison) -> None:
    empty = replace(comparison, ulp_histogram=(), error_by_magnitude=())
    assert charts.histogram(empty, None) is None
    assert charts.magnitude_map(empty) is None


def test_the_noise_floor_is_drawn_only_in_the_same_units(reports: dict[str, Report]) -> None:
    report = reports["drifting"]
    floor = next(c for c in report.comparisons if c.is_noise_floor)
    drawn = {c.candidate: charts.histogram(c, floor) for c in report.comparisons if not c.is_noise_floor}
    assert drawn[WEBGL] is not None and drawn[WEBGL].floor
    assert drawn[F16] is not None and not drawn[F16].floor


def test_errors_against_zero_do_not_stretch_the_chart(comparison: Comparison) -> None:
    wild = (5, *(0,) * 119, 7)
    chart = charts.histogram(replace(comparison, ulp_histogram=wild), None)
    assert chart is not None
    assert len(chart.bars) == 2
    assert max(bar.x + bar.width for bar in chart.bars) <= charts.WIDTH
    mapped = charts.magnitude_map(replace(comparison, error_by_magnitude=(MagnitudeErrors(None, wild),)))
    assert mapped is not None
    assert mapped.x_ticks[0].text == "0"


def test_cells_of_the_map_are_where_their_magnitude_and_error_are(comparison: Comparison) -> None:
    rows = (MagnitudeErrors(None, (8,)), MagnitudeErrors(-3, (1,)), MagnitudeErrors(2, (0, 0, 0, 1000)))
    chart = charts.magnitude_map(replace(comparison, error_by_magnitude=rows, tolerance=None))
    assert chart is not None
    corners = re.findall(r"M([\d.]+) ([\d.]+)h", " ".join(chart.levels))
    (zero, low), (small, low_too), (large, high) = sorted((float(x), float(y)) for x, y in corners)
    assert zero == charts.LEFT
    assert low == low_too > high
    assert (large - small) == pytest.approx(5 * (small - zero), abs=0.5)
    assert chart.levels[-1].startswith(f"M{large:g} ")  # the most frequent cell is the darkest
    assert chart.limit == ""


@pytest.mark.parametrize(
    ("tolerance", "falls"),
    [
        (Tolerance("auto", max_abs=1e-5, rms=1e-6), True),
        (Tolerance("explicit", rtol=1e-5), False),
        (Tolerance("explicit", max_ulp=16.0), False),
    ],
)
def test_the_limit_is_drawn_in_ulp(comparison: Comparison, tolerance: Tolerance, falls: bool) -> None:
    rows = tuple(MagnitudeErrors(at, (3, 1)) for at in range(-4, 2))
    chart = charts.magnitude_map(replace(comparison, error_by_magnitude=rows, tolerance=tolerance))
    assert chart is not None
    heights = [float(y) for y in re.findall(r"[V ]([\d.]+)h", chart.limit)]
    steps = np.diff(heights).round(1).tolist()
    assert all(charts.TOP <= y <= charts.HEIGHT - charts.BOTTOM for y in heights)
    if falls:  # an absolute limit is fewer ULP of larger numbers, and of small ones more than the chart shows
        assert 0 < len(steps) < len(rows) - 1
        assert min(steps) > 0
    else:
        assert steps == [0.0] * (len(rows) - 1)


def test_exact_outputs_have_no_limit_in_ulp(reports: dict[str, Report]) -> None:
    labels = next(c for c in reports["mixed"].comparisons if c.tensor == "labels" and not c.is_noise_floor)
    assert charts.magnitude_map(labels) is None


def test_tables_tell_what_the_charts_show(comparison: Comparison) -> None:
    rows = (MagnitudeErrors(None, (8,)), MagnitudeErrors(2, (1, 1, 5, 1)))
    told = list(charts.magnitude_rows(replace(comparison, error_by_magnitude=rows)))
    assert [(r.magnitude, r.pairs, r.median, r.largest) for r in told] == [
        ("0 or nearly", "8", "under 1", "under 1"),
        ("4 to 8", "8", "2 to 4", "4 to 8"),
    ]
    assert list(charts.histogram_rows(replace(comparison, ulp_histogram=(4, 0, 2)), None)) == [
        ("under 1", 4, 0),
        ("2 to 4", 2, 0),
    ]


def test_a_trace_has_a_strip_a_runtime_and_marks_where_it_starts(reports: dict[str, Report]) -> None:
    trace = reports["traced"].trace
    assert trace is not None
    chart = depth.depth_chart(trace)
    assert chart is not None
    assert [strip.runtime for strip in chart.strips] == ["chromium:cpu", "chromium:webgl", "chromium:webgl-f16"]
    healthy, broken, drifted = chart.strips
    assert {c.kind for c in healthy.columns} == {"ok"}
    assert [c.kind for c in broken.columns] == ["ok"] * 3 + ["nan"] * 5
    assert [c.kind for c in drifted.columns] == ["ok"] * 5 + ["off"] * 3
    assert [i for i, c in enumerate(broken.columns) if c.source] == [3]
    assert all(c.y + c.height == pytest.approx(strip.bottom, abs=0.2) for strip in chart.strips for c in strip.columns)
    for strip in chart.strips:  # what is beyond the limit is drawn beyond it
        assert all((c.y < strip.limit) == (c.kind != "ok") for c in strip.columns)
    assert [layer.text for layer in chart.layers] == ["layer_0", "layer_1", "layer_2", "layer_3"]


def test_a_trace_of_nothing_has_no_chart(reports: dict[str, Report]) -> None:
    trace = reports["traced"].trace
    assert trace is not None
    assert depth.depth_chart(replace(trace, points=())) is None
