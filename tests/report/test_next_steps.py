"""The command that writes the preprocessing of the page follows a cause that its code removes, of every medium."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pycheck.report.next_steps import next_steps
from pycheck.types import Pipeline, PipelineCause, PipelineRow, Report, RuntimeId


@pytest.mark.parametrize(
    ("code", "is_written"),
    [("crop-differs", True), ("log-differs", True), ("tokens-shifted", True), ("resampler-differs", False)],
)
def test_a_cause_leads_to_the_code_of_the_page(reports: dict[str, Report], code: str, is_written: bool) -> None:
    causes = (PipelineCause(code, "a", "b", 1.0, 0.0),)
    row = PipelineRow(RuntimeId("chromium", "cpu"), (), (), (), 1, 0, 0, causes=causes)
    report = replace(
        next(iter(reports.values())),
        command="pycheck compare m.keras files/ --preprocess app/prep.py:load --js-preprocess web/prep.js",
        pipeline=Pipeline("app/prep.py:load", "web/prep.js", 1, (), (row,)),
    )
    line = "pycheck preprocess m.keras files/ --preprocess app/prep.py:load --emit js --out prep.js"
    assert (line in [command for _, command in next_steps(report)]) is is_written
