"""How the command line behaves: help, version, completion, where output goes, verbosity, reporting again from disk."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck import api
from pycheck.cli import console
from pycheck.errors import UsageError
from pycheck.runtimes.fake import Fault
from pycheck.setup import doctor
from pycheck.system.cache import Cache
from pycheck.types import Array, RuntimeId, Signature, TensorSpec
from pycheck.workflow.converting import Converted

from ..conftest import Cli, more
from ..fakes import Fakes, dense

ROOT = Path(__file__).parents[2]
COMMANDS = ("compare", "trace", "report", "convert", "explain", "schema", "doctor", "devices")
CPU = ("--runtime", "chromium:cpu", "--timeout", "60")

#: Runs the command line, then says on the last line of standard error which heavy packages it imported.
_WITH_IMPORTS = """
import sys
from pycheck.cli import main as cli
code = cli.run(sys.argv[1:])
heavy = [name for name in ("tensorflow", "keras", "tf_keras", "tensorflowjs", "playwright") if name in sys.modules]
sys.stdout.flush()
print("imported:", *heavy, file=sys.stderr)
sys.exit(code)
"""


def _process(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process of its own; its last line of standard error says what it imported."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYCHECK_", "NO_COLOR"))}
    return subprocess.run(
        [sys.executable, "-c", _WITH_IMPORTS, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**clean, "PYTHONPATH": str(ROOT), **environment},
    )


@pytest.fixture
def model(fakes: Fakes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with two outputs, x.npy beside it."""
    folder = tmp_path_factory.mktemp("model")
    np.save(folder / "x.npy", np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32))
    return fakes.save(folder / "m.keras", dense(outputs={"scores": 3, "box": 2}))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Cli) -> Cli:
    """Runs one command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return command


@pytest.fixture
def saved(
    model: Path, run: Callable[..., tuple[int, str, str]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Any]:
    """A saved run and the JSON report of the command that saved it."""
    folder = tmp_path_factory.mktemp("saved")
    reports = (f"--save-run={folder / 'run'}", f"--json={folder / 'r.json'}")
    assert run("compare", model, model.with_name("x.npy"), "--batch-size=3", *CPU, "-q", *reports)[0] == 0
    return folder / "run", json.loads((folder / "r.json").read_bytes())


# ------------------------------------------------------------------- help, version, completion


@pytest.mark.real
def test_help_names_every_command_and_where_to_start_and_imports_nothing_heavy() -> None:
    done = _process("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", done.stdout)
    assert "pycheck compare MODEL INPUTS" in done.stdout
    assert done.stderr == "imported:\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_explains_every_option(name: str, run: Callable[..., Any]) -> None:
    code, out, err = run(name, "--help")
    assert (code, err) == (0, "")
    assert out == run(name, "-h")[1]
    text = out.replace("│", " ")
    assert re.search(r"Usage: pycheck \w+ ", text)
    options = re.findall(r"^ +(?:-\w, )?\s*(--[\w-]+)(.*)$", text, re.M)
    assert options
    for option, rest in options:
        assert re.search(r"[A-Za-z]{3,}", rest), f"{option} is not explained"


def test_help_of_compare_teaches_by_example(run: Callable[..., Any]) -> None:
    _, out, _ = run("compare", "--help")
    assert "pycheck compare model.keras inputs.npy" in out
    assert "--json - | jq .verdict" in out
    assert "Exit code: 0 pass; 1 the gate failed" in out


def test_help_of_compare_has_a_box_for_options_that_belong_together(run: Callable[..., Any]) -> None:
    _, out, _ = run("compare", "--help-all")
    boxes = {box.split(" ─")[0]: box for box in out.split("╭─ ")[1:]}
    assert "--samples" in boxes["Generated inputs (without INPUTS)"]
    assert all(option in boxes["Tracing and fixes"] for option in ("--trace", "--layer"))
    assert "--runtime" in boxes["Runtimes"] and "--runtime" not in boxes["Options"]


@pytest.mark.real
@pytest.mark.parametrize("command", ["compare", "check", *more(*sorted({*COMMANDS} - {"compare", "check"}))])
def test_help_of_a_command_imports_nothing_heavy(command: str) -> None:
    assert _process(command, "--help").stderr == "imported:\n"


def test_no_command_shows_the_help(run: Callable[..., Any]) -> None:
    _, out, err = run()
    assert "Usage: pycheck" in out + err


def test_the_version_is_printed(run: Callable[..., Any]) -> None:
    assert run("--version") == (0, f"pycheck {pycheck.__version__}\n", "")


@pytest.mark.real
@pytest.mark.parametrize(
    ("shell", "words"), [("bash", "complete "), ("zsh", "compdef"), ("fish", "complete --command")]
)
def test_a_completion_script_is_given(shell: str, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pycheck"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), "_PYCHECK_COMPLETE": f"source_{shell}"},
    )
    assert done.returncode == 0, done.stderr
    assert words in done.stdout
    assert "pycheck" in done.stdout


@pytest.mark.real
def test_completion_offers_commands_and_options() -> None:
    def completed(words: str, index: int) -> str:
        environment = {"_PYCHECK_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(index)}
        return _process(**environment).stdout

    assert {"compare", "convert"} <= set(completed("pycheck co", 1).split())
    assert "--runtime" in completed("pycheck compare --run", 2).split()


def test_an_unknown_option_is_answered_with_the_near_ones(run: Callable[..., Any]) -> None:
    code, out, err = run("compare", "m.keras", "--runtme", "chromium:cpu")
    assert (code, out) == (2, "")
    assert "--runtime" in err


@pytest.mark.parametrize("option", ["--range=0:255", "--size=16000", "--samples=8", "--seed=0"])
@pytest.mark.parametrize(
    "words", ["compare m.keras x.npy", "trace m.keras x.npy", "convert m.keras out --inputs x.npy"]
)
def test_options_of_made_inputs_are_refused_beside_given_ones(words: str, option: str, run: Callable[..., Any]) -> None:
    code, out, err = run(*words.split(), option)
    assert (code, out) == (2, "")
    assert option.partition("=")[0] in err and "generated inputs" in err


@pytest.mark.parametrize("asked", [{"range": (0, 255)}, {"size": {"x": 9}}, {"samples": 8}, {"seed": 0}])
@pytest.mark.parametrize("name", ["compare", "trace", "convert"])
def test_so_are_they_in_the_functions(name: str, asked: dict[str, Any], tmp_path: Path) -> None:
    folder = [tmp_path / "out"] if name == "convert" else []
    with pytest.raises(UsageError, match=f"^{next(iter(asked))} has no effect"):
        getattr(api, name)("m.keras", *folder, inputs=np.zeros((1, 3)), **asked)


@pytest.mark.parametrize("variable", ["PYCHECK_SAMPLES=8", "PYCHECK_SEED=3", "PYCHECK_RANGE=0:2", "PYCHECK_SIZE=9"])
def test_defaults_of_made_inputs_do_no_harm_beside_given_ones(
    variable: str, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*variable.split("="))
    code, out, err = run("compare", "missing.keras", "x.npy")
    assert (code, out) == (2, "")
    assert "no model at missing.keras" in err


def test_an_unknown_command_is_refused(run: Callable[..., Any]) -> None:
    code, out, err = run("compair")
    assert (code, out) == (2, "")
    assert "compair" in err


# ------------------------------------------------------------------------ where output goes


def test_json_on_standard_output_is_all_there_is_on_it(model: Path, saved: object, run: Callable[..., Any]) -> None:
    code, out, err = run("compare", model, model.with_name("x.npy"), *CPU, "--batch-size", "3", "--json", "-")
    assert code == 0
    report = json.loads(out)
    assert (report["schema_version"], report["verdict"]) == (1, "pass")
    assert "chromium:cpu: starting" in err.splitlines()


@pytest.mark.parametrize(("option", "start"), [("--html", "<!doctype html>"), ("--junit", "<?xml")])
def test_other_reports_go_to_standard_output_alone_too(
    option: str, start: str, saved: tuple[Path, Any], run: Callable[..., Any]
) -> None:
    code, out, err = run("report", saved[0], option, "-")
    assert (code, err) == (0, "")
    assert out.lower().startswith(start)


def test_reports_go_to_files_and_the_terminal_still_tells(
    saved: tuple[Path, Any], run: Callable[..., Any], tmp_path: Path
) -> None:
    code, out, _ = run("report", saved[0], "--json", "r.json", "--html", "r.html", "--junit", "r.xml")
    assert code == 0
    assert out.startswith("PASS")
    assert json.loads((tmp_path / "r.json").read_bytes())["verdict"] == "pass"
    assert "</html>" in (tmp_path / "r.html").read_text()
    assert "<testsuite" in (tmp_path / "r.xml").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html", "r.json", "r.xml"]


def test_quiet_says_the_verdict_and_nothing_else(model: Path, saved: object, run: Callable[..., Any]) -> None:
    code, out, err = run("compare", model, model.with_name("x.npy"), *CPU, "--batch-size", "3", "-q")
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 1
    assert out.startswith("PASS")


@pytest.mark.parametrize(
    ("arguments", "environment", "coloured"),
    [
        ((), {"FORCE_COLOR": "1"}, True),
        ((), {}, False),
        ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (("--no-color",), {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    arguments: tuple[str, ...],
    environment: dict[str, str],
    coloured: bool,
    saved: tuple[Path, Any],
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", **environment}.items():
        monkeypatch.setenv(name, value)
    _, out, _ = run("report", saved[0], *arguments)
    assert bool(re.search(r"\x1b\[(\d+;)*(3[0-8]|9[0-7])[;m]", out)) is coloured


def test_a_traceback_is_shown_to_those_who_ask(run: Callable[..., Any]) -> None:
    for quiet in ((), ("-v",)):
        code, _, err = run("compare", "nothing.keras", *quiet)
        assert code == 2
        assert "Traceback" not in err
    for loud in (("-vv",), ("-v", "-v"), ("--verbose", "-v")):
        code, _, err = run("compare", "nothing.keras", *loud)
        assert code == 2
        assert "Traceback" in err
        assert "There is no model at nothing.keras" in err.splitlines()[-2]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_what_runs_with_its_code_and_writes_nothing(
    number: int, code: int, model: Path, fakes: Fakes, run: Callable[..., Any], tmp_path: Path
) -> None:
    def interrupt(value: Array) -> Array:
        signal.raise_signal(number)
        return value

    fakes.break_("chromium:cpu", Fault(interrupt))
    said = run("compare", model, model.with_name("x.npy"), *CPU, "--json", "r.json", "--save-run", "run")
    assert (said[0], said[1], said[2].splitlines()[-1]) == (code, "", "pycheck: Interrupted. The browsers are closed.")
    assert list(tmp_path.iterdir()) == []


def test_a_bug_is_called_a_bug(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("pycheck.workflow.pipeline.rejudge", broken)
    code, out, err = run("report", ".")
    assert (code, out) == (70, "")
    assert "a bug in pycheck: ZeroDivisionError: by zero\n" in err
    assert "-vv" in err


def test_a_full_disk_is_not_called_a_bug(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "/somewhere")

    monkeypatch.setattr("pycheck.workflow.pipeline.rejudge", full)
    code, out, err = run("report", ".")
    assert (code, out) == (2, "")
    assert "/somewhere" in err and "No space left on device" in err and "bug" not in err


# ------------------------------------------------------------------------- saved runs


def test_a_saved_run_gives_the_same_verdict_and_numbers(saved: tuple[Path, Any], run: Callable[..., Any]) -> None:
    folder, before = saved
    code, out, _ = run("report", folder, "--json", "-")
    assert code == 0
    after = json.loads(out)
    assert {key: after[key] for key in before} == before
    assert len(after["comparisons"]) == 4


@pytest.mark.exhaustive
@pytest.mark.real
def test_a_saved_run_is_reported_without_tensorflow_and_without_a_browser(saved: tuple[Path, Any]) -> None:
    done = _process("report", saved[0])
    assert done.returncode == 0
    assert done.stderr == "imported:\n"
    assert done.stdout.startswith("PASS")


@pytest.mark.parametrize("option", ["--atol", "--rtol", "--max-ulp"])
def test_a_saved_run_is_judged_by_other_tolerances(
    option: str, saved: tuple[Path, Any], run: Callable[..., Any]
) -> None:
    code, out, _ = run("report", saved[0], option, "0", "--json", "-")
    assert code == 1
    report = json.loads(out)
    assert report["verdict"] == "drift"
    assert {row["passed"] for row in report["comparisons"] if row["candidate"] == "chromium:cpu"} == {False}


def test_a_tolerance_for_one_output_leaves_the_other_to_its_own(
    saved: tuple[Path, Any], run: Callable[..., Any]
) -> None:
    code, out, _ = run("report", saved[0], "--atol", "box:0", "--json", "-")
    assert code == 1
    judged = {r["tensor"]: r["passed"] for r in json.loads(out)["comparisons"] if r["candidate"] == "chromium:cpu"}
    assert judged == {"scores": True, "box": False}


def test_a_tolerance_for_an_output_that_is_not_there_is_refused(
    saved: tuple[Path, Any], run: Callable[..., Any]
) -> None:
    code, out, err = run("report", saved[0], "--atol", "nose:1")
    assert (code, out) == (2, "")
    assert "the model has no output 'nose'" in err


def test_a_run_is_saved_again_over_an_earlier_one_and_spares_what_else_lies_there(
    model: Path, saved: object, run: Callable[..., Any], tmp_path: Path
) -> None:
    arguments = ("compare", model, model.with_name("x.npy"), *CPU, "--save-run", "run", "-q")
    assert run(*arguments, "--batch-size", "3")[0] == 0
    (tmp_path / "run" / "notes.txt").write_text("mine")
    assert run(*arguments, "--batch-size", "7")[0] == 0
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["notes.txt", "outputs", "run.json"]
    assert [path.name for path in (tmp_path / "run" / "outputs" / "chromium-cpu").iterdir()] == ["000000.safetensors"]
    assert run("report", "run")[0] == 0


# --------------------------------------------------------------------------- convert, doctor


def test_a_converted_model_is_handed_out(model: Path, run: Callable[..., Any], tmp_path: Path) -> None:
    code, out, _ = run("convert", model, "web")
    assert code == 0
    assert out.startswith("layers model")
    assert "tf.loadLayersModel('model.json')" in out
    assert "model.json" in {path.name for path in (tmp_path / "web").iterdir()}


@pytest.mark.parametrize("quantize", ["none", "float16"])
def test_an_artifact_that_answers_in_another_shape_is_not_handed_out(
    quantize: str, fakes: Fakes, model: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    fakes.break_("chromium:cpu", Fault(lambda value: value[:, :-1]))
    code, out, err = run("convert", model, "out", "--quantize", quantize)
    assert (code, out) == (4, "")
    assert "different shape" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("what", ["file", "folder with something in it"])
def test_nothing_is_converted_over_what_is_there(
    what: str, model: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    kept = tmp_path / "out" if what == "file" else tmp_path / "out" / "kept.txt"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("mine")
    code, out, err = run("convert", model, "out")
    assert (code, out) == (2, "")
    assert "out: the folder exists" in err
    assert kept.read_text() == "mine"


def test_an_empty_folder_is_converted_into(model: Path, run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert run("convert", model, "out")[0] == 0


@pytest.mark.real
def test_a_model_that_the_format_cannot_hold_exits_4_and_leaves_nothing(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    import keras

    x = keras.Input((6, 4), name="x")
    keras.Model(x, keras.layers.MultiHeadAttention(2, 2, name="attend")(x, x)).save("attention.keras")
    code, out, err = run("convert", "attention.keras", "out", "--format", "layers")
    assert (code, out) == (4, "")
    assert "attend" in err
    assert "--format graph" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.exhaustive
@pytest.mark.real
def test_doctor_names_every_runtime_and_what_it_runs_on(run: Callable[..., Any]) -> None:
    code, out, err = run("doctor", "--timeout", "60")
    assert code == 0, out
    assert out.startswith("Python 3.")
    for runtime in (
        "native:float32",
        *(f"chromium:{kind}" for kind in ("cpu", "wasm", "webgl", "webgl-f16", "webgpu")),
    ):
        assert re.search(rf"^{re.escape(runtime)} +(ok|missing)", out, re.M)
    assert "Traceback" not in err
    assert "chromium: starting webgl-f16" in err.splitlines()


_INSTALL = 'Install it again, with what it needs: pip install --force-reinstall "tensorflow==2.19.1"'
_VERSIONS = ", ".join(["tensorflow-cpu 2.21.0", "keras 3.15.1", "tf-keras 2.21.0", "numpy 2.4.6", "playwright 1.65.2"])
_ANGLE = "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero) (0x0000C0DE)), SwiftShader driver) (software)"


def _diagnosed(detail: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    row = doctor.Row(RuntimeId.parse("firefox:webgl-f16"), True, detail)
    console.Console(no_color=True).diagnosis(doctor.Diagnosis(("Python 3.11", _VERSIONS), (row,), (_INSTALL,), True))
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_doctor_breaks_no_line_of_versions_and_no_command_at_the_width_of_the_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    python, versions, title, *table, advice = _diagnosed(_ANGLE, capsys)
    assert (python, versions, advice) == ("Python 3.11", _VERSIONS, _INSTALL)
    assert " ".join(" ".join(table).split()) == f"firefox:webgl-f16 ok {_ANGLE}"
    assert max(map(len, table)) <= columns
    assert len({len(line) - len(line[title.index("runs on") :]) for line in table}) == 1


def test_doctor_breaks_no_path_that_is_wider_than_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    path = f"/opt/{'of-a-browser/' * 8}chrome"
    assert path in " ".join(_diagnosed(f"the browser {path} is not there", capsys)).split()


def test_doctor_says_how_chromium_finds_a_gpu_that_it_left_unused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_GPUS", (__file__,))
    assert "--browser-arg=--use-angle=vulkan" in doctor.unused_gpu("chromium")
    assert not doctor.unused_gpu("firefox")
    monkeypatch.setattr(doctor, "_GPUS", ("/nowhere/gpu",))
    assert not doctor.unused_gpu("chromium")


@pytest.mark.real
def test_doctor_says_what_to_do_where_no_browser_starts(run: Callable[..., Any]) -> None:
    paths = [("--browser-path", f"{engine}=/nowhere/{engine}") for engine in ("chromium", "firefox", "webkit")]
    code, out, _ = run("doctor", *(word for pair in paths for word in pair))
    assert code == 3
    assert "/nowhere/chromium" in out
    assert "--browser-path" in out


# ------------------------------------------------------------------- the cache


def _entry(cache: Cache, kind: str, key: str, size: int) -> Path:
    pending = cache.reserve(kind, key)
    (pending.folder / "file").write_bytes(b"x" * size)
    return pending.publish()


def test_the_cache_is_shown_and_cleaned_but_for_what_is_in_use(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "kept"
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(root))
    assert run("cache", "dir") == (0, f"{root}\n", "")
    earlier, now = Cache(root), Cache(root)
    unused = _entry(earlier, "native", "a", 3000)
    earlier.close()
    used = _entry(now, "artifact", "b", 5000)
    environment = root / "environments" / "tensorflowjs-4.22.0"
    environment.mkdir(parents=True)
    (environment / "file").write_bytes(b"x" * 7000)
    code, out, _ = run("cache", "size")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["artifact", "environments", "native", "together"]
    assert re.search(r"together +15\.\d kB", out)
    code, out, _ = run("cache", "clean")
    assert (code, "3." in out) == (0, True)
    assert (unused.exists(), used.exists(), environment.exists()) == (False, True, True)
    letters = root / "docs" / "letters"  # the folder may be no cache
    letters.mkdir(parents=True)
    (letters / "letter").write_text("Dear")
    now.close()
    code, out, _ = run("cache", "clean", "--all")
    assert (code, used.exists(), environment.exists()) == (0, False, False)
    assert (letters / "letter").exists()
    assert re.search(r"12\.\d kB", out)


def test_a_folder_that_is_being_built_is_left_alone(run: Callable[..., Any], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(tmp_path))
    building = Cache(tmp_path).reserve("native", "a").folder
    run("cache", "clean", "--all")
    assert building.is_dir()
    os.utime(building, (0, 0))  # whose builder died
    run("cache", "clean")
    assert not building.exists()


def test_the_schema_of_the_configuration_has_every_setting_that_a_file_may_have(run: Callable[..., Any]) -> None:
    from pycheck.options.table import BY_SETTING, OPTIONS

    code, out, _ = run("schema", "config")
    properties = json.loads(out)["properties"]
    assert code == 0 and set(BY_SETTING) < set(properties)
    own = properties["models"]["items"]["properties"]
    assert {option.setting for option in OPTIONS if option.in_model} | {"path", "name", "inputs"} <= set(own)
    assert properties["format"]["enum"] == ["auto", "layers", "graph", "tflite"]
    assert all(
        entry.get("description") or name in ("models", "severity") or "items" in entry or "properties" in entry
        for name, entry in properties.items()
    )


@pytest.mark.parametrize(
    ("path", "told"),
    [(None, "with one generated value of each input:"), ("x.npy", "with one value of each input of x.npy:")],
)
def test_an_artifact_without_samples_is_verified_on_one_value_of_each_input(
    path: str | None, told: str, fakes: Fakes, capfd: pytest.CaptureFixture[str]
) -> None:
    report = pycheck.compare(dense(), runtimes=["chromium:cpu"])
    assert report.artifact is not None
    whole = Signature((TensorSpec("x", "float32", (4,), has_sample_axis=False),), report.model.signature.outputs)
    report = replace(report, model=replace(report.model, signature=whole), inputs=replace(report.inputs, path=path))
    console.Console(no_color=True).artifact(Converted(report.artifact, report))
    assert f"verified on chromium:cpu, {told}" in capfd.readouterr().out
