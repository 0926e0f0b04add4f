from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console
from rich.text import Text

import pycheck
from pycheck.report import layout
from pycheck.report.check_terminal import render_check
from pycheck.report.terminal import print_report, render_terminal
from pycheck.types import (
    CheckReport,
    Finding,
    LimitUse,
    Report,
    RuntimeId,
    RuntimeStatus,
    Severity,
    VariantFailure,
    Verdict,
)


def without_commands(text: str) -> list[str]:
    """Lines but for command lines, which are never broken."""
    return [line for line in text.splitlines() if not line.startswith("    pycheck ")]


@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_line_is_wider_than_the_terminal_but_a_command_and_a_table_of_long_names(report: Report, width: int) -> None:
    head, context, table, *rest = render_terminal(report, width=width).split("\n\n")
    for part in (head, context, *rest):
        assert max(map(len, without_commands(part)), default=0) <= width
    name = max(len(c.tensor) for c in report.comparisons)
    assert max(map(len, table.splitlines())) <= max(width, 80 + name)


def test_printed_in_python_a_report_says_what_the_terminal_says(report: Report) -> None:
    assert str(pycheck.Report.of(report)) == render_terminal(report).rstrip()
    assert repr([report]) == f"[<Report of {report.name or report.model.path}: {report.verdict}>]"


@pytest.mark.parametrize("verbosity", [0, 1])
def test_runtime_names_are_never_broken(report: Report, verbosity: int) -> None:
    text = render_terminal(report, width=80, verbosity=verbosity)
    table = text.split("\n\n")[2]
    for comparison in report.comparisons:
        if not comparison.is_noise_floor:
            assert str(comparison.candidate) in table


def test_the_verdict_comes_first(reports: dict[str, Report]) -> None:
    first = {name: render_terminal(report, width=120).splitlines()[0] for name, report in reports.items()}
    assert first["passing"] == "PASS  chromium:cpu, chromium:webgl and chromium:wasm agree with Python"
    assert first["drifting"] == "DRIFT  chromium:webgl differs from Python by more than the tolerance"
    assert first["with_nan"] == (
        "NAN DIVERGENCE  chromium:webgl and chromium:webgl-f16 give NaN or infinity, Python does not"
    )
    assert first["failing_runtime"] == "ERROR  chromium:webgpu did not run"
    assert first["mixed"] == (
        "DRIFT  chromium:webgl differs from Python by more than the tolerance; chromium:webgpu did not run"
    )


def test_quiet_is_the_verdict_alone(reports: dict[str, Report]) -> None:
    assert len(render_terminal(reports["mixed"], width=200, verbosity=-1).splitlines()) == 1


def test_plain_text_has_no_escape_sequences_and_colour_has(reports: dict[str, Report]) -> None:
    assert "\x1b" not in render_terminal(reports["drifting"])
    assert "\x1b[1;31mDRIFT" in render_terminal(reports["drifting"], color=True)


