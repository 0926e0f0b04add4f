"""A watch with TensorFlow and a browser: it answers each save, and ends in good order on Ctrl-C."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"

sys.path.insert(0, str(ROOT / "benchmarks"))

from watch_latency import with_weights  # noqa: E402

pytestmark = pytest.mark.real


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A watch of a model on the CPU of a browser, in a folder of its own."""
    shutil.copy(MODELS / "cnn.keras", tmp_path / "m.keras")
    shutil.copy(MODELS / "cnn_inputs.npy", tmp_path / "x.npy")
    words = ["watch", "compare", "m.keras", "x.npy", "--runtime", "chromium:cpu", "--no-color", "--html", "report.html"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYCHECK_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "pycheck", *words]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.timeout(180)
def test_it_answers_each_save_and_ends_on_ctrl_c(watch: subprocess.Popen[str], tmp_path: Path) -> None:
    assert watch.stdout
    model, report = tmp_path / "m.keras", tmp_path / "report.html"

    def until(is_last: Callable[[str], bool]) -> list[str]:
        """The lines up to one, without those of progress."""
        assert watch.stdout
        lines: list[str] = []
        for line in watch.stdout:
            lines.append(line.rstrip("\n"))
            if is_last(lines[-1]):
                return lines
        raise AssertionError("\n".join(lines))

    first = until(lambda line: line.startswith("watching "))
    assert "PASS  chromium:cpu agrees with Python" in first
    assert first[-1] == "watching m.keras and x.npy; Ctrl-C ends it"
    page = report.read_text()

    model.write_bytes(with_weights(model, 1.5))
    answer = until(lambda line: line.startswith("  "))
    title, verdict, change = answer[-3:]
    assert " m.keras changed, " in title and verdict == "PASS  chromium:cpu agrees with Python"
    assert change.startswith("  chromium:cpu  pass ") or change == "  no result and no finding changed"

    whole = model.read_bytes()
    model.write_bytes(whole[:5000])
    assert until(lambda line: line.startswith("ERROR"))[-1].startswith("ERROR  Cannot read m.keras: it is truncated")
    assert report.read_text() != page  # it has the numbers of the second model, and stays
    model.write_bytes(whole)
    assert "PASS  chromium:cpu agrees with Python" in until(
        lambda line: line.startswith("  chromium") or "no result" in line
    )
    watch.send_signal(signal.SIGINT)
    assert watch.stdout.read().splitlines()[-1] == "pycheck: Interrupted. The browsers are closed."
    assert watch.wait() == 130
