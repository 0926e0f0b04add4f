"""Whether a browser left anything behind."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet buried does not (Linux).

    No process is started to find out: thousands of them would bring the numbers round to those that are asked for.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def nothing_left(pids: list[int], folder: Path) -> bool:
    """Whether none of the processes runs and the folder is empty, within a moment."""
    deadline = time.monotonic() + 30  # on a busy machine
    while any(map(alive, pids)) or any(folder.iterdir()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def descendants(root: int) -> list[int]:
    """Every process that a process has started, and those that they have (Linux)."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found, family = [], {root}
    while grown := [pid for pid, parent in parents.items() if parent in family and pid not in family]:
        family |= set(grown)
        found += grown
    return found


def command_of(pid: int) -> str:
    """A process's command line; empty for one that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def variable_of(pid: int, name: str) -> str:
    """A variable of a process's environment."""
    variables = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    return next((value for key, _, value in (v.partition("=") for v in variables) if key == name), "")
