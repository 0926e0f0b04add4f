"""What an assertion on a report says when it fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

import pycheck
from pycheck.types import Environment, Report, RuntimeStatus, Verdict


def _said(report: Report) -> str:
    with pytest.raises(AssertionError) as raised:
        pycheck.Report.of(report).assert_ok()
    return str(raised.value)


def test_a_report_that_passed_says_nothing(reports: dict[str, Report]) -> None:
    pycheck.Report.of(reports["passing"]).assert_ok()


def test_every_other_report_fails_with_its_verdict_first(report: Report) -> None:
    if report.verdict is not Verdict.PASS:
        assert _said(report).startswith(report.verdict.value.upper().replace("_", " ") + ": ")


def test_drift_is_told_from_the_top_in_the_order_of_torch_testing(reports: dict[str, Report]) -> None:
    assert _said(reports["explicit"]).splitlines() == [
        "DRIFT: chromium:webgl differs from Python by more than the tolerance",
        "models/cnn.keras (keras-v3), 64 samples from inputs.npy",
        "",
        "scores on chromium:webgl differs from Python:",
        "  Mismatched elements: 234 / 640 (36.6 %), beyond the limit",
        "  Greatest absolute difference: 0.038 at sample 47 [8] (up to 0.0001 and 0.001 of the reference allowed)",
        "  Greatest relative difference: 0.039 (up to 0.001 allowed)",
        "",
        "error drift: scores on chromium:webgl: 234 of 640 elements are outside the given tolerance (rtol 0.001, atol "
        "0.0001), the worst at sample 47 [8].",
        "  Only chromium:webgl differs, so a kernel of that backend is suspect: pycheck trace names it.",
        "",
        "To save the raw outputs:",
        "  pycheck compare models/cnn.keras inputs.npy --save-run run",
        "To find the operation and fixes:",
        "  pycheck trace models/cnn.keras inputs.npy --try-remedies",
    ]


def test_elements_of_another_class_are_counted_by_kind_with_the_first_of_each(reports: dict[str, Report]) -> None:
    said = _said(reports["with_nan"])
    assert "  Mismatched elements: 10 / 640 (1.56 %), NaN or infinite only on this runtime\n" in said
    assert "  First NaN or infinite only on this runtime: sample 3 [0]: Python 0.0002500585, browser NaN\n" in said
    assert "  First NaN or infinite only in Python: sample 9 [0, 0, 0]: Python Inf, browser 88.03\n" in said


def test_under_the_automatic_limit_no_more_is_claimed_than_is_known(reports: dict[str, Report]) -> None:
    said = _said(reports["drifting"])
    assert "Mismatched elements: at least 8 / 640 (1.25 %), beyond the limit\n" in said
    assert "RMS difference: 0.0023 (up to 1.1e-7 allowed)\n" in said


def test_integers_that_differ_are_counted(reports: dict[str, Report]) -> None:
    said = _said(reports["mixed"])
    assert "  Mismatched elements: 1 / 64 (1.56 %), beyond the limit\n" in said
    assert "  Greatest absolute difference: 1 at sample 7 (up to 0 allowed)\n" in said
    assert "  Shapes of a sample differ: reference (10,), candidate (9,)\n" in said


def test_a_runtime_that_did_not_run_is_named_with_the_reason(reports: dict[str, Report]) -> None:
    said = _said(reports["failing_runtime"])
    assert "\nchromium:webgpu failed\n" in said
    assert "navigator.gpu.requestAdapter() gave null\n  Start it with --browser-arg" in said
    assert "  pycheck doctor" not in said  # it started: no browser is in doubt
    unavailable = [replace(r, status=RuntimeStatus.UNAVAILABLE) for r in reports["failing_runtime"].runtimes]
    assert "  pycheck doctor" in _said(replace(reports["failing_runtime"], runtimes=tuple(unavailable)))


def test_a_browser_that_is_slow_is_not_in_doubt_and_what_broke_may_be_cured(reports: dict[str, Report]) -> None:
    def ended(status: RuntimeStatus, environment: Environment | None) -> str:
        failing = reports["failing_runtime"]
        runtimes = tuple(
            r if r.status is RuntimeStatus.OK else replace(r, status=status, environment=environment)
            for r in failing.runtimes
        )
        return _said(replace(failing, runtimes=runtimes, command="pycheck compare models/cnn.keras"))

    started = Environment("tfjs 4.22.0")
    assert "pycheck compare models/cnn.keras --try-remedies" in ended(RuntimeStatus.FAILED, started)
    assert "--try-remedies" not in ended(RuntimeStatus.FAILED, None)
    assert "  pycheck doctor" not in ended(RuntimeStatus.TIMED_OUT, started)
    assert "  pycheck doctor" in ended(RuntimeStatus.TIMED_OUT, None)


def test_what_no_file_holds_is_traced_from_python(reports: dict[str, Report]) -> None:
    said = _said(replace(reports["with_nan"], command=""))
    assert said.endswith(
        "To find the operation and fixes:\n"
        "  pycheck.trace(model, inputs, runtimes=['chromium:webgl', 'chromium:webgl-f16'], try_remedies=True)"
    )


def test_no_control_character_of_a_name_reaches_the_terminal(reports: dict[str, Report]) -> None:
    assert all(c.isprintable() or c == "\n" for c in _said(reports["hostile"]))
