"""What a browser that fails, an interrupt, or a reader that goes away does: told in time, and nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ..conftest import Cli, more
from .conftest import CPU, Files
from .processes import PYCHECK, ROOT, Command, pycheck

pytestmark = pytest.mark.real

ONE_BY_ONE = ("--batch-size", "1", *CPU)


@pytest.fixture(scope="session")
def long(files: Files, cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs that keep a browser busy for a while; what Python answers is in the cache already."""
    from pycheck import compare

    path = tmp_path_factory.mktemp("long") / "many.npy"
    np.save(path, np.random.default_rng(1).normal(size=(250, 4)).astype(np.float32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYCHECK_CACHE_DIR", str(cache_dir))
        report = compare(
            files("m.keras"), path, runtimes=["chromium:cpu"], batch_size=1, browser_path="/nowhere/chrome"
        )
    assert [record.status for record in report.runtimes] == ["ok", "ok", "unavailable"]
    return path


def _report(path: Path) -> Any:
    return json.loads(path.read_bytes())


def _status(report: Any) -> dict[str, str]:
    return {runtime["id"]: runtime["status"] for runtime in report["runtimes"]}


def _error(report: Any, runtime: str) -> str:
    return str(next(record["error"] for record in report["runtimes"] if record["id"] == runtime))


def _hanging_browser(folder: Path) -> Path:
    script = folder / "chrome"
    script.write_text("#!/bin/sh\nexec sleep 600\n")
    script.chmod(0o755)
    return script


# ------------------------------------------------------------------- browsers that do not start


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/nowhere/chrome", "no browser at /nowhere/chrome"),
        ("/bin/true", "The browser /bin/true does not start"),
        ("/bin/sleep", "unrecognized option"),
        ("/etc/hostname", "The browser /etc/hostname does not start"),
    ],
)
def test_a_browser_that_does_not_start_is_unavailable_and_python_has_answered(
    path: str, message: str, files: Files, run: Cli, work: Path, temporary: Path
) -> None:
    said = run("compare", files("m.keras"), files("x.npy"), "--browser-path", path, "--json", "r.json", *CPU)
    assert said.code == 3, said.err
    report = _report(work / "r.json")
    assert _status(report) == {"native:float32": "ok", "native:float64": "ok", "chromium:cpu": "unavailable"}
    assert message in _error(report, "chromium:cpu")
    assert "--browser-path" in _error(report, "chromium:cpu")
    assert report["verdict"] == "error"
    assert "Traceback" not in said.err
    assert list(temporary.iterdir()) == []


@pytest.mark.exhaustive
def test_a_browser_that_never_answers_is_given_up_after_the_timeout(
    files: Files, cache_dir: Path, temporary: Path, tmp_path: Path, long: Path
) -> None:
    report = tmp_path / "r.json"
    arguments = ("--runtime", "chromium:cpu", "--batch-size", "1", "--timeout", "2", "--json", report)
    browser = _hanging_browser(tmp_path)
    with pycheck(
        "compare",
        files("m.keras"),
        long,
        "--browser-path",
        browser,
        *arguments,
        cache_dir=cache_dir,
        temporary=temporary,
    ) as command:
        command.until(lambda: any("sleep 600" in process.command for process in command.family))
        started = time.monotonic()
        assert command.end() == 3
        assert time.monotonic() - started < 60  # far below the browser's 600 s, far above 2 s on a busy machine
        assert _status(_report(report))["chromium:cpu"] == "timed_out"
        assert f"The browser {browser} did not start within 2 s" in _error(_report(report), "chromium:cpu")
        assert command.left_behind() == []
    assert list(temporary.iterdir()) == []


@pytest.mark.exhaustive
def test_a_runtime_that_is_unavailable_leaves_the_others_standing(
    files: Files, run: Cli, work: Path, temporary: Path
) -> None:
    absent = ("--runtime", "firefox:cpu", "--browser-path", "firefox=/nowhere/firefox")
    said = run("compare", files("m.keras"), files("x.npy"), *absent, "--json", "r.json", *CPU)
    assert said.code == 3
    report = _report(work / "r.json")
    assert _status(report)["firefox:cpu"] == "unavailable"
    assert _status(report)["chromium:cpu"] == "ok"
    judged = [row["passed"] for row in report["comparisons"] if row["candidate"] == "chromium:cpu"]
    assert judged == [True]
    assert list(temporary.iterdir()) == []


# -------------------------------------------------------------- browsers that fail on the way


