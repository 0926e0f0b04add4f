from __future__ import annotations

import html
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycheck.report import pipeline, render, view, wording
from pycheck.types import ALL_FILES, FailedFile, Pipeline, PipelineCause, PipelineRow, Report, RuntimeId


@given(st.floats(width=32, min_value=0.0))
def test_short_numbers_of_float32_have_at_most_seven_characters(value: float) -> None:
    assert len(wording.short(value)) <= 7


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.0, "0"), (3.14e-7, "3.1e-7"), (0.123, "0.12"), (365.2, "365"), (1.2e12, "1.2e12"), (1e6, "1e6")],
)
def test_short_numbers_read_well(value: float | None, text: str) -> None:
    assert wording.short(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.001, "<1 %"),
        (0.999, "99 %"),
        (1.0, "100 %"),
        (1.0001, "1.1x"),
        (41.3, "41x"),
        (float("inf"), "over"),
    ],
)
def test_a_share_over_the_limit_never_reads_as_within_it(share: float, text: str) -> None:
    assert wording.percent(share) == text


@pytest.mark.parametrize(
    ("number", "text"), [(7, "7"), (999, "999"), (1234, "1.2k"), (65_504, "65k"), (9_999_999, "10.0M")]
)
def test_counts_are_short(number: int, text: str) -> None:
    assert wording.count(number) == text


@pytest.mark.parametrize(
    ("first", "second"),
    [(1557691010.0, 1557691136.0), (0.1, 0.1 + 1e-12), (1.0, 1.0 + 2.0**-52), (float(2**53), float(2**53 + 2))],
)
def test_two_numbers_that_differ_never_read_alike(first: float, second: float) -> None:
    one, other = wording.unlike(first, second)
    assert one != other
    assert (float(one) < float(other)) == (first < second)


def test_two_numbers_that_are_told_apart_keep_their_seven_digits() -> None:
    assert wording.unlike(1.23456789, 2.0) == ("1.234568", "2")
    assert wording.unlike(2.5, 2.5) == ("2.5", "2.5")
    assert wording.unlike(float("nan"), float("nan")) == ("NaN", "NaN")


@given(st.text())
def test_printable_text_holds_no_control_character(text: str) -> None:
    assert wording.printable(text).isprintable()


def test_agreement_reads_as_all_only_when_it_is_all(reports: dict[str, Report]) -> None:
    rows = {(row.runtime, row.tensor): row for row in view.rows(reports["with_nan"])}
    assert rows["chromium:cpu", "scores"].top1 == "100 %"
    assert rows["chromium:webgl", "scores"].top1 == "98.4 %"


def test_rows_follow_the_report_with_the_noise_floor_first(reports: dict[str, Report]) -> None:
    rows = view.rows(reports["mixed"])
    assert [row.result for row in rows] == [
        "", "", "pass", "pass", "DRIFT", "DRIFT", "SHAPE", "pass", "NO RUN",
    ]  # fmt: skip
    assert rows[0].runtime == "noise floor"


@pytest.mark.parametrize("name", ["passing", "drifting", "many_outputs"])
@pytest.mark.parametrize("kind", ["terminal", "html", "markdown", "junit"])
def test_every_report_shows_the_same_share_of_the_same_limit(reports: dict[str, Report], name: str, kind: str) -> None:
    text = html.unescape(render(reports[name], kind))
    uses = {c.limit_use for c in view.failures(reports[name]) or reports[name].comparisons if c.limit_use}
    assert uses
    assert [use for use in uses if wording.used(use) not in text] == []


def test_the_first_line_counts_the_files_and_names_the_causes(reports: dict[str, Report]) -> None:
    cpu = RuntimeId("chromium", "cpu")
    causes = tuple(PipelineCause(code, "a", "b", 1.0, 0.0) for code in ("log-differs", "mel-differs", "x", "y"))
    row = PipelineRow(cpu, (), (), (), 8, 0, 0, passed=False, causes=causes[:1])
    changed = replace(row, changed_count=3, changed_by_preprocessing=3, causes=causes)
    lost = FailedFile("a.tif", cpu, "The image could not be decoded.")
    both = tuple(FailedFile("b.tif", side, "The image could not be decoded.") for side in (None, cpu))
    dead = FailedFile(ALL_FILES, cpu, "its input does not fit the model")

    def first_line(rows: tuple[PipelineRow, ...], *failed: FailedFile) -> str | None:
        report = next(iter(reports.values()))
        return pipeline.headline(replace(report, pipeline=Pipeline("p", "j", 9, failed, rows)))

    assert first_line((changed,)) == (
        "3 of 8 files get a different class on chromium:cpu: 3 by its preprocessing (log-differs, mel-differs, x, 1 "
        "more), 0 by the runtime"
    )
    assert first_line((row,)) == (
        "no file gets a different class on chromium:cpu, but its input changes the output (log-differs)"
    )
    passed = replace(row, passed=True, causes=())
    assert first_line((passed,), lost) == (
        "1 of 9 files cannot be preprocessed on chromium:cpu; the other files get the same class"
    )
    assert first_line((passed,), *both) == "chromium:cpu gives the same class for 8 of 9 files"
    assert first_line((replace(row, passed=None),), dead) == "the page of chromium:cpu made no input to compare"


def test_a_runtime_that_failed_between_two_batches_did_not_finish(reports: dict[str, Report]) -> None:
    report = reports["failing_runtime"]
    assert view.headline(report) == "chromium:webgpu did not run"
    *_, record = report.runtimes
    cpu = next(c for c in report.comparisons if str(c.candidate) == "chromium:cpu")
    began = replace(report, comparisons=(*report.comparisons, replace(cpu, candidate=record.id)))
    assert view.headline(began) == f"{record.id} did not finish"
