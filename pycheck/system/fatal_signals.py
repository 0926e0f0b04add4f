"""Turns a fatal signal in native code into an error message and an exit code.

A TensorFlow for a different processor dies of an illegal instruction while it is loaded. With a NumPy or a protobuf of
a different ABI it dies of a segmentation fault or an abort. A kernel or a damaged file can end it later. Python's own
signal handlers cannot report that: they run after the instruction, which never ends. Two others can, and the first of
them that comes to it writes one message and ends the process:

- The handler here, which the operating system calls. In a thread of TensorFlow's it needs memory before its first line,
  and waits forever if the signal came within an allocation.
- A thread, which Python's faulthandler wakes before. It cannot run if the thread that crashed holds Python's lock.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import stat
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from ..errors import PycheckError, RuntimeFailedError

P = ParamSpec("P")
T = TypeVar("T")

#: The model on which this task works.
working_on: ContextVar[str] = ContextVar("working_on", default="")

#: The words of faulthandler, and the signals.
_FATAL = {
    "Illegal instruction": "SIGILL",
    "Segmentation fault": "SIGSEGV",
    "Bus error": "SIGBUS",
    "Floating-point exception": "SIGFPE",
    "Floating point exception": "SIGFPE",
    "Aborted": "SIGABRT",
}
_SHOW_CURSOR = b"\r\x1b[2K\x1b[?25h"  # a progress bar hides the cursor
_MOST_READ = 4096
_STUCK_S = 10

_error_of: Callable[[int, str], PycheckError]
_handler: object = None
_now = ""


class NativeThread(ThreadPoolExecutor):
    """The one thread in which TensorFlow works; if a fatal signal ends the process, the message names its model."""

    def __init__(self) -> None:
        super().__init__(1, thread_name_prefix="tensorflow")

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run this later, for the model on which the caller works."""
        model = working_on.get()

        def work() -> T:
            global _now
            _now = model
            try:
                return fn(*args, **kwargs)
            finally:
                _now = ""

        return super().submit(work)


def tell(error_of: Callable[[int, str], PycheckError]) -> None:
    """From now on, report a fatal signal on the current standard error, and end with the exit code of this error.

    `error_of` gets the number of the signal, and the last line of native code if it is held back in a file. A later
    call replaces it. Only for a process of pycheck itself. If the user asked Python for a traceback
    (PYTHONFAULTHANDLER), it comes first.
    """
    global _error_of, _handler
    _error_of = error_of
    if os.name != "posix" or _handler:
        return
    import ctypes  # imported here, because `pycheck --help` does not need it

    try:
        terminal = os.dup(2)
    except OSError:  # the process has no standard error
        return
    untold = [terminal]

    def end(number: int) -> None:
        signal.alarm(_STUCK_S)  # ends the process if the next lines wait for an allocation that never ends
        if not untold:  # the other one is at it
            signal.pause()
        untold.clear()
        code = 70
        try:
            error = _error_of(number, _last_line())
            code = error.exit_code
            os.write(terminal, (_SHOW_CURSOR if os.isatty(terminal) else b"") + error.told().encode() + b"\n")
        finally:
            os._exit(code)  # a return would execute the same instruction again

    def wait() -> None:
        with os.fdopen(awaited, encoding="utf-8", errors="replace") as words:
            first = words.readline()  # Fatal Python error: Segmentation fault
        end(next(signal.Signals[name] for text, name in _FATAL.items() if text in first))

    asked = faulthandler.is_enabled()
    faulthandler.disable()
    library = ctypes.CDLL(None)
    library.signal.argtypes, library.signal.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    _handler = handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(end)
    for name in set(_FATAL.values()):
        library.signal(signal.Signals[name], ctypes.cast(handler, ctypes.c_void_p))
    if asked:
        faulthandler.enable(terminal)
        return
    awaited, told = os.pipe()
    faulthandler.enable(told, all_threads=False)  # then it calls the handler
    threading.Thread(target=wait, name="fatal signals", daemon=True).start()


def crashed(number: int, last_line: str = "") -> RuntimeFailedError:
    """Make the error for a crash after the import of TensorFlow."""
    during = f" while TensorFlow worked on {_now}" if _now else ""
    return RuntimeFailedError(
        f"{signal.Signals(number).name} killed the process{during}{f': {last_line}' if last_line else ''}".rstrip(".")
        + ".",
        "This is a crash in native code. Run the command again with TF_ENABLE_ONEDNN_OPTS=0, so that TensorFlow leaves "
        "out the kernels of oneDNN. With PYTHONFAULTHANDLER=1, Python prints where it happened.",
    )


def _last_line() -> str:
    """Return the last line of file descriptor 2 if it is a readable file."""
    try:
        if not stat.S_ISREG(os.fstat(2).st_mode):
            return ""
        size = os.lseek(2, 0, os.SEEK_END)
        written = os.pread(2, _MOST_READ, max(0, size - _MOST_READ))
    except OSError:
        return ""
    lines = [line.strip() for line in written.decode(errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")
