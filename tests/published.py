"""The published converter, the Python package tensorflowjs, as an oracle: without the packages that it hardly uses."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from pycheck.model.tensorflow_import import import_tensorflow

#: What it imports for conversions other than those of Keras models and SavedModels. The oracle is installed without
#: its dependencies, since these hold TensorFlow, protobuf and packaging at old versions.
_DEFERRED = (
    "tensorflow_decision_forests",
    "tensorflow_hub",
    "jax",
    "jax.experimental",
    "jax.experimental.jax2tf",
    "flax",
)


class _DeferredModule(ModuleType):
    """Stands in for a module while tensorflowjs is imported, and becomes the real one when it is used."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__: list[str] = []  # an import of a submodule needs a package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or isinstance(sys.modules.get(self.__name__), _DeferredModule):
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)


@contextlib.contextmanager
def _deferred_modules() -> Iterator[None]:
    """Put stand-ins into sys.modules for what is not imported yet, and take them out again."""
    stand_ins = {name: _DeferredModule(name) for name in _DEFERRED if name not in sys.modules}
    sys.modules.update(stand_ins)
    for name, module in stand_ins.items():
        parent, _, child = name.rpartition(".")
        if parent in stand_ins:
            setattr(stand_ins[parent], child, module)
    try:
        yield
    finally:
        for name, module in stand_ins.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


def import_tensorflowjs() -> Any:
    """The package; a test is skipped where it is not installed. TensorFlow comes first: it does not import before."""
    if "tensorflowjs" in sys.modules:
        return sys.modules["tensorflowjs"]
    if importlib.util.find_spec("tensorflowjs") is None:
        pytest.skip("the published converter is not installed: pip install --no-deps tensorflowjs==4.22.0")
    import_tensorflow()
    with _deferred_modules(), contextlib.redirect_stdout(io.StringIO()):
        return importlib.import_module("tensorflowjs")
