"""Which findings a page has: about its input, its decisions, or both; and how severe they are."""

from __future__ import annotations

from dataclasses import replace

from pycheck.diagnosis import diagnose_pipeline
from pycheck.types import FailedFile, FileShares, InputDifference, OutputShares, Pipeline, PipelineRow, RuntimeId

CPU = RuntimeId("chromium", "cpu")
JPEG = InputDifference("image", 0.02, 0.001, 1.0, identical=False)
OUTPUT = OutputShares("kind", 1.0, 1e-4, 1e-3, 0.0, 0.0, 1e-4, 1e-3)
#: A page with another decoder, which changes little.
ROW = PipelineRow(
    CPU, (JPEG,), (OUTPUT,), (FileShares("a.jpg", 0.01, 0, 0, 0, "cat", "cat"),), 8, 0, 0, True,
    changed_by_postprocessing=0,
)  # fmt: skip


def _found(row: PipelineRow, *failed: FailedFile) -> list[tuple[str, str]]:
    pipeline = Pipeline("p", "j", 9, failed, (row,), postprocess="post.py:decide", js_postprocess="post.js")
    return [(finding.code, str(finding.severity)) for finding in diagnose_pipeline(pipeline)]


def test_a_decoder_that_changes_no_decision_is_a_note() -> None:
    assert _found(ROW) == [("preprocessing-differs", "info")]


def test_the_postprocessing_is_no_error_of_the_preprocessing() -> None:
    row = replace(ROW, changed_count=3, changed_by_postprocessing=3, passed=False)
    assert _found(row) == [("decisions-differ", "error"), ("preprocessing-differs", "info")]


def test_an_input_that_changes_decisions_is_an_error_of_both() -> None:
    row = replace(ROW, changed_count=3, changed_by_preprocessing=2, passed=False)
    assert _found(row) == [("decisions-differ", "error"), ("preprocessing-differs", "error")]


def test_a_postprocessing_whose_effect_is_hidden_is_a_warning() -> None:
    assert _found(replace(ROW, changed_by_postprocessing=2))[0] == ("decisions-differ", "warning")


def test_a_page_that_fails_by_its_outputs_alone_has_a_finding() -> None:
    equal = replace(JPEG, max_abs=0.0, rms=0.0, identical=True)
    assert _found(replace(ROW, inputs=(equal,), passed=False)) == [("preprocessing-differs", "error")]


def test_a_file_without_a_decision_says_on_which_side() -> None:
    sides = [FailedFile("b.jpg", side, "KeyError: 'x'", "postprocess") for side in (None, CPU)]
    assert _found(ROW, sides[0])[1:] == [("file-fails", "warning")]
    assert _found(ROW, sides[1])[1:] == [("file-fails", "error")]
    assert _found(ROW, *sides)[1:] == [("file-fails", "warning")]
