"""What GitHub Actions is told, and when."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pycheck.cli.console import Console
from pycheck.cli.publishing import publish
from pycheck.report import mismatch, render
from pycheck.report.github import SUMMARY_LIMIT_BYTES, render_annotations, render_check_annotations, within_summary
from pycheck.types import CheckReport, Comparison, Finding, Report, RuntimeId, Severity, VariantFailure, Verdict

Said = Callable[..., tuple[str, str]]


def _read(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as GitHub reads it (actions/runner, ActionCommand.cs)."""
    match = re.fullmatch(r"::(\w+) (.*?)::(.*)", line)
    assert match, line
    command, told, data = match.groups()

    def plain(text: str) -> str:
        for escaped, character in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            text = text.replace(escaped, character)
        return text

    properties = dict(pair.split("=", 1) for pair in told.split(","))
    return command, {name: plain(value) for name, value in properties.items()}, plain(data)


def test_a_finding_is_an_annotation_of_the_model_with_the_numbers(reports: dict[str, Report]) -> None:
    first = render_annotations(reports["drifting"]).splitlines()[0]
    command, properties, message = _read(first)
    assert command == "error"
    assert properties == {"file": "models/cnn.keras", "title": "pycheck: drift on chromium:webgl"}
    first, second = message.splitlines()[:2]
    for fact in ("scores on chromium:webgl", "RMS error 0.00229", "21,122 times", "1.08e-7"):
        assert fact in first
    assert second.startswith("Mismatched elements: at least 8 / 640")


def test_a_finding_about_several_runtimes_is_one_annotation_that_names_them(reports: dict[str, Report]) -> None:
    runtimes = tuple(RuntimeId("chromium", kind) for kind in ("cpu", "wasm", "webgl"))
    finding = Finding("conversion-drift", Severity.ERROR, "All err alike.", "", runtimes, "scores")
    (line,) = render_annotations(replace(reports["passing"], findings=(finding,))).splitlines()
    assert _read(line)[1]["title"] == "pycheck: conversion-drift on chromium:cpu, chromium:wasm, chromium:webgl"
    assert _read(line)[2] == "All err alike."


def test_the_numbers_of_several_runtimes_are_told_once_if_they_are_the_same(reports: dict[str, Report]) -> None:
    report = reports["drifting"]
    failed = next(c for c in report.comparisons if c.passed is False)
    other = RuntimeId("firefox", "webgl")
    finding = Finding("drift", Severity.ERROR, "Both err.", "", (failed.candidate, other), failed.tensor)

    def numbers(c: Comparison) -> list[str]:
        both = replace(report, findings=(finding,), comparisons=(failed, c))
        return _read(render_annotations(both).rstrip("\n"))[2].splitlines()[1:]

    alike = numbers(replace(failed, candidate=other))
    assert alike == list(mismatch.lines(failed))
    apart = numbers(replace(failed, candidate=other, max_abs_error=7.0))
    assert len(apart) == 2 * len(alike)
    assert f"{failed.candidate}: {alike[0]}" in apart and "firefox:webgl: Greatest absolute difference: 7" in str(apart)


def test_errors_and_warnings_are_told_and_nothing_else(report: Report) -> None:
    told = [_read(line) for line in render_annotations(report).splitlines()]
    assert {command for command, _, _ in told} <= {"error", "warning"}
    assert any(command == "error" for command, _, _ in told) is not report.passed


def test_no_more_are_told_than_github_shows_and_the_last_counts_the_rest(reports: dict[str, Report]) -> None:
    findings = tuple(Finding(f"code-{i}", Severity.ERROR, f"number {i}", "") for i in range(23))
    told = [_read(line) for line in render_annotations(replace(reports["passing"], findings=findings)).splitlines()]
    assert len(told) == 10
    assert told[8][2] == "number 8"
    assert told[9][2] == "14 more are in the step's summary"


def test_a_name_cannot_end_a_command_nor_begin_another(reports: dict[str, Report]) -> None:
    finding = Finding("drift", Severity.ERROR, "100%\n::set-output name=x::y", "a\r\nb")
    model = replace(reports["passing"].model, path="a,file=b::c\n::error::")
    told = render_annotations(replace(reports["passing"], model=model, findings=(finding,)))
    assert told.count("\n") == 1
    _, properties, message = _read(told.rstrip("\n"))
    assert properties["file"] == "a,file=b::c\\x0a::error::"
    assert message == "100%\\x0a::set-output name=x::y\na\nb"


def test_a_variant_without_a_report_is_an_error() -> None:
    failure = VariantFailure("lost", "There is no model.", "Check the path.", 2)
    told = render_check_annotations(CheckReport("0.1.0", "pycheck.toml", (), (failure,), Verdict.ERROR, 1.0))
    assert _read(told.rstrip("\n")) == ("error", {"title": "pycheck: lost"}, "There is no model.\nCheck the path.")


def test_a_summary_that_is_too_long_is_cut_at_a_line_and_says_so() -> None:
    text = within_summary("a line of the summary, ü\n" * 60_000)
    assert len(text.encode()) <= SUMMARY_LIMIT_BYTES
    assert "ü\n\nThis step summary is cut off" in text[-200:] and text.endswith(".\n")


class TestPublishing:
    @pytest.fixture
    def said(
        self,
        reports: dict[str, Report],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> Said:
        """What reaches standard error and the step's summary, under an environment."""
        summary = tmp_path / "summary.md"
        summary.write_text("Before\n")

        def run(github: bool | None, **environment: str) -> tuple[str, str]:
            monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            assert publish(reports["drifting"], {"json": "-"}, Console(), github=github) == 1
            captured = capsys.readouterr()
            assert captured.out == render(reports["drifting"], "json")
            return captured.err, summary.read_text()

        return run

    def test_in_a_job_of_github_it_is_told_unasked(self, said: Said, reports: dict[str, Report]) -> None:
        err, summary = said(None, GITHUB_ACTIONS="true")
        assert err == render_annotations(reports["drifting"])
        assert summary == "Before\n" + render(reports["drifting"], "markdown")

    def test_elsewhere_only_when_asked(self, said: Said) -> None:
        assert said(None) == ("", "Before\n")
        assert said(True)[0].startswith("::error file=models/cnn.keras,")

    def test_who_does_not_want_it_is_left_alone(self, said: Said) -> None:
        assert said(False, GITHUB_ACTIONS="true") == ("", "Before\n")

    def test_a_summary_that_cannot_be_written_costs_nothing_else(self, said: Said, tmp_path: Path) -> None:
        err, _ = said(True, GITHUB_STEP_SUMMARY=str(tmp_path))
        assert f"GITHUB_STEP_SUMMARY {tmp_path}: Is a directory" in err
