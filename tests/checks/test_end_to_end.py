"""The whole of it, with TensorFlow and a browser: from an empty folder to a check that fails, and why."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pycheck.runtimes.browser.host import BrowserHost

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
    assert (code, "m.keras, made inputs" in out) == (0, True)
    code, out, _ = command("check", "--runtime", "chromium:cpu", *_TIMEOUT)
    assert (code, out.splitlines()[0].split(",")[0]) == (
        0,
        "PASS  1 variant on 1 runtime: all give the answers that Python gives",
    )
    code, _, err = command("baseline", "update", "--runtime", "chromium:cpu", *_TIMEOUT)
    assert (code, "pycheck-baseline.toml: 1 output of 1 variant accepted" in err) == (0, True)
    assert command("check", "--runtime", "chromium:cpu", *_TIMEOUT)[0] == 0

    shutil.copy(models / "other.keras", work / "m.keras")
    reports = ("--json", "check.json", "--html", "check.html")
    code, out, _ = command("check", "--runtime", "chromium:cpu", *reports, *_TIMEOUT)
    assert code == 1
    assert "FAIL  m fails" in out
    assert "model-changed  m.keras is not the accepted model" in out
    assert "pycheck baseline update m" in out
    report = json.loads(Path("check.json").read_text())
    assert [r["name"] for r in report["reports"]] == ["m"]
    assert "<strong>CHANGED</strong>" in Path("check.html").read_text()
    code, _, err = command("baseline", "update", "m", "--runtime", "chromium:cpu", *_TIMEOUT)
    assert code == 0
    assert command("check", "--runtime", "chromium:cpu", *_TIMEOUT)[0] == 0


def test_what_fails_is_not_accepted(work: Path, command: Cli) -> None:
    _on('"chromium:cpu"', '[[budgets]]\nartifact_size = "10"')
    code, out, err = command("baseline", "update", *_TIMEOUT)
    assert (code, "budget-exceeded" in out, "stays as it was" in err) == (1, True, True)
    assert not Path("pycheck-baseline.toml").exists()


def test_variants_and_models_share_one_browser_and_one_bad_model_does_not_stop_the_others(
    work: Path, models: Path, command: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[BrowserHost] = []
    start = BrowserHost.__aenter__

    async def recorded(host: BrowserHost) -> BrowserHost:
        started.append(host)
        return await start(host)

    monkeypatch.setattr(BrowserHost, "__aenter__", recorded)
    shutil.copy(models / "other.keras", work)
    (work / "broken.keras").write_text("no model")
    _on(
        '"chromium:cpu", "chromium:wasm"',
        'formats = ["layers", "graph"]\n[[models]]\npath = "other.keras"\n[[models]]\npath = "broken.keras"\n',
    )
    code, out, err = command("check", "--json", "check.json", *_TIMEOUT)
    assert code == 2
    assert len(started) == 1
    report = json.loads(Path("check.json").read_text())
    names = ["other/layers", "other/graph", "m/layers", "m/graph"]
    assert [(r["name"], r["verdict"]) for r in report["reports"]] == [(name, "pass") for name in names]
    assert [f["name"] for f in report["failures"]] == ["broken/layers", "broken/graph"]
    assert "broken/graph  broken.keras is not a .keras archive" in out
    assert "m/graph chromium:wasm: ok" in err


def test_latency_is_measured_with_one_runtime_at_a_time(work: Path, command: Cli) -> None:
    _on('"chromium:cpu", "chromium:wasm"', 'batch_size = 8\n[[budgets]]\nlatency = 0\nagainst = "chromium:wasm"')
    code, out, _ = command("check", *_TIMEOUT)
    assert code == 1
    assert "times as long a sample as chromium:wasm" in " ".join(out.split())


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
