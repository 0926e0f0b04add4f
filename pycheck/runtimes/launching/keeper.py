"""Runs one command for pycheck and ends all that it started, also when pycheck itself is killed.

python keeper.py SIGNAL FOLDER COMMAND...

It is a separate program in a separate session, and imports nothing of pycheck. It prints the command's process id.
When the command ends, or standard input does because pycheck closed it or has ended, every process that the command
has started is ended, including those that left its process group, and the folder is removed. The command gets SIGNAL
(TERM or KILL) first, and KILL if it does not end. The exit code is that of the command.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

#: The seconds that a command has to end after TERM.
_GRACE_S = 3.0
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def main() -> int:
    """Keep one command until its end."""
    how, folder, *command = sys.argv[1:]
    # Only the end of standard input ends it: signals of a terminal are for pycheck, which then closes the input.
    for name in ("SIGINT", "SIGHUP", "SIGTERM"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    _adopt_orphans()
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            stderr=sys.stderr,
            start_new_session=True,
            preexec_fn=_usual_signals if os.name == "posix" else None,
        )
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        return 127
    print(child.pid, flush=True)
    threading.Thread(target=_end_on_end_of_input, args=(child, how), daemon=True).start()
    code = child.wait()
    _signal_group(child.pid, "KILL")
    _end_orphans()
    _remove(folder)
    return code if code >= 0 else 128 - code


def _usual_signals() -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _adopt_orphans() -> None:
    """Become the parent of orphaned processes of the command, so that they can be found (Linux)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_on_end_of_input(child: subprocess.Popen[bytes], how: str) -> None:
    while os.read(0, 1024):
        pass
    _signal_group(child.pid, how)
    time.sleep(_GRACE_S)
    _signal_group(child.pid, "KILL")


def _signal_group(pid: int, how: str) -> None:
    if os.name == "nt":
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(pid)], capture_output=True, check=False)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL if how == "KILL" else signal.SIGTERM)


def _end_orphans() -> None:
    """Kill and reap orphaned processes, and further ones that their end leaves, until there is none."""
    if sys.platform != "linux":
        return
    deadline = time.monotonic() + _GRACE_S
    while time.monotonic() < deadline:
        for pid in _children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.01)
        except ChildProcessError:
            return


def _children() -> list[int]:
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208  # pathlib takes longer to import than all of this
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError), open(f"/proc/{name}/stat") as file:  # noqa: PTH123
                if int(file.read().rpartition(")")[2].split()[1]) == os.getpid():
                    found.append(int(name))
    return found


def _remove(folder: str) -> None:
    """Remove the folder; on Windows files of a dead process stay open for a moment."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.exists(folder):  # noqa: PTH110
            return
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
