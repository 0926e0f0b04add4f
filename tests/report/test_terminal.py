from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from pycheck.report.terminal import print_report, render_terminal
from pycheck.types import Finding, Report, RuntimeId, RuntimeStatus, Severity


def without_commands(text: str) -> list[str]:
    """Lines but for command lines, which are never broken."""
    return [line for line in text.splitlines() if not line.startswith("    pycheck ")]


@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_line_is_wider_than_the_terminal_but_a_command(report: Report, width: int) -> None:
    assert max(map(len, without_commands(render_terminal(report, width=width)))) <= width


def test_printed_in_python_a_report_says_what_the_terminal_says(report: Report) -> None:
    assert str(report) == render_terminal(report).rstrip()
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
    assert first["passing"] == "PASS  chromium:cpu, chromium:webgl and chromium:wasm give the answers that Python gives"
    assert first["drifting"] == "DRIFT  chromium:webgl differs from Python by more than the tolerance"
    assert first["with_nan"] == (
        "NAN DIVERGENCE  chromium:webgl and chromium:webgl-f16 give NaN or infinity where Python does not"
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
    assert "more rows, none of which failed; -v shows all" in short
    assert "stage_4" in short.split("\n\n")[2]
    assert len(long.splitlines()) > len(short.splitlines()) + 40


def test_long_names_keep_both_ends(reports: dict[str, Report]) -> None:
    table = render_terminal(reports["many_outputs"], width=80).split("\n\n")[2]
    assert "detector/stage…_block_4/boxes" in table


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
    command = "pycheck compare models/cnn.keras inputs.npy --atol detector/stage_4/convolutional_block_4/boxes:40"
    assert f"    {command}\n" in text
    ended = reports["failing_runtime"].runtimes
    unavailable = tuple(replace(record, status=RuntimeStatus.UNAVAILABLE) for record in ended)
    told = render_terminal(replace(reports["failing_runtime"], runtimes=unavailable))
    assert "    pycheck doctor\n" in told


def test_evidence_is_not_asked_for_twice(reports: dict[str, Report]) -> None:
    passing = reports["passing"]
    assert "keep this as evidence" in render_terminal(passing)
    kept = replace(passing, command=f"{passing.command} --html report.html")
    assert "\nNext\n" not in render_terminal(kept)


def test_a_tolerance_is_not_the_advice_where_more_than_drift_is_wrong(reports: dict[str, Report]) -> None:
    for name in ("mixed", "with_nan", "failing_runtime"):
        assert " --atol " not in render_terminal(reports[name]).partition("\nNext\n")[2]


def test_what_another_finding_explains_is_not_told_twice(reports: dict[str, Report]) -> None:
    assert any(f.code == "drift" for f in reports["quantized"].findings)
    text = render_terminal(reports["quantized"])
    assert "quantization-drift  scores" in text
    assert "  drift  scores" not in text


def test_a_pass_with_warnings_says_so(reports: dict[str, Report]) -> None:
    warning = Finding("input-nonfinite", Severity.WARNING, "The input x holds 3 NaN.", "Take it out.")
    text = render_terminal(replace(reports["passing"], findings=(warning,)), width=120)
    assert text.splitlines()[0].endswith("the answers that Python gives, with 1 warning")


def test_runtimes_tell_what_they_were(reports: dict[str, Report]) -> None:
    ran = render_terminal(reports["drifting"], width=200).partition("\nRan on\n")[2]
    assert "tfjs 4.22.0, browser sandbox off" in ran
    assert "software renderer ANGLE (Google" in ran
    assert "float16, denormals flushed" in ran
    assert "WEBGL_FORCE_F16_TEXTURES=True" in ran
    assert ran.count("SwiftShader driver") == 1
    assert "software renderer of chromium:webgl" in ran


def test_a_note_that_several_runtimes_share_is_told_once(reports: dict[str, Report]) -> None:
    ran = render_terminal(reports["drifting"], width=200).partition("\nRan on\n")[2]
    assert ran.count("small tensors run on the CPU") == 1
    assert "note                chromium:webgl and chromium:webgl-f16: small tensors run on the CPU" in ran


def test_many_runtimes_are_counted_and_not_named(reports: dict[str, Report]) -> None:
    passing = reports["passing"]
    judged = [c for c in passing.comparisons if c.passed is not None]
    extra = tuple(replace(c, candidate=RuntimeId("firefox", c.candidate.kind)) for c in judged)
    report = replace(passing, comparisons=(*passing.comparisons, *extra))
    assert render_terminal(report, width=120).startswith("PASS  all 6 runtimes give the answers that Python gives\n")
