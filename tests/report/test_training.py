"""A training in the reports that only lay it out."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from pycheck.report import render
from pycheck.report.html.curves import curve_charts, loss_charts
from pycheck.types import (
    NATIVE_FLOAT32,
    CureTrial,
    Report,
    RuntimeId,
    Training,
    TrainingCurves,
    TrainingMoment,
    Verdict,
)

WEBGL = RuntimeId("chromium", "webgl")


def _curves(runtime: RuntimeId, *loss: float, **more: TrainingMoment) -> TrainingCurves:
    none = (0,) * len(loss)
    return TrainingCurves(
        runtime, loss, loss, ((0.5,),) * len(loss), ((0.5,),) * len(loss), none, none, none, none, **more
    )


@pytest.fixture
def trained(reports: dict[str, Report]) -> Report:
    nan = TrainingMoment(2, "gradient", "dense/kernel")
    curves = (_curves(NATIVE_FLOAT32, 2.0, 1.0, 0.5), _curves(WEBGL, 2.0, 1.0, float("nan"), first_nonfinite=nan))
    cure = CureTrial("clip", "gradients clipped to 1", "--clipnorm 1", True, True, True, {str(WEBGL): 0.25})
    training = Training("sgd(0.1)", "mse", 3, 8, (), curves, cures=(cure,))
    return replace(reports["passing"], training=training, verdict=Verdict.NAN_DIVERGENCE)


def test_markdown_has_a_row_for_each_runtime_and_what_cured_it(trained: Report) -> None:
    text = render(trained, "markdown")
    assert "\n### Training\n" in text
    assert "| `native:float32` |  | 2 | 0.5 |" in text
    assert "| `chromium:webgl` | **NaN** | 2 | NaN |" in text
    assert "step 2 gradient dense/kernel" in text
    assert "- clip: works, last loss 0.25: gradients clipped to 1 `--clipnorm 1`" in text


def test_an_assertion_names_the_runtime_that_trains_otherwise(trained: Report) -> None:
    with pytest.raises(AssertionError) as raised:
        trained.assert_ok()
    lines = str(raised.value).splitlines()
    assert "chromium:webgl: NaN: loss first 2, last NaN, largest gradient 0.5, " in "\n".join(lines)
    assert "not finite from step 2 gradient dense/kernel" in "\n".join(lines)


def test_the_page_has_a_row_a_chart_and_a_cell_of_the_matrix(trained: Report) -> None:
    page = render(trained, "html")
    assert 'aria-label="Loss on chromium:webgl in 3 steps, from 2 to NaN, not finite from step 2"' in page
    assert "last loss NaN" in page
    assert "step 2 gradient dense/kernel" in page
    assert "gradients clipped to 1" in page and "--clipnorm 1" in page


def test_the_loss_is_drawn_as_far_as_it_is_finite_with_pythons_behind_it(trained: Report) -> None:
    assert trained.training is not None
    (chart,) = loss_charts(trained.training)
    assert chart.line == "M44.0 24.0L218.0 136.0"
    assert chart.reference == "M44.0 24.0L218.0 136.0L392.0 192.0"
    assert chart.lost == 392.0
    assert [tick.text for tick in chart.x_ticks] == ["0", "1", "2"]
    assert [tick.text for tick in chart.y_ticks] == ["0.5", "1.2", "2"]


def test_the_page_has_curves_of_the_loss_the_gradient_and_the_error_for_each_runtime(trained: Report) -> None:
    assert trained.training is not None
    native, page = trained.training.curves
    page = replace(page, loss_error=(0.5, 2.0, None), gradient_error=(0.25, 4.0, None), weight_error=(None, 1.0, None))
    training = replace(trained.training, curves=(native, page))
    charts = list(curve_charts(training))
    assert [chart.title for chart in charts] == ["Loss", "Norm of the gradient", "Error used"]
    assert charts[2].label == "Error used on chromium:webgl in 3 steps, from 0.5 to NaN, none from step 2"
    assert charts[2].lost is None
    assert charts[2].line.count("M") == 1 and charts[2].line.count("L") == 1
    text = render(replace(trained, training=training), "html")
    for title in ("Loss", "Norm of the gradient", "Error used"):
        assert f"<figcaption>{title} on chromium:webgl" in text


def test_losses_far_apart_are_on_a_logarithmic_scale_and_any_can_be_drawn(trained: Report) -> None:
    assert trained.training is not None
    for losses in ((1e3, 1e1, 1e-1), (1e308, -1e308, 0.0), (1.0, 1.0, 1.0), (float("nan"),), (5e-324, 1e308)):
        curves = (_curves(NATIVE_FLOAT32, *losses), _curves(WEBGL, *losses))
        (chart,) = loss_charts(replace(trained.training, curves=curves, step_count=len(losses)))
        heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([-\d.einf]+)", chart.line)]
        assert all(24 <= y <= 192 for y in heights)
        if losses[0] == 1e3:
            assert heights == [24.0, 108.0, 192.0]
