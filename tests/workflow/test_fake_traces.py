"""A trace, remedies and their reports on fake runtimes: what the page gives wrong is known, and so is where."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pycheck.errors import RuntimeFailedError
from pycheck.runtimes.fake import Fault, drifting, giving

from ..conftest import Cli
from ..fakes import Fakes, chain, dense

TRACED = ("--runtime", "chromium:cpu", "--runtime", "chromium:webgl")


@pytest.fixture
def work(fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with m.keras and x.npy, which is the current one."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32))
    return fakes.save(tmp_path / "m.keras", chain())


def test_a_sound_model_has_no_source_and_every_point_is_looked_at(work: Path, command: Cli) -> None:
    code, out, _ = command("trace", "m.keras", "x.npy", *TRACED, "--json", "-")
    report = json.loads(out)
    assert (code, report["verdict"]) == (0, "pass")
    points = {point["name"]: [result["role"] for result in point["results"]] for point in report["trace"]["points"]}
    assert points == {"hidden": ["ok", "ok"], "y": ["ok", "ok"]}


@pytest.mark.parametrize("step", ["hidden", "y"])
@pytest.mark.parametrize("format", ["layers", "graph"])
def test_the_step_that_errs_is_the_source_and_those_behind_it_pass_it_on(
    step: str, format: str, work: Path, fakes: Fakes, command: Cli
) -> None:
    fakes.break_("chromium:webgl", drifting(0.5, step=step))
    said = command("trace", "m.keras", "x.npy", *TRACED, "--format", format, "--json", "r.json", "--html", "r.html")
    assert said.code == 1, said.err
    report = json.loads(Path("r.json").read_text())
    roles = {p["name"]: {r["runtime"]: r["role"] for r in p["results"]} for p in report["trace"]["points"]}
    assert roles[step]["chromium:webgl"] == "source"
    assert roles["y"] == {"chromium:cpu": "ok", "chromium:webgl": "source" if step == "y" else "passes-on"}
    assert f"{step} (Dense, layer {step})" in said.out


def test_nan_that_begins_inside_is_told_with_its_step(work: Path, fakes: Fakes, command: Cli) -> None:
    fakes.break_("chromium:webgl", giving(np.nan, step="hidden", sample=3))
    code, out, _ = command("compare", "m.keras", "x.npy", *TRACED, "--trace", "--json", "-")
    report = json.loads(out)
    assert (code, report["verdict"]) == (1, "nan_divergence")
    sources = [f["layer"] for f in report["findings"] if "ran_alone" in f["evidence"]]
    assert sources == ["hidden"]


def test_a_source_explains_what_is_behind_it_and_no_other_output(work: Path, fakes: Fakes, command: Cli) -> None:
    fakes.save(work, dense(outputs={"bad": 3, "off": 2}))
    fakes.break_("chromium:webgl", Fault(lambda value: value * np.nan if value.shape[1] == 3 else value + 0.5))
    code, out, _ = command("trace", "m.keras", "x.npy", *TRACED, "--json", "-")
    findings = json.loads(out)["findings"]
    source = {f["tensor"]: f["code"] for f in findings if "ran_alone" in f["evidence"]}
    assert code == 1 and source["bad"] != source["off"]
    behind = {f["tensor"]: f["explained_by"] for f in findings if f["code"] in ("nan-introduced", "drift")}
    assert behind == {name: [source[name]] for name in ("bad", "off")}


def test_a_runtime_that_fails_in_a_trace_keeps_what_it_gave_before(work: Path, fakes: Fakes, command: Cli) -> None:
    fakes.break_("chromium:webgl", Fault(error=RuntimeFailedError("the page crashed"), at="run"))
    code, out, _ = command("trace", "m.keras", "x.npy", *TRACED, "--json", "-")
    report = json.loads(out)
    assert code == 3
    assert report["trace"]["points"][0]["results"][0]["runtime"] == "chromium:cpu"
    assert [c["passed"] for c in report["comparisons"] if c["candidate"] == "chromium:webgl"] == [True]


def test_the_backend_that_is_right_is_the_remedy_of_one_that_is_wrong(work: Path, fakes: Fakes, command: Cli) -> None:
    fakes.break_("chromium:webgl", drifting(0.5, step="hidden"))
    code, out, _ = command("trace", "m.keras", "x.npy", *TRACED, "--try-remedies", "--json", "-")
    report = json.loads(out)
    assert code == 1
    assert ["--runtime", "chromium:cpu"] in [r["options"] for r in report["remedies"] if r["worked"]]


def test_model_explorer_gets_the_steps_and_what_each_runtime_errs_by(work: Path, fakes: Fakes, command: Cli) -> None:
    fakes.break_("chromium:webgl", drifting(0.5, step="hidden"))
    assert command("trace", "m.keras", "x.npy", *TRACED, "--model-explorer", "explorer").code == 1
    texts = [file.read_text() for file in Path("explorer").iterdir()]
    assert any('"hidden"' in text for text in texts) and any("chromium:webgl" in text for text in texts)
