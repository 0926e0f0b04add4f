"""A check in words: the matrix, what fails, what passes all the same."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from rich.console import Console

import pycheck
from pycheck.diagnosis.codes import finding
from pycheck.gate import check_exit_code, decide_check
from pycheck.report import CHECK_FORMATS, render_check
from pycheck.report.check_terminal import print_check
from pycheck.report.check_view import headline, rows
from pycheck.report.github import render_check_annotations
from pycheck.types import CheckReport, Report, RuntimeId, Severity, VariantFailure, Verdict

from .made import CPU, FIREFOX, LIMIT, WASM, WEBGL, comparison, report


def _check(reports: Sequence[Report], failures: Sequence[VariantFailure] = ()) -> CheckReport:
    verdict = decide_check(reports, failures=failures)
    return CheckReport("0.1.0", "pycheck.toml", tuple(reports), tuple(failures), verdict, 12.0, "pycheck check")


def _printed(check: CheckReport, *, width: int = 80, verbosity: int = 0) -> str:
    console = Console(file=io.StringIO(), width=width, no_color=True, legacy_windows=False)
    print_check(check, console, verbosity=verbosity)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def _worse(runtime: RuntimeId) -> Report:
    found = finding("baseline-worse", Severity.ERROR, runtimes=[runtime], tensor="y", summary="y is worse.", advice="")
    return replace(report([comparison(CPU), comparison(runtime)], findings=[found], name="old"), verdict=Verdict.ERROR)


def test_the_matrix_comes_first_with_a_word_for_each_variant_and_runtime() -> None:
    sound = report([comparison(CPU), comparison(WEBGL), comparison(FIREFOX)], name="sound")
    drifting = report([comparison(CPU, 2 * LIMIT), comparison(WEBGL, introduced=1)], failed=[FIREFOX], name="bad/uint8")
    lines = _printed(_check([sound, drifting, _worse(WASM)])).splitlines()
    assert lines[:6] == [
        "NAN DIVERGENCE  bad/uint8 and old fail, of 3 variants on 4 runtimes, in 12 s",
        "",
        "           chromium           firefox",
        "           cpu   webgl wasm   webgl",
        "sound      pass  pass  -      pass",
        "bad/uint8  DRIFT NaN   -      NO RUN",
    ]
    assert lines[6] == "old        pass  -     WORSE  -"


def test_printed_in_python_a_check_says_what_the_terminal_says() -> None:
    check = _check([report([comparison(CPU)], name="sound")])
    assert str(pycheck.CheckReport.of(check)) == _printed(check).rstrip()
    assert repr([check]) == "[<CheckReport of pycheck.toml: pass>]"


def test_engines_that_do_not_fit_beside_one_another_stand_below_one_another() -> None:
    made = report([comparison(CPU), comparison(WEBGL), comparison(FIREFOX)], name="a-model-with-a-long-name")
    assert "chromium    firefox" in _printed(_check([made]), width=80)
    narrow = _printed(_check([made]), width=40)
    assert "firefox" not in narrow.split("chromium")[1].splitlines()[0]
    assert narrow.index("firefox", narrow.index("chromium")) > narrow.index("a-model-with-a-long-name  pass pass")


def test_what_fails_is_told_as_compare_tells_it_and_what_passes_is_not() -> None:
    sound = report([comparison(CPU)], name="sound")
    drifting = report([comparison(CPU, 2 * LIMIT)], name="bad")
    text = _printed(_check([sound, drifting]))
    assert "--- bad ---" in text
    assert "y drifts." in text
    assert "--- sound ---" not in text
    assert "--- sound ---" in _printed(_check([sound, drifting]), verbosity=1)
    assert len(_printed(_check([sound, drifting]), verbosity=-1).splitlines()) == 1


def test_warnings_known_divergences_and_news_of_those_that_pass_are_told_once_for_all() -> None:
    news = finding("baseline-changed", Severity.INFO, summary="The browser changed.", advice="")
    both = [report([comparison(CPU)], name=name, findings=[news]) for name in ("a", "b")]
    assert "baseline-changed  a and b: The browser changed." in _printed(_check(both))


_UNUSED = finding(
    "setting-unused", Severity.ERROR, summary="A budget had nothing to measure: line 5.", advice="Fix its patterns."
)


def _printed_and_written(check: CheckReport) -> dict[str, str]:
    texts = {kind: render_check(check, kind) for kind in CHECK_FORMATS}
    return texts | {"terminal": _printed(check, width=120), "github": render_check_annotations(check)}


@pytest.mark.parametrize("severity", [Severity.ERROR, Severity.WARNING])
@pytest.mark.parametrize("kind", [*CHECK_FORMATS, "terminal", "github"])
def test_a_finding_of_the_whole_check_is_shown_once_and_only_an_error_fails(kind: str, severity: Severity) -> None:
    made = [report([comparison(CPU)], name=name) for name in ("a", "b")]
    found = replace(_UNUSED, severity=severity)
    check = replace(_check(made), findings=(found,), verdict=decide_check(made, findings=[found]))
    fails = severity is Severity.ERROR
    assert (check.passed, check_exit_code(check)) == (not fails, int(fails))
    text = _printed_and_written(check)[kind]
    assert (text.count("A budget had nothing to measure"), text.count("Fix its patterns.")) == (1, 1)


def test_the_first_line_says_that_the_check_fails_where_all_models_pass() -> None:
    made = [report([comparison(CPU)], name=name) for name in ("a", "b")]
    check = replace(_check(made), findings=(_UNUSED,), verdict=Verdict.ERROR)
    assert _printed(check, width=120).splitlines()[0] == (
        "FAIL  2 variants on 1 runtime: all agree with Python; setting-unused fails the check, in 12 s"
    )


def test_an_error_of_the_whole_check_is_a_failed_case_of_a_suite_of_its_own() -> None:
    check = replace(_check([report([comparison(CPU)])]), findings=(_UNUSED,), verdict=Verdict.ERROR)
    root = ElementTree.fromstring(render_check(check, "junit").partition("\n")[2])
    assert root.get("failures") == "1"
    failure = root.find("testsuite[@name='pycheck.toml']/testcase[@name='setting-unused']/failure")
    assert failure is not None and failure.get("message") == _UNUSED.summary


def test_the_headline_claims_no_agreement_where_a_difference_is_known() -> None:
    known = finding(
        "drift",
        Severity.INFO,
        summary="y drifts.",
        advice="",
        runtimes=[CPU],
        evidence={"known": {"reason": "roundoff"}},
    )
    check = _check([report([comparison(CPU)], name="m", findings=[known])])
    assert headline(check) == "1 variant on 1 runtime: all agree with Python, except 1 known"


def test_a_variant_without_a_report_is_in_the_matrix_and_its_error_is_told() -> None:
    failure = VariantFailure("gone", "There is no model at gone.keras.", "Check the path.", 2)
    check = _check([report([comparison(CPU)], name="m")], [failure])
    assert [(row.name, row.whole.text) for row in rows(check)] == [("m", ""), ("gone", "ERROR")]
    text = _printed(check)
    assert "gone  There is no model at gone.keras." in text
    assert "Check the path." in text
    assert check_exit_code(check) == 2


@pytest.mark.parametrize(
    ("reports", "codes", "expected"),
    [
        ([report([comparison(CPU)])], [], 0),
        ([report([comparison(CPU, 2 * LIMIT)])], [2], 1),
        ([_worse(WASM)], [], 1),
        ([report([comparison(CPU)], failed=[FIREFOX])], [], 3),
        ([report([comparison(CPU)], failed=[FIREFOX])], [4], 4),
        ([], [4, 2], 4),
        ([], [2], 2),
    ],
)
def test_the_exit_code_is_what_is_certain_first(reports: list[Report], codes: list[int], expected: int) -> None:
    failures = [VariantFailure(f"f{code}", "", "", code) for code in codes]
    assert check_exit_code(_check(reports, failures)) == expected


@pytest.mark.parametrize("kind", CHECK_FORMATS)
def test_every_kind_of_report_names_what_fails(kind: str) -> None:
    failure = VariantFailure("gone", "There is no model\n at gone.keras.", "", 2)
    text = render_check(_check([report([comparison(CPU, 2 * LIMIT)], name="bad"), _worse(WASM)], [failure]), kind)
    for word in ("bad", "drift", "gone.keras", "baseline-worse"):
        assert word in text
    assert "\\x0a" not in text


@pytest.mark.parametrize("kind", CHECK_FORMATS)
def test_a_check_without_any_report_is_written_all_the_same(kind: str) -> None:
    failure = VariantFailure("gone", "There is no model at gone.keras.", "", 2)
    assert "gone.keras" in render_check(_check([], [failure]), kind)
