"""Gives memory back to the system that the C library keeps for later."""

from __future__ import annotations

import ctypes
import gc
import sys
from functools import cache
from typing import Any


def give_back() -> None:
    """Hand freed memory back: glibc keeps what lies between values that are still in use, for as long as they are.

    TensorFlow copies a model several times while it reads, rewrites and traces it; without this the process keeps
    the memory of these copies. On other systems than glibc's, this collects garbage only.
    """
    gc.collect()
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL("libc.so.6").malloc_trim
    except (OSError, AttributeError):  # another C library
        return None
