"""Holds back messages of native libraries on standard error that no setting disables."""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

#: Messages of TensorFlow despite TF_CPP_MIN_LOG_LEVEL, because part of its C++ logs before logging is initialized.
_NOISE = re.compile(
    rb"absl::InitializeLog|^[IW]\d{4} |Unable to register cu\w+ factory|computation placer already registered"
    rb"|^E\d{4} .* meta_optimizer\.cc"  # TensorFlow 2.18 and 2.19 then run a graph that is not optimized
    rb"|oneDNN custom operations|optimized to use available CPU|rebuild TensorFlow|Could not find cuda drivers"
    rb"|^INFO: (?:Created|Initialized) TensorFlow Lite"
    rb"|Could not find TensorRT|failed call to cuInit|Error loading CUDA libraries"
)


class _OneThread(io.TextIOBase):
    """A stream that keeps the text of one thread; the text of others, such as progress, goes through."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._thread = stream, threading.get_ident()
        self.kept: list[str] = []

    def write(self, text: str) -> int:
        if threading.get_ident() != self._thread:
            return self._stream.write(text)
        self.kept.append(text)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


@contextmanager
def quiet_failure() -> Iterator[None]:
    """Discard this thread's text on Python's standard error if the work fails, because the error has the message.

    NumPy prints a traceback for each module that was built for a different NumPy.
    """
    stream = sys.stderr
    if stream is None:  # started without a standard error
        yield
        return
    sys.stderr = held_back = _OneThread(stream)
    try:
        yield
        stream.write("".join(held_back.kept))
    finally:
        if sys.stderr is held_back:
            sys.stderr = stream


@contextmanager
def without_native_noise(*, of_failures: bool = True) -> Iterator[None]:
    """Hold back text on file descriptor 2; unless it is known noise, it is printed afterwards.

    Without `of_failures`, nothing is printed if the work raises an error, because the error has the message. Python's
    own standard error (such as progress bars) still goes to the terminal. The descriptor belongs to the process: use
    it from one thread at a time.
    """
    try:
        terminal = os.dup(2)
    except OSError:  # started without a standard error
        yield
        return
    python_stderr = sys.stderr
    with tempfile.TemporaryFile() as held_back, os.fdopen(terminal, "w", encoding="utf-8", buffering=1) as bypass:
        if python_stderr is sys.__stderr__:
            sys.stderr = bypass
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except BaseException:
            if not of_failures:
                held_back.truncate(0)
            raise
        finally:
            os.dup2(terminal, 2)
            if sys.stderr is bypass:
                sys.stderr = python_stderr
            held_back.seek(0)
            for line in held_back:
                if not _NOISE.search(line):
                    os.write(2, line)
