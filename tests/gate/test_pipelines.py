"""A page with its own input passes if no decision changes and no output changes by more than its limit."""

from __future__ import annotations

from dataclasses import replace

from pycheck.gate import ToleranceOptions, judge_pipeline
from pycheck.types import OutputShares, Pipeline, PipelineRow, RuntimeId

ROW = PipelineRow(
    RuntimeId("chromium", "cpu"), (), (OutputShares("y", 2.0, 0.001, 0.002, 0.0, 0.0, 0.001, 0.002),), (), 8, 0, 0
)


def _passed(row: PipelineRow, tolerance: ToleranceOptions | None = None) -> bool | None:
    pipeline = Pipeline("p", "j", 8, (), (row,))
    return judge_pipeline(pipeline, tolerance or ToleranceOptions()).rows[0].passed


def _changed(by: float) -> PipelineRow:
    return replace(ROW, outputs=(replace(ROW.outputs[0], both_max=by),))


def test_a_change_of_1_percent_of_the_largest_value_is_the_limit() -> None:
    assert _passed(_changed(0.019)) is True
    assert _passed(_changed(0.021)) is False
    assert _passed(_changed(float("inf"))) is False


def test_another_decision_fails_however_small_the_change() -> None:
    assert _passed(replace(ROW, changed_count=1)) is False


def test_a_share_of_other_decisions_may_be_allowed() -> None:
    pipeline = Pipeline("p", "j", 8, (), (replace(ROW, changed_count=2),))
    passed = [judge_pipeline(pipeline, ToleranceOptions(), share).rows[0].passed for share in (0.0, 0.2, 0.25, 1.0)]
    assert passed == [False, False, True, True]


def test_without_inputs_of_the_page_the_comparison_judges_the_outputs() -> None:
    pipeline = Pipeline("p", "", 8, (), (_changed(0.5),), postprocess="post.py:decide")
    assert judge_pipeline(pipeline, ToleranceOptions()).rows[0].passed is True


def test_a_given_limit_replaces_that_of_1_percent() -> None:
    assert _passed(_changed(0.5), ToleranceOptions(atol={None: 1.0})) is True
    assert _passed(_changed(0.015), ToleranceOptions(atol={"y": 0.01})) is False
