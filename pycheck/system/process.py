"""Tells whether this process is pycheck's own, which allows more than a process that only imports pycheck."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

#: True if the command line started the process; False in a process that imported pycheck as a library.
own = False

#: Packages that TensorFlow and Keras import at once wherever they are installed, as tensorflowjs has them installed,
#: for conversions and data sources that pycheck does not use.
_OPTIONAL = ("jax", "pandas")


@contextmanager
def without_optional_imports() -> Iterator[None]:
    """Hide TensorFlow's optional packages from its import, in a process of pycheck's own; they stay usable later."""
    absent = [name for name in _OPTIONAL if own and name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]  # makes `import` raise ModuleNotFoundError
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)


def end(code: int) -> NoReturn:
    """End the process at once: TensorFlow takes a second to free memory that the system frees anyway."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # the reader has gone, which does not change the verdict
            stream.flush()
    os._exit(code)
