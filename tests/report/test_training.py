"""A training in the reports that only lay it out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pycheck.report import render
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