def _fails_while_predicting(
    command: Command, report: Path, temporary: Path, harm: int, role: str, runtime: str = "chromium:cpu"
) -> str:
    """Harm the browser in the middle of a run; gives what the report says of the runtime."""
    command.until_said(f"{runtime}: running")
    harmed = command.browser(role)
    assert harmed
    for process in harmed:
        os.kill(process.pid, harm)
    assert command.end() == 3
    assert "Traceback" not in command.err
    assert command.left_behind() == []
    assert list(temporary.iterdir()) == []
    assert _status(_report(report))["native:float64"] == "ok"
    return _error(_report(report), runtime)


def test_a_browser_that_is_killed_is_told(
    files: Files, long: Path, cache_dir: Path, temporary: Path, tmp_path: Path
) -> None:
    report = tmp_path / "r.json"
    with pycheck(
        "compare", files("m.keras"), long, "--json", report, *ONE_BY_ONE, cache_dir=cache_dir, temporary=temporary
    ) as command:
        error = _fails_while_predicting(command, report, temporary, signal.SIGKILL, role="")
    assert error.startswith("chromium:cpu: The browser ended")


@pytest.mark.exhaustive
def test_a_page_that_is_killed_is_told(
    files: Files, long: Path, cache_dir: Path, temporary: Path, tmp_path: Path
) -> None:
    report = tmp_path / "r.json"
    with pycheck(
        "compare", files("m.keras"), long, "--json", report, *ONE_BY_ONE, cache_dir=cache_dir, temporary=temporary
    ) as command:
        error = _fails_while_predicting(command, report, temporary, signal.SIGKILL, role="renderer")
    assert error.startswith("chromium:cpu: The page crashed")


@pytest.mark.exhaustive
def test_a_page_that_hangs_is_given_up_after_the_timeout(
    files: Files, long: Path, cache_dir: Path, temporary: Path, tmp_path: Path
) -> None:
    report = tmp_path / "r.json"
    arguments = ("--runtime", "chromium:cpu", "--batch-size", "1", "--timeout", "8", "--json", report)
    with pycheck("compare", files("m.keras"), long, *arguments, cache_dir=cache_dir, temporary=temporary) as command:
        error = _fails_while_predicting(command, report, temporary, signal.SIGSTOP, role="renderer")
    assert error.startswith("chromium:cpu: no answer within 8 s while predicting")
    assert _status(_report(report))["chromium:cpu"] == "timed_out"


@pytest.mark.exhaustive
def test_a_gpu_that_is_lost_ends_webgl_and_leaves_cpu_standing(
    files: Files, long: Path, cache_dir: Path, temporary: Path, tmp_path: Path
) -> None:
    report = tmp_path / "r.json"
    with pycheck(
        "compare", files("m.keras"), long, "--json", report, "--runtime", "chromium:webgl", *ONE_BY_ONE,
        "--flag", "WEBGL_CPU_FORWARD=false", cache_dir=cache_dir, temporary=temporary,
    ) as command:  # fmt: skip
        error = _fails_while_predicting(
            command, report, temporary, signal.SIGKILL, role="gpu-process", runtime="chromium:webgl"
        )
    assert "WebGL context was lost" in error
    assert _status(_report(report))["chromium:cpu"] == "ok"


@pytest.mark.exhaustive
@pytest.mark.parametrize(("role", "said"), [("renderer", "The page crashed"), *more(("", "The browser ended"))])
def test_a_browser_that_is_killed_in_the_middle_of_a_trace_leaves_what_was_traced(
    role: str, said: str, cache_dir: Path, temporary: Path, tmp_path: Path
) -> None:
    import keras

    names = [f"deep_{number}" for number in range(60)]
    layers = [keras.layers.Dense(256, activation="tanh", name=name) for name in names]
    keras.Sequential([keras.Input((256,)), *layers]).save(tmp_path / "deep.keras")
    report = tmp_path / "r.json"
    options = ("--samples", "32", "--trace-samples", "32", "--trace-memory", "2MB", "--json", report, *CPU)
    with pycheck("trace", tmp_path / "deep.keras", *options, cache_dir=cache_dir, temporary=temporary) as command:
        command.until(lambda: "chromium:cpu: tracing" in command.lines, within_s=150.0)  # of a busy machine
        for process in command.browser(role):
            os.kill(process.pid, signal.SIGKILL)
        assert command.end() == 3
        assert "Traceback" not in command.err
        assert command.left_behind() == []
    written = _report(report)
    assert _error(written, "chromium:cpu").startswith(f"while tracing: chromium:cpu: {said}")
    traced = [point["name"] for point in written["trace"]["points"] if point["results"]]
    assert traced and traced == names[: len(traced)] and len(traced) < len(names)
    assert [finding["code"] for finding in written["findings"]].count("runtime-failed") == 1
    assert list(temporary.iterdir()) == []


