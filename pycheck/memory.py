"""Gives memory back to the system that the C library keeps for later."""

from __future__ import annotations

import ctypes
import gc
import sys
import time
from functools import cache
from typing import Any

#: Pages that were given back cost time when they are used again.
_PAUSE_S = 0.2
_last_s = 0.0


def give_back() -> None:
    """Hand freed memory back: glibc keeps what lies between values that are still in use, for as long as they are.

    TensorFlow copies a model several times while it reads, rewrites and traces it; without this the process keeps
    the memory of these copies. On other systems than glibc's, this collects garbage only.
    """
    gc.collect()
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


def give_back_values() -> None:
    """Hand the memory of a run of the model back, at most a few times a second, and collect no garbage.

    The values inside of a model have many sizes. Without this the gaps between them add up from run to run.
    """
    global _last_s
    trim = _malloc_trim()
    if trim is not None and time.monotonic() - _last_s > _PAUSE_S:
        trim(0)
        _last_s = time.monotonic()


@cache
def _malloc_trim() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL("libc.so.6").malloc_trim
    except (OSError, AttributeError):  # another C library
        return None
