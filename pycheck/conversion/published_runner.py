"""Runs the published converter with its own command line, in the Python of its environment.

``python published_runner.py --input_format=... INPUT OUTPUT``. A Python without pycheck runs it, so it imports nothing
of pycheck. Packages that tensorflowjs imports for other conversions (decision forests, jax, TensorFlow Hub) are
replaced if they are not installed.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

#: Packages that tensorflowjs imports for conversions other than those of Keras models and SavedModels.
OTHERS = (
    "tensorflow_decision_forests",
    "tensorflow_hub",
    "jax",
    "jax.experimental",
    "jax.experimental.jax2tf",
    "flax",
)


class Absent(ModuleType):
    """A replacement for a package that is not needed; any use of it raises an error with its name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []  # importing a submodule needs a package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if f"{self.__name__}.{name}" in sys.modules:
            return sys.modules[f"{self.__name__}.{name}"]
        raise ImportError(f"{self.__name__} is not installed, and this conversion needs it")


def main() -> None:
    """Import TensorFlow first, because tensorflowjs does not import without it; then convert."""
    importlib.import_module("tensorflow")
    for name in OTHERS:
        sys.modules[name] = Absent(name)
    importlib.import_module("tensorflowjs.converters.converter").convert(sys.argv[1:])


if __name__ == "__main__":
    main()
