"""The real `pycheck` command as a process of its own, with everything that it starts under watch (Linux)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYCHECK = (sys.executable, "-m", "pycheck")
#: What happens at once, on a machine that has much else to do.
MOMENT_S = 30.0


@dataclass(frozen=True)
class Process:
    """One process; the start time tells it from a later one of the same number."""

    pid: int
    started: str

    @property
    def command(self) -> str:
        try:
            return Path(f"/proc/{self.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""

    @property
    def alive(self) -> bool:
        """Whether it runs; one that is dead and not yet buried does not."""
        state = _stat(self.pid)
        return state is not None and state[2] == self.started and state[1] not in "ZX"


def _stat(pid: int) -> tuple[int, str, str] | None:
    """Parent, state and start time."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), fields[0], fields[19]


def _descendants(root: int) -> set[Process]:
    parents = {int(p.name): stat for p in Path("/proc").iterdir() if p.name.isdigit() and (stat := _stat(int(p.name)))}
    found, family = set(), {root}
    while grown := {pid for pid, stat in parents.items() if stat[0] in family and pid not in family}:
        family |= grown
        found |= {Process(pid, parents[pid][2]) for pid in grown}
    return found


@dataclass
class Command:
    """A running `pycheck`. `family` is every process that was ever below it."""

    popen: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    family: set[Process] = field(default_factory=set)
    said_all: threading.Event = field(default_factory=threading.Event)

    @property
    def err(self) -> str:
        return "\n".join(self.lines)

    def until(self, happens: Callable[[], object], within_s: float = 60.0) -> None:
        """Wait for something to happen while it runs."""
        deadline = time.monotonic() + within_s
        while not happens():
            assert self.popen.poll() is None, f"it ended too early:\n{self.err}"
            assert time.monotonic() < deadline, f"it did not happen:\n{self.err}"
            time.sleep(0.02)

    def until_said(self, line: str) -> None:
        """Wait for a line of progress."""
        self.until(lambda: line in self.lines)

    def has_loaded(self, library: str) -> bool:
        """Whether a shared library is mapped into it."""
        return library in Path(f"/proc/{self.popen.pid}/maps").read_text()

    def browser(self, role: str = "") -> list[Process]:
        """Its browser's processes of a role, such as renderer; without one, the browser's own."""
        self.family = self.family | _descendants(self.popen.pid)  # what watches may be late on a busy machine
        chromium = [p for p in self.family if "--user-data-dir=" in p.command or "--type=" in p.command]
        return [
            p for p in chromium if p.alive and (f"--type={role}" in p.command if role else "--type=" not in p.command)
        ]

    def signal(self, number: int, *, group: bool = False) -> None:
        """Send a signal to it alone, or to its whole group as a terminal does."""
        (os.killpg if group else os.kill)(self.popen.pid, number)

    def end(self, within_s: float = 60.0) -> int:
        """Wait for its end, and for all that it said; the exit code."""
        code = self.popen.wait(within_s)
        assert self.said_all.wait(MOMENT_S), "something still holds its standard error open"
        return code

    def left_behind(self) -> list[str]:
        """What of its family still runs a moment after its end."""
        deadline = time.monotonic() + MOMENT_S
        while any(process.alive for process in self.family) and time.monotonic() < deadline:
            time.sleep(0.05)
        return [process.command for process in self.family if process.alive]


@contextmanager
def pycheck(*arguments: str | Path, cache_dir: Path, temporary: Path) -> Iterator[Command]:
    """Start the command; whatever of it is left at the end of the block is killed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYCHECK_CACHE_DIR": str(cache_dir), "TMPDIR": str(temporary)}
    popen = subprocess.Popen(
        [*PYCHECK, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    command = Command(popen)

    def watch() -> None:
        while popen.poll() is None:
            command.family = command.family | _descendants(popen.pid)  # others read it meanwhile
            time.sleep(0.1)  # each look reads all of /proc

    def read() -> None:
        assert popen.stderr is not None
        for line in popen.stderr:
            command.lines.append(line.rstrip("\n"))
        command.said_all.set()

    threads = [threading.Thread(target=watch), threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    try:
        yield command
    finally:
        for process in (*command.family, Process(popen.pid, "")):
            if process.alive:
                os.kill(process.pid, signal.SIGKILL)
        popen.kill()
        popen.wait()
        for thread in threads:
            thread.join(5)
        assert popen.stderr is not None
        popen.stderr.close()