# ------------------------------------------------------------------------------ interrupts


def _when(moment: str, command: Command) -> None:
    if moment == "tensorflow is imported":
        command.until(lambda: command.has_loaded("libtensorflow_framework"))
    elif moment == "the browser starts":
        command.until(command.browser)
    else:
        command.until_said("chromium:cpu: running")


@pytest.mark.parametrize(
    ("moment", "number", "group"),
    [
        ("the browser starts", signal.SIGTERM, False),
        ("it predicts", signal.SIGINT, True),
        *more(
            ("tensorflow is imported", signal.SIGINT, True),
            ("the browser starts", signal.SIGINT, True),
            ("it predicts", signal.SIGINT, False),
            ("it predicts", signal.SIGTERM, False),
        ),
    ],
    ids=lambda value: str(getattr(value, "name", value)),
)
def test_an_interrupt_ends_everything_and_leaves_nothing(
    moment: str, number: int, group: bool, files: Files, long: Path, cache_dir: Path, temporary: Path, tmp_path: Path
) -> None:
    cold = moment == "tensorflow is imported"
    cache = tmp_path / "cache" if cold else cache_dir
    with pycheck(
        "compare", files("m.keras"), long, *ONE_BY_ONE, "--json", tmp_path / "r.json", "--save-run", tmp_path / "run",
        cache_dir=cache, temporary=temporary,
    ) as command:  # fmt: skip
        _when(moment, command)
        command.signal(number, group=group)
        assert command.end() == 128 + number, command.err
        assert command.left_behind() == []
        assert "Traceback" not in command.err
        assert command.lines[-1].startswith("pycheck: Interrupted.")
    assert list(temporary.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir() if path != cache] == []
    assert [*cache.glob("*/.*")] == []


@pytest.mark.exhaustive
def test_a_signal_to_the_process_and_then_to_its_group_is_one(
    files: Files, long: Path, cache_dir: Path, temporary: Path
) -> None:
    """Which is how timeout(1) ends a command."""
    with pycheck("compare", files("m.keras"), long, *ONE_BY_ONE, cache_dir=cache_dir, temporary=temporary) as command:
        command.until_said("chromium:cpu: running")
        command.signal(signal.SIGTERM)
        time.sleep(0.02)  # two at the same moment are one to the system already
        command.signal(signal.SIGTERM, group=True)
        assert command.end() == 128 + signal.SIGTERM, command.err
        assert command.left_behind() == []
        assert command.lines[-1].startswith("pycheck: Interrupted.")


def test_a_second_interrupt_does_not_wait_and_still_leaves_no_browser(
    files: Files, long: Path, cache_dir: Path, temporary: Path
) -> None:
    with pycheck("compare", files("m.keras"), long, *ONE_BY_ONE, cache_dir=cache_dir, temporary=temporary) as command:
        command.until_said("chromium:cpu: running")
        command.until(lambda: command.browser("renderer"))
        for process in command.browser("renderer"):
            os.kill(process.pid, signal.SIGSTOP)  # so that an orderly end takes its time
        command.signal(signal.SIGINT)
        time.sleep(3.0)  # far more than the second after which it is no longer the same
        command.signal(signal.SIGINT)
        assert command.end() == 130
        assert "Interrupted" not in command.err  # which is the last word of an orderly end
        assert command.left_behind() == []


# ------------------------------------------------------------------- readers that go away


@pytest.mark.exhaustive
@pytest.mark.parametrize("options", [[], *more((["--json", "-"],))], ids=["terminal", "json"])
def test_a_reader_that_stops_early_changes_nothing(
    options: list[str], files: Files, long: Path, cache_dir: Path, work: Path, temporary: Path
) -> None:
    shell = shutil.which("bash") or "sh"
    line = 'set -o pipefail; "$@" | head -n 1'
    arguments = ["compare", str(files("m.keras")), str(files("x.npy")), *CPU, *options]
    done = subprocess.run(
        [shell, "-c", line, "sh", *PYCHECK, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYCHECK_CACHE_DIR": str(cache_dir)},
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
