"""The whole of a check on fake runtimes: from an empty folder to a check that fails, and why."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pycheck.runtimes.fake import Fault, drifting, giving

from ..conftest import Cli
from ..fakes import Fakes, dense

#: The same with another bias.
OTHER = dense({"x": 6}, {"y": 4}, bias=0.1)


@pytest.fixture
def work(fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one model, which is the current one."""
    fakes.save(tmp_path / "m.keras", dense({"x": 6}, {"y": 4}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _on(runtimes: str, text: str = "") -> None:
    Path("pycheck.toml").write_text(f'runtimes = [{runtimes}]\n{text}\n[[models]]\npath = "m.keras"\n')


def test_from_init_to_a_changed_model_that_fails_the_check(work: Path, fakes: Fakes, command: Cli) -> None:
    code, out, _ = command("init")
    assert (code, "m.keras, generated inputs" in out) == (0, True)
    code, out, _ = command("check", "--runtime", "chromium:cpu")
    assert (code, out.splitlines()[0].split(",")[0]) == (
        0,
        "PASS  1 variant on 1 runtime: all agree with Python",
    )
    code, _, err = command("baseline", "update", "--runtime", "chromium:cpu")
    assert (code, "pycheck-baseline.toml: 1 output of 1 variant accepted" in err) == (0, True)
    assert command("check", "--runtime", "chromium:cpu")[0] == 0

    fakes.save(work / "m.keras", OTHER)
    reports = ("--json", "check.json", "--html", "check.html")
    code, out, _ = command("check", "--runtime", "chromium:cpu", *reports)
    assert code == 1
    assert "FAIL  m fails" in out
    assert "model-changed  m.keras differs" in out
    assert "pycheck baseline update m" in out
    report = json.loads(Path("check.json").read_text())
    assert [r["name"] for r in report["reports"]] == ["m"]
    assert "<strong>CHANGED</strong>" in Path("check.html").read_text()
    code, _, err = command("baseline", "update", "m", "--runtime", "chromium:cpu")
    assert code == 0
    assert command("check", "--runtime", "chromium:cpu")[0] == 0


def test_what_fails_is_not_accepted(work: Path, command: Cli) -> None:
    _on('"chromium:cpu"', '[[budgets]]\nartifact_size = "10"')
    code, out, err = command("baseline", "update")
    assert (code, "budget-exceeded" in out, "baseline is unchanged" in err) == (1, True, True)
    assert not Path("pycheck-baseline.toml").exists()


def test_variants_and_models_share_one_browser_and_one_bad_model_does_not_stop_the_others(
    work: Path, fakes: Fakes, command: Cli
) -> None:
    fakes.save(work / "other.keras", OTHER)
    (work / "broken.keras").write_text("no model")
    _on(
        '"chromium:cpu", "chromium:wasm"',
        'formats = ["layers", "graph"]\n[[models]]\npath = "other.keras"\n[[models]]\npath = "broken.keras"\n',
    )
    code, out, err = command("check", "--json", "check.json")
    assert code == 2
    assert len(fakes.hosts) == 1
    report = json.loads(Path("check.json").read_text())
    names = ["other/layers", "other/graph", "m/layers", "m/graph"]
    assert [(r["name"], r["verdict"]) for r in report["reports"]] == [(name, "pass") for name in names]
    assert [f["name"] for f in report["failures"]] == ["broken/layers", "broken/graph"]
    assert "broken/graph  broken.keras is not a .keras archive" in out
    assert "m/graph chromium:wasm: ok" in err


def test_latency_is_measured_with_one_runtime_at_a_time(work: Path, command: Cli) -> None:
    _on('"chromium:cpu", "chromium:wasm"', 'batch_size = 8\n[[budgets]]\nlatency = 0\nagainst = "chromium:wasm"')
    code, out, _ = command("check")
    assert code == 1
    assert "times as long per sample as chromium:wasm" in " ".join(out.split())


@pytest.mark.parametrize(
    ("baseline", "said"),
    [("schema = 7\n", "has schema 7"), ("<<<<<<< ours\n", "is not a baseline")],
)
def test_a_baseline_that_is_none_ends_it_before_anything_runs(
    work: Path, command: Cli, baseline: str, said: str
) -> None:
    _on('"chromium:cpu"')
    Path("pycheck-baseline.toml").write_text(baseline)
    code, out, err = command("check")
    assert (code, out) == (2, "")
    assert said in err
    assert "chromium" not in err


def test_a_baseline_that_is_named_has_to_exist(work: Path, command: Cli) -> None:
    _on('"chromium:cpu"', '[baseline]\nfile = "accepted.toml"')
    code, _, err = command("check")
    assert (code, "accepted.toml does not exist" in err) == (2, True)


def test_a_wrong_configuration_ends_every_command_with_its_line(work: Path, command: Cli) -> None:
    _on('"chromium:wbgl"')
    for words in (("check",), ("baseline", "update"), ("compare", "m.keras")):
        code, _, err = command(*words)
        assert code == 2
        assert err.startswith("pycheck: pycheck.toml:1: runtimes: ")
        assert "Did you mean chromium:webgl?" in err


def test_compare_reads_the_common_settings_of_a_configuration_and_leaves_the_rest(work: Path) -> None:
    from pycheck.options.reading import build

    _on('"firefox:cpu"', 'samples = 3\n[severity]\ndrift = "warn"')
    options = build({}, environ={})
    assert ([str(runtime) for runtime in options.runtimes], options.samples) == (["firefox:cpu"], 3)


@pytest.mark.parametrize(
    ("fault", "code", "finding"),
    [
        (drifting(0.5), 1, "drift"),
        (giving(np.nan), 1, "nan-introduced"),
        (Fault(hangs=True), 3, "runtime-timed-out"),
        (Fault(lambda value: value + np.float32(0.5), since=2), 1, "stale-state"),
    ],
    ids=["drift", "nan", "hangs", "right once"],
)
def test_what_one_runtime_gets_wrong_is_the_exit_code_and_in_every_report(
    fault: Fault, code: int, finding: str, work: Path, fakes: Fakes, command: Cli
) -> None:
    fakes.break_("chromium:webgl", fault)
    _on('"chromium:cpu", "chromium:webgl"')
    reports = ("--json", "r.json", "--html", "r.html", "--junit", "r.xml", "--markdown", "r.md")
    said = command("check", "--timeout", "0.1", *reports)
    assert said.code == code, said.err
    for text in (said.out, *(Path(f"r.{suffix}").read_text() for suffix in ("json", "html", "xml", "md"))):
        assert finding in text and "chromium:webgl" in text


def test_a_known_divergence_is_excused_with_its_reason_until_it_expires(work: Path, fakes: Fakes, command: Cli) -> None:
    fakes.break_("chromium:webgl", drifting(0.5))
    known = '[[known]]\ncode = "drift"\nruntime = "chromium:webgl"\nreason = "a driver bug"\nexpires = {}\n'
    _on('"chromium:cpu", "chromium:webgl"', known.format("2999-01-01"))
    code, out, _ = command("check")
    assert (code, "a driver bug" in out) == (0, True)
    _on('"chromium:cpu", "chromium:webgl"', known.format("2020-01-01"))
    assert command("check").code == 1


def test_a_known_change_of_the_answer_is_excused(work: Path, fakes: Fakes, command: Cli) -> None:
    fakes.break_("chromium:webgl", Fault(lambda value: value + np.float32(0.5), since=2))
    _on('"chromium:webgl"')
    assert command("check").code == 1
    _on(
        '"chromium:webgl"',
        '[[known]]\ncode = "stale-state"\noutput = "y"\nreason = "a driver bug"\nexpires = 2999-01-01\n',
    )
    code, out, _ = command("check")
    assert (code, "a driver bug" in out) == (0, True)


def test_a_runtime_that_became_worse_fails_against_the_baseline(work: Path, fakes: Fakes, command: Cli) -> None:
    _on('"chromium:cpu"', "atol = 1e-3")
    assert command("baseline", "update").code == 0
    fakes.break_("chromium:cpu", drifting(1e-4))
    code, out, _ = command("check")
    assert (code, "baseline-worse" in out) == (1, True)


def test_both_libraries_are_checked_accepted_and_shown_in_every_form(work: Path, fakes: Fakes, command: Cli) -> None:
    _on('"chromium:cpu", "chromium:litert-wasm", "chromium:litert-webgpu"', 'formats = ["auto", "tflite"]')
    forms = [w for kind in ("json", "html", "junit", "markdown") for w in (f"--{kind}", f"check.{kind}")]
    code, out, _ = command("check", *forms)
    assert code == 0
    lines = out.splitlines()
    head = next(i for i, line in enumerate(lines) if line.split() == ["chromium"])
    assert lines[head + 1].split() == ["cpu", "litert-wasm", "litert-webgpu"]
    assert [line.split() for line in lines[head + 2 : head + 4]] == [
        ["m", "pass", "-", "-"], ["m/tflite", "-", "pass", "pass"],
    ]  # fmt: skip
    for kind in ("json", "html", "junit", "markdown"):
        assert "litert-webgpu" in Path(f"check.{kind}").read_text()
    assert command("baseline", "update")[0] == 0
    assert command("check")[0] == 0

    fakes.break_("chromium:litert-webgpu", drifting(0.5))
    code, out, _ = command("check")
    assert (code, "DRIFT  m/tflite fails" in out) == (1, True)
    assert "pycheck trace m.keras" in out
    assert command("check", "--runtime", "chromium:cpu")[0] == 0
    assert command("check", "m/tflite", "--runtime", "chromium:litert-wasm")[0] == 0


def test_an_impossible_format_is_told_with_its_line_before_anything_runs(work: Path, command: Cli) -> None:
    _on('"chromium:cpu"', 'quantizations = ["none", "dynamic"]')
    code, out, err = command("check")
    assert (code, out) == (2, "")
    assert "pycheck.toml:2: quantizations" in err and "starting" not in err
