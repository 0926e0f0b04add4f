"""Returns memory to the system that the C library keeps for later."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

if sys.platform == "darwin":
    import resource

#: The shortest time between two returns, because returned pages cost time when they are used again.
_PAUSE_S = 0.2
_last_s = 0.0

#: With TensorFlow imported, a garbage collection takes 0.2 to 0.5 s. Of a small model it would return 3 MB: what the
#: process has by then, and grows by, are TensorFlow's modules and kernels.
_WORTHWHILE_BYTES = 64 * 2**20
_OF_TENSORFLOW_BYTES = 640 * 2**20
_kept_bytes = _OF_TENSORFLOW_BYTES


def give_back() -> None:
    """Return freed memory to the system, if the process has grown by 64 MiB since the last time.

    TensorFlow copies a model several times while it reads, rewrites and traces it, and glibc keeps the gaps between
    values that are still in use.
    """
    global _kept_bytes
    if (now := _resident_bytes()) is not None and now - _kept_bytes < _WORTHWHILE_BYTES:
        _kept_bytes = max(min(_kept_bytes, now), _OF_TENSORFLOW_BYTES)
        return
    gc.collect()
    trim = _malloc_trim()
    if trim is not None:
        trim(0)
    _kept_bytes = _resident_bytes() or 0


def give_back_values() -> None:
    """Return the memory of a run of the model, at most a few times a second, without a garbage collection.

    The values within a model have many sizes, so gaps between them would add up from run to run.
    """
    global _last_s
    trim = _malloc_trim()
    if trim is not None and time.monotonic() - _last_s > _PAUSE_S:
        trim(0)
        _last_s = time.monotonic()


def _resident_bytes() -> int | None:
    """Return the memory that this process uses, on macOS its maximum so far; None if the system does not report it."""
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes, getrusage(2)
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")  # proc(5)
    except (OSError, ValueError, IndexError):
        return None


@cache
def _malloc_trim() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL("libc.so.6").malloc_trim
    except (OSError, AttributeError):  # a C library without malloc_trim
        return None
