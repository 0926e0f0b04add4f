"""Runs of one session share their browser, and it ends with the session."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pycheck
from pycheck.runtimes.browser.host import BrowserHost
from tests.runtimes_browser.processes import alive, command_of, descendants

pytestmark = pytest.mark.real

MODELS = Path(__file__).parents[2] / "models"


def _browsers(known: list[int]) -> dict[int, str]:
    """The commands of browsers that this process has started since; the browser that tests share may start its own."""
    others = {*known, *(pid for one in known for pid in descendants(one))}
    commands = {pid: command_of(pid) for pid in descendants(os.getpid()) if pid not in others}
    return {pid: command for pid, command in commands.items() if "chromium" in command}


def _all_gone(browsers: dict[int, str]) -> bool:
    """Whether none of them runs, within a moment; a number may belong to another process by then."""
    deadline = time.monotonic() + 30
    while running := [pid for pid, command in browsers.items() if alive(pid) and command_of(pid) == command]:
        if time.monotonic() > deadline:
            return not running
        time.sleep(0.05)
    return True


def test_compares_and_traces_of_a_session_start_one_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    launch = BrowserHost._launch

    async def counted(self: BrowserHost, webgpu: bool) -> Any:
        started.append(self)
        return await launch(self, webgpu)

    monkeypatch.setattr(BrowserHost, "_launch", counted)
    x = np.load(MODELS / "cnn_inputs.npy")[:4]
    known = descendants(os.getpid())
    with pycheck.Session() as session:
        for runtime in ("chromium:cpu", "chromium:wasm"):
            assert session.compare(MODELS / "cnn.keras", x, runtimes=runtime).passed
        report = session.trace(MODELS / "cnn.keras", x, runtimes="chromium:cpu")
        assert report.trace is not None and report.trace.points
        with pytest.raises(pycheck.UsageError, match=r"^samples has no effect"):
            session.compare(MODELS / "cnn.keras", x, samples=3)
        browsers = _browsers(known)
    assert len(started) == 1
    assert browsers and _all_gone(browsers)


def test_a_session_that_is_closed_ends_what_runs_in_another_thread() -> None:
    ended: list[BaseException] = []
    session = pycheck.Session()
    known = descendants(os.getpid())

    def compares() -> None:
        try:
            session.compare(MODELS / "recurrent.keras", runtimes="chromium:cpu", samples=64)
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=compares)
    thread.start()
    while session._loop is None or not asyncio.all_tasks(session._loop):
        time.sleep(0.01)
    session.close()
    thread.join(60)
    assert not thread.is_alive()
    assert [type(error).__name__ for error in ended] == ["CancelledError"]
    assert _all_gone(_browsers(known))
    session.close()
