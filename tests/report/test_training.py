"""A training in the reports that only lay it out."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import pycheck
from pycheck.report import render
from pycheck.report.html.curves import curve_charts, loss_charts
from pycheck.report.html.variables import FEW, MOST, multiples
from pycheck.types import (
    NATIVE_FLOAT32,
    CureTrial,
    Report,
    RuntimeId,
    Training,
    TrainingCurves,
    TrainingMoment,
    TrainingVariable,
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
        pycheck.Report.of(trained).assert_ok()
    lines = str(raised.value).splitlines()
    assert "chromium:webgl: NaN: first loss 2, last loss NaN, largest gradient 0.5, " in "\n".join(lines)
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


NAN_AT_1 = TrainingMoment(1, "gradient", "b/kernel")


def _of_variables(count: int) -> Training:
    """Variables a/kernel, b/kernel and so on; the last one is a moving statistic, which has no gradient."""
    names = [f"{chr(97 + i)}/kernel" for i in range(count)]
    variables = tuple(TrainingVariable(name, name[0], (2,), trainable=name != names[-1]) for name in names)
    gradients = tuple(tuple(10.0 ** -(i + step) for i in range(count - 1)) for step in range(3))
    weights = tuple((1.0,) * (count - 1) + (0.0,) for _ in range(3))
    native = replace(_curves(NATIVE_FLOAT32, 2.0, 1.0, 0.5), largest_gradient=gradients, largest_weight=weights)
    lost = tuple((*row[:1], None, *row[2:]) if step == 2 else row for step, row in enumerate(gradients))
    page = replace(native, runtime=WEBGL, largest_gradient=lost, first_nonfinite=NAN_AT_1)
    return Training("sgd:0.1", "mse", 3, 8, variables, (native, page))


def test_each_variable_has_its_largest_gradient_and_weight_with_all_runtimes_on_one_logarithmic_scale() -> None:
    drawn = multiples(_of_variables(3))
    assert drawn is not None and not drawn.folded
    assert drawn.keys == (("native:float32", "python single"), ("chromium:webgl", "s0"))
    assert [(v.name, [c.title for c in v.charts]) for v in drawn.variables] == [
        ("a/kernel", ["largest gradient", "largest weight"]),
        ("b/kernel", ["largest gradient", "largest weight"]),
        ("c/kernel", ["largest weight"]),
    ]
    first, second = (variable.charts[0] for variable in drawn.variables[:2])
    assert first.y_ticks == second.y_ticks
    heights = [re.findall(r" ([\d.]+)", chart.lines[0].path) for chart in (first, second)]
    assert heights[0][1:] == heights[1][:-1]  # ten times smaller is as much lower, wherever it is
    zero = drawn.variables[2].charts[0].lines[0]
    assert zero.told == "from 0 to 0" and zero.path


def test_a_variable_that_is_lost_is_marked_at_its_step_and_said_in_words() -> None:
    drawn = multiples(_of_variables(3))
    assert drawn is not None
    python, page = drawn.variables[1].charts[0].lines
    assert python.lost is None
    assert page.lost == 138.0
    assert drawn.variables[1].charts[0].label == (
        "Largest gradient of b/kernel in 3 steps: native:float32 from 0.1 to 0.001; "
        "chromium:webgl from 0.1 to 0.01, not finite from step 1"
    )
    assert drawn.variables[0].charts[0].lines[1].lost is None


def test_many_variables_are_folded_and_the_page_stays_small(trained: Report) -> None:
    training = _of_variables(MOST + 2)
    drawn = multiples(training)
    assert drawn is not None and drawn.folded
    assert (len(drawn.variables), drawn.left_out) == (MOST, 2)
    page = render(replace(trained, training=training), "html")
    assert '<details class="small">\n<summary>Largest gradient' in page
    assert "2 more variables are in the JSON report." in page
    few = render(replace(trained, training=_of_variables(FEW)), "html")
    assert '<details class="small" open>\n<summary>Largest gradient' in few


def test_the_page_of_a_long_training_with_many_variables_and_runtimes_is_small(trained: Report) -> None:
    training = _of_variables(MOST)
    kinds = [RuntimeId(engine, kind) for engine in ("chromium", "firefox", "webkit") for kind in ("cpu", "webgl")]
    native = training.curves[0]
    many = replace(
        native, loss=native.loss * 400, gradient_norm=native.gradient_norm * 400,
        largest_gradient=native.largest_gradient * 400, largest_weight=native.largest_weight * 400,
    )  # fmt: skip
    curves = (many, *(replace(many, runtime=kind) for kind in kinds))
    report = replace(trained, training=replace(training, step_count=1200, curves=curves), verdict=Verdict.PASS)
    assert len(render(report, "html").encode()) < 500_000
