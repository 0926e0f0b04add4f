"""Runs a command and measures it from outside: wall time, processor time, and the peak memory of what it started."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PROC = Path("/proc")
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Measured:
    """One finished command. `cpu_s` is of the process and of every descendant that it waited for, the browser included.

    `peak_mb` is the largest resident size that any process of a kind reached (python, renderer, gpu,
    browser), in MB; empty where memory was not watched or there is no /proc.
    """

    wall_s: float
    cpu_s: float
    stdout: str
    peak_mb: Mapping[str, float] = field(default_factory=dict)


def run(command: Sequence[str], *, env: Mapping[str, str] | None = None, watch_memory: bool = False) -> Measured:
    """Run to the end; RuntimeError with what it printed when it fails."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.perf_counter()
        process = subprocess.Popen(command, env={**os.environ, **(env or {})}, stdout=out, stderr=err)
        watch = _Watch(process.pid) if watch_memory and _PROC.is_dir() else None
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        peaks = watch.stop() if watch else {}
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    if process.returncode:
        raise RuntimeError(
            f"{' '.join(command)} ended with {process.returncode}:\n{texts[1][-3000:]}{texts[0][-1000:]}"
        )
    return Measured(wall, usage.ru_utime + usage.ru_stime, texts[0], peaks)


class _Watch(threading.Thread):
    """Looks at a process and its descendants until told to stop."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self._root = root
        self._peaks: dict[str, float] = {}
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._over.wait(_POLL_S):
            for pid in _with_descendants(self._root):
                self._look(pid)

    def stop(self) -> dict[str, float]:
        self._over.set()
        self.join()
        return self._peaks

    def _look(self, pid: int) -> None:
        try:
            command = (_PROC / str(pid) / "cmdline").read_bytes()
            lines = (_PROC / str(pid) / "status").read_text().splitlines()
        except OSError:  # ended meanwhile
            return
        peak = next((float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)
        kind = _kind(command) if pid != self._root else "python"
        self._peaks[kind] = max(self._peaks.get(kind, 0.0), peak)


def _kind(command: bytes) -> str:
    for kind in (b"renderer", b"gpu-process", b"utility", b"zygote"):
        if b"--type=" + kind in command:
            return kind.decode()
    return "browser" if b"--remote-debugging" in command else "other"


def _with_descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # pid (command) state parent ...; the command may hold spaces and parentheses.
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue.extend(children.get(pid, ()))
    return found
