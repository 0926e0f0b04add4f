from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from pycheck.report import render, render_check
from pycheck.types import CheckReport, Finding, Report, RuntimeId, RuntimeStatus, Severity, VariantFailure, Verdict


def test_there_is_a_case_for_each_output_of_each_candidate(report: Report) -> None:
    root = ElementTree.fromstring(render(report, "junit").partition("\n")[2])
    judged = [c for c in report.comparisons if not c.is_noise_floor]
    broken = [r for r in report.runtimes if r.status is not RuntimeStatus.OK]
    assert int(root.get("tests", "")) == len(root.findall(".//testcase")) == len(judged) + len(broken)
    assert int(root.get("failures", "")) == len(root.findall(".//failure")) == sum(c.passed is False for c in judged)
    assert int(root.get("errors", "")) == len(root.findall(".//error")) == len(broken)


def test_cases_of_a_check_are_told_apart_by_their_variant(reports: dict[str, Report]) -> None:
    variants = tuple(replace(reports[name], name=f"cnn/{name}") for name in ("passing", "drifting"))
    failure = VariantFailure("lost", "There is no model at lost.keras.", "Check the path.", 2)
    check = CheckReport("0.1.0", "pycheck.toml", variants, (failure,), Verdict.DRIFT, 3.0)
    root = ElementTree.fromstring(render_check(check, "junit").partition("\n")[2])
    cases = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(cases) == len(set(cases)) == int(root.get("tests", ""))
    assert ("cnn/drifting chromium:webgl", "scores") in cases
    error = root.find("testsuite[@name='lost']/testcase/error")
    assert error is not None and error.get("message") == "There is no model at lost.keras."


def test_an_error_that_no_output_shows_is_a_case_of_its_own(reports: dict[str, Report]) -> None:
    finding = Finding("budget-exceeded", Severity.ERROR, "The artifact has 3 MB; 2 MB are allowed.", "Quantize it.")
    report = replace(reports["passing"], findings=(finding,), verdict=Verdict.ERROR)
    root = ElementTree.fromstring(render(report, "junit").partition("\n")[2])
    failure = root.find("testsuite/testcase[@name='budget-exceeded']/failure")
    assert failure is not None and failure.get("message") == finding.summary
    assert root.get("failures") == "1"


def test_an_error_about_several_runtimes_is_told_in_their_cases_or_in_one_of_its_own(
    reports: dict[str, Report],
) -> None:
    report = reports["drifting"]
    failed = next(c for c in report.comparisons if c.passed is False)
    runtimes = (failed.candidate, RuntimeId("firefox", "cpu"))
    told = Finding("conversion-drift", Severity.ERROR, "Both err alike.", "", runtimes, failed.tensor)
    alone = Finding("artifact-unsupported", Severity.ERROR, "It lacks Roll.", "", runtimes, "roll")
    text = render(replace(report, findings=(told, alone)), "junit")
    root = ElementTree.fromstring(text.partition("\n")[2])
    (shown,) = [f for f in root.iter("failure") if f.get("message") == told.summary]
    assert shown.get("type") == "drift" and "conversion-drift: Both err alike." in (shown.text or "")
    names = [case.get("name") for case in root.findall(".//testcase[failure]")]
    assert names[-1] == "artifact-unsupported chromium:webgl firefox:cpu roll"


def test_a_report_that_does_not_pass_has_a_case_that_does_not_either(report: Report) -> None:
    root = ElementTree.fromstring(render(report, "junit").partition("\n")[2])
    assert (int(root.get("failures", "")) + int(root.get("errors", "")) > 0) is (not report.passed)


def test_a_failure_tells_kind_reason_and_elements(reports: dict[str, Report]) -> None:
    root = ElementTree.fromstring(render(reports["mixed"], "junit").partition("\n")[2])
    kinds = {(c.get("classname"), c.get("name")): c.find("failure") for c in root.iter("testcase")}
    failure = kinds["models/cnn.keras chromium:webgl", "labels"]
    assert failure is not None
    assert failure.get("type") == "drift"
    assert "integers differ by up to 1" in failure.get("message", "")
    assert "Mismatched elements: 1 / 64 (1.56 %), beyond the limit" in (failure.text or "")
    assert "sample 7: Python 7, browser 8" in (failure.text or "")
    mismatch = kinds["models/cnn.keras chromium:wasm", "scores"]
    assert mismatch is not None and mismatch.get("type") == "shape_mismatch"
    assert kinds["models/cnn.keras chromium:cpu", "scores"] is None


def test_a_shared_cause_is_the_reason_of_each_case(reports: dict[str, Report]) -> None:
    root = ElementTree.fromstring(render(reports["quantized"], "junit").partition("\n")[2])
    messages = [failure.get("message", "") for failure in root.iter("failure")]
    assert messages and all("quantized to uint8" in message for message in messages)


def test_a_runtime_that_did_not_run_is_an_error_of_its_own(reports: dict[str, Report]) -> None:
    root = ElementTree.fromstring(render(reports["failing_runtime"], "junit").partition("\n")[2])
    error = root.find("testsuite[@name='models/cnn.keras chromium:webgpu']/testcase/error")
    assert error is not None
    assert error.get("message") == "navigator.gpu.requestAdapter() gave null"


def test_the_environment_is_in_the_suites_properties(reports: dict[str, Report]) -> None:
    root = ElementTree.fromstring(render(reports["drifting"], "junit").partition("\n")[2])
    values = [
        p.get("value", "")
        for p in root.findall("testsuite[@name='models/cnn.keras chromium:webgl']/properties/property")
    ]
    assert any("SwiftShader" in value for value in values)
    assert any("tfjs 4.22.0" in value for value in values)
