"""Runs the published converter with the words of its own command line, in the Python of whichever environment it is in.

``python published_runner.py --input_format=... INPUT OUTPUT``. It is read by a Python without pycheck, and so imports
nothing of it. What tensorflowjs imports for other conversions (decision forests, jax, TensorFlow Hub) is left out where
it is not installed.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

#: What tensorflowjs imports for conversions other than those of Keras models and SavedModels.
OTHERS = (
    "tensorflow_decision_forests",
    "tensorflow_hub",
    "jax",
    "jax.experimental",
    "jax.experimental.jax2tf",
    "flax",
)


class Absent(ModuleType):
    """Stands in for a package that is not needed; whatever uses it fails by its name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []  # an import of a submodule needs a package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if f"{self.__name__}.{name}" in sys.modules:
            return sys.modules[f"{self.__name__}.{name}"]
        raise ImportError(f"{self.__name__} is not installed, and this conversion needs it")


def main() -> None:
    """Import TensorFlow first, without which tensorflowjs does not import; then convert."""
    importlib.import_module("tensorflow")
    for name in OTHERS:
        sys.modules[name] = Absent(name)
    importlib.import_module("tensorflowjs.converters.converter").convert(sys.argv[1:])


if __name__ == "__main__":
    main()
