"""A process that listens for devices, and a second browser, started as a plain command, that stands for a phone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest

from pycheck.runtimes.launching.finding import find_browser

#: Enough for a browser's start on a busy machine.
TIMEOUT_S = 60.0


def until(happened: Callable[[], Any], what: str) -> Any:
    """Wait for something, and give what it gave."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (found := happened()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited for {what}")
        time.sleep(0.05)
    return found


class Listening:
    """``pycheck devices --listen`` in a process of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self._said = folder / "listening.txt"
        program = "from pycheck.cli.main import main; main()"
        with self._said.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, "devices", "--listen", *arguments],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYCHECK_CACHE_DIR": str(folder)},
            )

    @property
    def said(self) -> str:
        """What it has printed."""
        return self._said.read_text(encoding="utf-8")

    def address(self, number: int = 1) -> str:
        """The address for the device of this number, from 1."""

        def there() -> str | None:
            found = re.findall(r"Open on the device: (\S+)", self.said)
            return found[number - 1] if len(found) >= number else None

        return str(until(there, f"address {number}; so far: {self.said}"))

    def first_words(self) -> str:
        """What it says first: an address, or why it does not listen."""
        return str(until(lambda: self.said, "a word"))

    def wait(self, text: str) -> None:
        """Wait until it has printed this."""
        until(lambda: text in self.said, f"{text!r}; so far: {self.said}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.process.terminate()
        self.process.wait(TIMEOUT_S)


class Phone:
    """A headless Chromium on an address. What its page says is read over DevTools, as a person would read it."""

    def __init__(self, folder: Path, address: str, *more: str) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self._folder = folder
        sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
        options = ("--headless", "--remote-debugging-port=0", "--window-size=390,844", "--no-first-run")
        self.process = subprocess.Popen(
            [find_browser().path, *options, *more, *sandbox, f"--user-data-dir={folder}", address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        """What a flat battery does."""
        self.process.kill()
        self.process.wait(TIMEOUT_S)

    async def evaluate(self, expression: str) -> Any:
        """What an expression gives in its page."""
        told = self._folder / "DevToolsActivePort"
        port = until(lambda: told.exists() and told.read_text().split(), "DevTools")[0]
        async with aiohttp.ClientSession() as client:
            async with client.get(f"http://127.0.0.1:{port}/json") as answer:
                targets = json.loads(await answer.text())
            page = next(target for target in targets if target["type"] == "page")
            async with client.ws_connect(page["webSocketDebuggerUrl"]) as socket:
                await socket.send_json({"id": 1, "method": "Runtime.evaluate", "params": {"expression": expression}})
                reply = await socket.receive_json(timeout=TIMEOUT_S)
        return reply["result"]["result"].get("value")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture
def device_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder in which nothing listens yet."""
    monkeypatch.setenv("PYCHECK_CACHE_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="package")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    """One for all tests that do not end it; it calls the first device phone."""
    folder = tmp_path_factory.mktemp("listening")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYCHECK_CACHE_DIR", str(folder))
        with Listening(folder, "--host", "127.0.0.1", "--port", "0", "--name", "phone") as listening:
            yield listening
