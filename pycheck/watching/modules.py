"""Forgets the user's own Python modules, so that a changed one is imported again."""

from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path

_INSTALLED = frozenset({"site-packages", "dist-packages"})


class OwnModules:
    """The modules that were imported since it was made, without Python's, installed ones and pycheck's."""

    def __init__(self) -> None:
        self._before = frozenset(sys.modules)
        # Compiled files have the time of their source in whole seconds: a second save within one would not count.
        sys.dont_write_bytecode = True

    @property
    def files(self) -> tuple[Path, ...]:
        """Return the files of the modules."""
        return tuple(self._found().values())

    def forget(self) -> None:
        """Forget all of them: one that did not change may have names of one that did."""
        for name in self._found():
            sys.modules.pop(name, None)
        importlib.invalidate_caches()

    def _found(self) -> dict[str, Path]:
        new = {name: module for name, module in [*sys.modules.items()] if name not in self._before}
        return {name: file for name, module in new.items() if (file := _own_file(getattr(module, "__file__", None)))}


@functools.cache  # TensorFlow has thousands of modules
def _own_file(name: object) -> Path | None:
    if not isinstance(name, str) or not name.endswith(".py"):
        return None
    file = Path(name).absolute()
    folders = (Path(__file__).parents[1], Path(importlib.__file__).parents[1])  # of pycheck and of Python
    return None if _INSTALLED.intersection(file.parts) or any(map(file.is_relative_to, folders)) else file
