"""A run of both libraries, one of which cannot have the model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pycheck.errors import ConversionError

from ..conftest import Cli
from ..fakes import Fakes

BOTH = ("--runtime", "chromium:cpu", "--runtime", "chromium:litert-wasm", "--runtime", "firefox:litert-wasm")
ERROR = ConversionError("Cannot convert the model:\n  Foo (layer foo)", "Replace the layer.")


@pytest.fixture
def work(tmp_path: Path, fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: m.keras and x.npy."""
    monkeypatch.chdir(tmp_path)
    fakes.save(tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", np.ones((3, 4), np.float32))
    return tmp_path


LITERT = ["chromium:litert-wasm", "firefox:litert-wasm"]


@pytest.mark.parametrize(
    ("what", "refused", "lacking"),
    [
        (["compare"], "tflite", LITERT),
        (["compare"], "layers", ["chromium:cpu"]),
        (["trace"], "tflite", LITERT),
        (["compare", "--trace"], "layers", ["chromium:cpu"]),
        (["compare", "--try-remedies"], "tflite", LITERT),
        (["compare", "--try-remedies"], "layers", ["chromium:cpu"]),
    ],
)
def test_the_runtimes_of_the_other_library_are_compared(
    work: Path, fakes: Fakes, command: Cli, what: list[str], refused: str, lacking: list[str]
) -> None:
    fakes.refused[refused] = ERROR
    code, _, error = command(*what, "m.keras", "x.npy", *BOTH, "--json", "report.json")
    assert code == 3, error
    report = json.loads(Path("report.json").read_text())
    ran = [runtime for runtime in BOTH[1::2] if runtime not in lacking]
    assert {row["candidate"] for row in report["comparisons"] if row["passed"]} == set(ran)
    assert [runtime["id"] for runtime in report["runtimes"] if runtime["status"] == "failed"] == lacking
    assert report["artifact" if refused == "layers" else "litert_artifact"] is None
    (finding,) = (finding for finding in report["findings"] if finding["code"] == "runtime-failed")
    assert finding["runtimes"] == lacking
    assert finding["summary"].startswith(" and ".join(lacking) + " did not run: Cannot convert the model:")
    assert "Replace the layer." in finding["advice"]


def test_a_model_that_neither_library_can_have_is_no_run(fakes: Fakes, work: Path, command: Cli) -> None:
    fakes.refused |= {"tflite": ConversionError("Not for LiteRT."), "layers": ERROR}
    code, _, error = command("compare", "m.keras", "x.npy", *BOTH)
    assert (code, error.splitlines()[-1]) == (4, "  Replace the layer.")


def test_the_kept_answers_of_the_other_library_are_used(fakes: Fakes, work: Path, command: Cli) -> None:
    fakes.identity = "a build"
    fakes.refused["tflite"] = ERROR
    for _ in range(2):
        assert command("compare", "m.keras", "x.npy", *BOTH, "--recheck", "0", "--json", "report.json")[0] == 3
    runtimes = {runtime["id"]: runtime for runtime in json.loads(Path("report.json").read_text())["runtimes"]}
    assert runtimes["chromium:cpu"]["kept_at"]
    assert runtimes["chromium:litert-wasm"]["kept_at"] is None


def test_a_saved_run_is_judged_again(fakes: Fakes, work: Path, command: Cli) -> None:
    fakes.refused["tflite"] = ERROR
    assert command("compare", "m.keras", "x.npy", *BOTH, "--save-run", "run")[0] == 3
    code, told, _ = command("report", "run")
    assert code == 3 and "chromium:litert-wasm and firefox:litert-wasm did not run" in " ".join(told.split())


def test_a_check_has_the_row_of_the_other_library(fakes: Fakes, work: Path, command: Cli) -> None:
    Path("pycheck.toml").write_text(f'runtimes = {json.dumps(list(BOTH[1::2]))}\n[[models]]\npath = "m.keras"\n')
    fakes.refused["tflite"] = ERROR
    code, told, error = command("check")
    assert code == 3, error
    row = next(line.split() for line in told.splitlines() if line.startswith("m "))
    assert row[1:] == ["pass", "NO", "RUN", "NO", "RUN"]
