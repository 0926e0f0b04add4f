"""Whether this process is pycheck's own, so that it may do what a guest in another's process may not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

#: Set by the command line. In a process that imported pycheck as a library it stays False.
own = False

#: Packages that TensorFlow and Keras import at once wherever they are installed, as tensorflowjs has them installed,
#: for conversions and data sources that pycheck does not use.
_OPTIONAL = ("jax", "pandas")


@contextmanager
def without_optional_imports() -> Iterator[None]:
    """In a process of our own, let TensorFlow find its optional packages absent; afterwards they can be imported."""
    absent = [name for name in _OPTIONAL if own and name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]  # makes `import` raise ModuleNotFoundError
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)


def end(code: int) -> NoReturn:
    """End at once: TensorFlow takes a second to tear down what the system frees anyway."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # whoever read it is gone, which does not change the verdict
            stream.flush()
    os._exit(code)
