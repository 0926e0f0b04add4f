"""The whole of it, with TensorFlow and a browser: from an empty folder to a check that fails, and why."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..conftest import Cli

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]

#: Enough for a tiny model on a busy machine.
_TIMEOUT = ("--timeout", "60")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """m.keras, and other.keras, which is the same with another bias."""
    import keras

    folder = tmp_path_factory.mktemp("models")
    keras.utils.set_random_seed(0)
    x = keras.Input((6,), name="x")
    model = keras.Model(x, keras.layers.Dense(4, activation="softmax", name="y")(x))
    model.save(folder / "m.keras")
    kernel, bias = model.get_layer("y").get_weights()
    bias[0] += 0.1
    model.get_layer("y").set_weights([kernel, bias])
    model.save(folder / "other.keras")
    return folder


@pytest.fixture
def work(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one model, which is the current one."""
    shutil.copy(models / "m.keras", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _on(runtimes: str, text: str = "") -> None:
    Path("pycheck.toml").write_text(f'runtimes = [{runtimes}]\n{text}\n[[models]]\npath = "m.keras"\n')


def test_from_init_to_a_changed_weight_that_fails_the_check(work: Path, models: Path, command: Cli) -> None:
    code, out, _ = command("init")
    assert (code, "m.keras, generated inputs" in out) == (0, True)
    code, out, _ = command("check", "--runtime", "chromium:cpu", *_TIMEOUT)
    assert (code, out.splitlines()[0].split(",")[0]) == (
        0,
        "PASS  1 variant on 1 runtime: all agree with Python",
    )
    code, _, err = command("baseline", "update", "--runtime", "chromium:cpu", *_TIMEOUT)
    assert (code, "pycheck-baseline.toml: 1 output of 1 variant accepted" in err) == (0, True)
    assert command("check", "--runtime", "chromium:cpu", *_TIMEOUT)[0] == 0

    shutil.copy(models / "other.keras", work / "m.keras")
    reports = ("--json", "check.json", "--html", "check.html")
    code, out, _ = command("check", "--runtime", "chromium:cpu", *reports, *_TIMEOUT)
    assert code == 1
    assert "FAIL  m fails" in out
    assert "model-changed  m.keras differs" in out
    assert "pycheck baseline update m" in out
    report = json.loads(Path("check.json").read_text())
    assert [r["name"] for r in report["reports"]] == ["m"]
    assert "<strong>CHANGED</strong>" in Path("check.html").read_text()
    code, _, err = command("baseline", "update", "m", "--runtime", "chromium:cpu", *_TIMEOUT)
    assert code == 0
    assert command("check", "--runtime", "chromium:cpu", *_TIMEOUT)[0] == 0


@pytest.mark.exhaustive
def test_two_checks_share_one_cache_at_once(work: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    _on('"chromium:cpu"')
    environ = os.environ | {"PYCHECK_CACHE_DIR": str(tmp_path_factory.mktemp("shared"))}
    words = [sys.executable, "-c", "from pycheck.cli.main import main; main()", "check", "--json", "-", *_TIMEOUT]
    both = [
        subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=200) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    first, second = (json.loads(out)["reports"][0]["comparisons"] for out, _ in said)
    assert first == second


def test_another_release_of_tfjs_is_a_variant_that_is_held_against_the_same_baseline(work: Path, command: Cli) -> None:
    _on('"chromium:cpu"')
    assert command("baseline", "update", *_TIMEOUT)[0] == 0
    code, out, _ = command("check", "--tfjs-version", str(ROOT), "--json", "check.json", *_TIMEOUT)
    assert (code, "m/tfjs-4" in out) == (0, True)
    (report,) = json.loads(Path("check.json").read_text())["reports"]
    assert report["findings"] == [f for f in report["findings"] if not f["code"].startswith("baseline-")]
    code, out, _ = command("check", "--tfjs-version", "4", *_TIMEOUT)
    assert code == 2


@pytest.mark.exhaustive
def test_another_release_of_litert_runs_the_tflite_variants(work: Path, command: Cli) -> None:
    _on('"chromium:cpu", "chromium:litert-wasm"', 'formats = ["auto", "tflite"]')
    assert command("baseline", "update", *_TIMEOUT)[0] == 0
    assert command("check", "--litert-version", str(ROOT), "--json", "check.json", *_TIMEOUT)[0] == 0
    (report,) = json.loads(Path("check.json").read_text())["reports"]
    assert report["name"].startswith("m/tflite/litert-")
    assert report["findings"] == [f for f in report["findings"] if not f["code"].startswith("baseline-")]


def test_both_libraries_in_one_configuration_are_accepted_and_a_changed_tflite_file_is_noticed(
    work: Path, models: Path, command: Cli
) -> None:
    text = 'formats = ["auto", "tflite"]\nquantizations = ["none", "float16"]\n[[tolerances]]\natol = 0.01'
    _on('"chromium:wasm", "chromium:litert-wasm"', text)
    names = ["m", "m/float16", "m/tflite", "m/tflite/float16"]
    assert command("baseline", "update", *_TIMEOUT)[0] == 0
    # The file is the same when it is converted again.
    assert command("check", "--json", "check.json", "--no-cache", *_TIMEOUT)[0] == 0
    reports = json.loads(Path("check.json").read_text())["reports"]
    assert [r["name"] for r in reports] == names
    assert not [f for r in reports for f in r["findings"] if f["code"].startswith("baseline-")]
    libraries = {r["runtimes"][-1]["environment"]["library"].partition(" ")[0] for r in reports}
    assert libraries == {"tfjs", "litert"}

    shutil.copy(models / "other.keras", work / "m.keras")
    assert command("check", "m/tflite", "--json", "check.json", *_TIMEOUT)[0] == 1
    (report,) = json.loads(Path("check.json").read_text())["reports"]
    facts = {f["evidence"].get("fact"): f["evidence"] for f in report["findings"] if f["code"] == "baseline-changed"}
    assert facts["tflite"]["about"] == ["chromium:litert-wasm"]