def test_no_color_is_honoured(reports: dict[str, Report], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    written = io.StringIO()
    print_report(reports["drifting"], Console(file=written, force_terminal=True, color_system="standard", width=80))
    assert written.getvalue().startswith("\x1b[1mDRIFT")
    assert "\x1b[1;31m" not in written.getvalue()
    assert "\x1b[31m" not in written.getvalue()


def test_no_line_ends_in_spaces(report: Report) -> None:
    written = io.StringIO()
    print_report(report, Console(file=written, width=100))
    assert [line for line in written.getvalue().splitlines() if line != line.rstrip()] == []


def test_names_cannot_command_the_terminal(reports: dict[str, Report]) -> None:
    text = render_terminal(reports["hostile"], color=True, width=200)
    assert "\x1b[31m[bold]" not in text
    assert "\\x1b[31m[bold]&\\x00" in text


def test_columns_that_say_nothing_are_left_out(reports: dict[str, Report]) -> None:
    header = render_terminal(reports["passing"]).split("\n\n")[2].splitlines()[0]
    assert "NaN/Inf" not in header
    assert "output" not in header
    assert "top-1" in header
    assert "NaN/Inf" in render_terminal(reports["with_nan"]).split("\n\n")[2].splitlines()[0]


def test_many_outputs_show_what_failed_and_say_what_is_left_out(reports: dict[str, Report]) -> None:
    short, long = (render_terminal(reports["many_outputs"], width=120, verbosity=v) for v in (0, 1))
    assert "more rows without a failure; -v shows all" in short
    assert "stage_4" in short.split("\n\n")[2]
    assert len(long.splitlines()) > len(short.splitlines()) + 40


def test_long_names_stay_whole(reports: dict[str, Report]) -> None:
    table = render_terminal(reports["many_outputs"], width=80).split("\n\n")[2]
    assert "detector/stage_4/convolutional_block_4/boxes" in table


LONG = "StatefulPartitionedCall/functional_12/a_very_long_block_name/with-hyphens/and/more/conv_2d_17/Conv2D"


@pytest.mark.parametrize("width", [20, 60, 80, 100])
def test_a_name_or_an_option_is_never_broken_by_the_width_of_the_terminal(
    reports: dict[str, Report], width: int
) -> None:
    advice = f"Pair each output with its own:\n--map-output {LONG}=y --map-output b=z"
    finding = Finding("drift", Severity.ERROR, f"It starts at {LONG}, here.", advice)
    text = render_terminal(replace(reports["passing"], findings=(finding,)), width=width)
    assert f"{LONG}," in text
    assert f"--map-output {LONG}=y --map-output b=z\n" in text
    told = layout.pairs([("passed on by", f"the node {LONG} and others"), ("file", f"/tmp/{LONG}")], width).plain
    assert told.count(LONG) == 2
    assert layout.paragraph(f"{LONG} {LONG}", width, indent=4).plain == f"    {LONG}\n    {LONG}"


def test_text_is_broken_between_words_alone_and_keeps_its_styles() -> None:
    text = Text.assemble(("alpha beta gamma delta", "red"), " epsilon zeta eta")
    laid_out = layout.paragraph(text, 32, indent=6)
    assert laid_out.plain == "      alpha beta gamma delta\n      epsilon zeta eta"
    assert [laid_out.plain[span.start : span.end].strip() for span in laid_out.spans if span.style == "red"] == [
        "alpha beta gamma delta"
    ]


def test_worst_elements_tell_sample_index_and_both_values(reports: dict[str, Report]) -> None:
    lines = render_terminal(reports["mixed"]).splitlines()
    at = lines.index("Worst elements")
    assert lines[at + 1 : at + 4] == [
        "  chromium:webgl  labels",
        "    sample  index                Python        browser       error",
        "         7  -                         7              8           1",
    ]


def test_the_next_step_is_a_command_in_one_line(reports: dict[str, Report]) -> None:
    text = render_terminal(reports["many_outputs"], width=80)
    command = "pycheck compare models/cnn.keras inputs.npy --save-run run"
    assert f"    {command}\n" in text
    ended = reports["failing_runtime"].runtimes
    unavailable = tuple(replace(record, status=RuntimeStatus.UNAVAILABLE) for record in ended)
    told = render_terminal(replace(reports["failing_runtime"], runtimes=unavailable))
    assert "    pycheck doctor\n" in told


def test_evidence_is_not_asked_for_twice(reports: dict[str, Report]) -> None:
    passing = reports["passing"]
    assert "save the report" in render_terminal(passing)
    kept = replace(passing, command=f"{passing.command} --html report.html")
    assert "\nNext steps\n" not in render_terminal(kept)


def test_a_tolerance_is_not_the_advice_where_more_than_drift_is_wrong(reports: dict[str, Report]) -> None:
    for name in ("mixed", "with_nan", "failing_runtime"):
        assert " --atol " not in render_terminal(reports[name]).partition("\nNext\n")[2]


def drifted(report: Report, times: float, share: float, *causes: str) -> Report:
    """A report whose failed outputs err by so many times their limits, and by this share of their largest value."""
    worst = {c.tensor: max(times, 1.01) for c in report.comparisons if c.drifted}
    comparisons = tuple(
        replace(
            c,
            max_abs_error=share * c.reference_scale,
            rms_error=None,
            limit_use=LimitUse("max_abs", share * c.reference_scale, 1.0, worst[c.tensor]),
            tolerance=replace(c.tolerance, mode="auto", max_abs=share * c.reference_scale / worst[c.tensor], rms=None),
        )
        if c.drifted and c.reference_scale and c.tolerance
        else c
        for c in report.comparisons
    )
    findings = tuple(replace(f, explained_by=causes) if f.code == "drift" else f for f in report.findings)
    return replace(report, comparisons=comparisons, findings=findings)


def test_a_tolerance_is_the_advice_for_ordinary_errors_alone_and_one_number_an_output(
    reports: dict[str, Report],
) -> None:
    def offered(times: float, share: float, *causes: str) -> int:
        text = render_terminal(drifted(reports["many_outputs"], times, share, *causes), width=100)
        return text.count("--atol")

    assert offered(3.0, 1e-4) == offered(9.0, 9e-3) == offered(3.0, 1e-4, "own-drift") == 1
    assert offered(11.0, 1e-4) == offered(3.0, 0.02) == 0
    for fault in ("broken-kernel", "output-pairing", "conversion-drift", "noise-floor-high", "int32-precision"):
        assert offered(3.0, 1e-4, fault) == 0


def test_what_another_finding_explains_keeps_its_line_behind_it_and_has_no_advice(reports: dict[str, Report]) -> None:
    drifts = [f for f in reports["quantized"].findings if f.code == "drift"]
    assert drifts and all(f.explained_by == ("quantization-drift",) and not f.advice for f in drifts)
    text = render_terminal(reports["quantized"])
    assert 0 < text.index("quantization-drift  scores") < text.index("  drift  scores")


def test_a_pass_with_warnings_says_so(reports: dict[str, Report]) -> None:
    warning = Finding("input-nonfinite", Severity.WARNING, "The input x holds 3 NaN.", "Take it out.")
    text = render_terminal(replace(reports["passing"], findings=(warning,)), width=120)
    assert text.splitlines()[0].endswith("agree with Python, with 1 warning")


def test_runtimes_tell_what_they_were(reports: dict[str, Report]) -> None:
    ran = render_terminal(reports["drifting"], width=200).partition("\nEnvironment\n")[2]
    assert "tfjs 4.22.0, browser sandbox off" in ran
    assert "software renderer ANGLE (Google" in ran
    assert "float16, denormals flushed" in ran
    assert "WEBGL_FORCE_F16_TEXTURES=True" in ran
    assert ran.count("SwiftShader driver") == 1
    assert "software renderer as on chromium:webgl" in ran


def test_a_note_that_several_runtimes_share_is_told_once(reports: dict[str, Report]) -> None:
    ran = render_terminal(reports["drifting"], width=200).partition("\nEnvironment\n")[2]
    assert ran.count("small tensors run on the CPU") == 1
    assert "note                chromium:webgl and chromium:webgl-f16: small tensors run on the CPU" in ran


def test_many_runtimes_are_counted_and_not_named(reports: dict[str, Report]) -> None:
    passing = reports["passing"]
    judged = [c for c in passing.comparisons if c.passed is not None]
    extra = tuple(replace(c, candidate=RuntimeId("firefox", c.candidate.kind)) for c in judged)
    report = replace(passing, comparisons=(*passing.comparisons, *extra))
    assert render_terminal(report, width=120).startswith("PASS  all 6 runtimes agree with Python\n")


def test_a_failure_of_several_lines_in_a_check_keeps_its_lines() -> None:
    message = "Cannot convert the model to a TF.js graph model:\n  ResizeBicubic: TF.js has no such operation"
    failure = VariantFailure("up", message, "Replace these layers.", 4)
    text = render_check(CheckReport("0.1.0", "pycheck.toml", (), (failure,), Verdict.ERROR, 1.5))
    assert "\n    ResizeBicubic: TF.js has no such operation\n    Replace these layers." in text
    assert "\\x0a" not in text
