"""Whether a browser left anything behind."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet buried does not."""
    state = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return state not in ("", "Z")


def nothing_left(pids: list[int], folder: Path) -> bool:
    """Whether none of the processes runs and the folder is empty, within a moment."""
    deadline = time.monotonic() + 5
    while any(map(alive, pids)) or any(folder.iterdir()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
