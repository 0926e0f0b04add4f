"""A worker or the scheduler of a cluster dies during a check."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from distributed import LocalCluster, Worker

from pycheck.checks import check, plan, saving
from pycheck.checks.parts import SavedPart
from pycheck.cluster import connecting, runner_of
from pycheck.gate import check_exit_code
from pycheck.runtimes.fake import Fault

from ..conftest import Cli
from ..fakes import Fakes
from .fake_worker import GATE
from .reports import report_of

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[2]


def test_the_part_of_a_worker_that_died_runs_again_elsewhere(
    work: Path, command: Cli, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path_factory.mktemp("gate")
    os.mkfifo(gate / "begun")
    monkeypatch.setenv(GATE, str(gate))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    killed: list[int] = []

    def kill() -> None:
        killed.append(int((gate / "begun").read_text()))  # waits for the worker
        os.kill(killed[0], signal.SIGKILL)

    one = report_of(command)
    options = {"n_workers": 2, "threads_per_worker": 2, "preload": ["tests.cluster.fake_worker"]}
    with LocalCluster(**options, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
        threading.Thread(target=kill, daemon=True).start()
        assert report_of(command, "--dask", cluster.scheduler_address) == one
    assert killed


def test_what_came_before_the_scheduler_died_is_kept_and_the_rest_is_named(
    work: Path, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "CONNECT_S", 2.0)  # so long the client looks for the scheduler
    text = (
        Path("pycheck.toml").read_text().replace('path = "o.keras"', 'path = "o.keras"\nruntimes = ["chromium:wasm"]')
    )
    Path("pycheck.toml").write_text(text)
    fakes.break_("chromium:wasm", Fault(hangs=True))
    with _scheduler() as (process, address), _workers(address):
        done: list[str] = []

        def observe(variant: str, runtime: str, step: str, *_: int) -> None:
            if step == "done":
                done.append(variant)
            if len(done) == 4 and process.poll() is None:
                process.kill()

        planned = plan(None, {"dask": address, "save_run": "part"})
        with saving(planned) as part:
            assert part
            report = asyncio.run(check(planned, observe, part=part, runner=runner_of(planned)))
            part.publish(report.wall_s)
    assert [r.name for r in report.reports] == ["m", "m/layers", "m/graph", "n"]
    (failure,) = report.failures
    assert failure.name == "o"
    assert address in failure.message
    assert "pycheck check o" in failure.advice
    assert failure.exit_code == 3
    assert check_exit_code(report) == 1  # drift on webgl of m
    assert [name for name, _ in SavedPart(Path("part")).results()] == [*done, "o"]


@contextmanager
def _scheduler() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A scheduler that is a process of its own, and its address."""
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([*command, "--no-dashboard"], env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            for line in process.stderr:
                if found := re.search(r"Scheduler at:\s*(tcp://\S+)", line):
                    yield process, found[1]
                    break
        finally:
            process.kill()


@contextmanager
def _workers(address: str) -> Iterator[None]:
    """Two workers in this process, on a thread with its own event loop."""
    started, over = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def work() -> None:
        async with Worker(address, nthreads=2), Worker(address, nthreads=2):
            started.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(work()), daemon=True)
    thread.start()
    try:
        assert started.wait(60)
        yield
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(60)
        assert not thread.is_alive()
