"""Turns a fatal signal during an import into an error message and an exit code.

A TensorFlow for a different processor dies of an illegal instruction while it is loaded. With a NumPy or a protobuf of
a different ABI it dies of a segmentation fault or an abort. Python's own signal handlers cannot report that: they run
after the instruction, which never ends. The operating system calls the handler here, which writes one message and ends
the process.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import PycheckError

_SHOW_CURSOR = b"\r\x1b[2K\x1b[?25h"  # a progress bar hides the cursor
_MOST_READ = 4096


@contextmanager
def told_of(error_of: Callable[[int, str], PycheckError]) -> Iterator[None]:
    """Report a fatal signal within this context on the current standard error, and end with the error's exit code.

    `error_of` gets the number of the signal, and the last line of native code if it is held back in a file. Only for a
    process of pycheck itself. If the user asked Python for a traceback (PYTHONFAULTHANDLER), it comes first.
    """
    if os.name != "posix":
        yield
        return
    import ctypes  # imported here, because `pycheck --help` does not need it

    try:
        terminal = os.dup(2)
    except OSError:  # the process has no standard error
        yield
        return

    def end(number: int) -> None:
        code = 70
        try:
            if faulthandler.is_enabled():
                faulthandler.dump_traceback(terminal)
            error = error_of(number, _last_line())
            code = error.exit_code
            os.write(terminal, (_SHOW_CURSOR if os.isatty(terminal) else b"") + error.told().encode() + b"\n")
        finally:
            os._exit(code)  # a return would execute the same instruction again

    library = ctypes.CDLL(None)
    library.signal.argtypes, library.signal.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(end)
    fatal = (signal.SIGILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGABRT)
    before = {number: library.signal(number, ctypes.cast(handler, ctypes.c_void_p)) for number in fatal}
    try:
        yield
    finally:
        for number, previous in before.items():
            library.signal(number, previous)
        os.close(terminal)


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
