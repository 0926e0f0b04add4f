"""Imports modules that were written for the Keras of TensorFlow 2.15 and before, with tf_keras as their Keras.

In one process `tf.keras` is either Keras 3 or tf_keras, depending on the first import. While a module is imported
here, `tensorflow`, `tensorflow.keras` and `keras` stand for tf_keras, but only in modules that are imported in that
time. These modules keep tf_keras, also when their functions run later, and the rest of the process keeps Keras 3.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_ALIASES = ("tensorflow.keras", "keras")
#: Modules of old Keras packages, by the modules that have their public names now.
_MOVED = {
    "engine": "layers",
    "engine.base_layer": "layers",
    "engine.topology": "layers",
    "engine.training": "models",
    "layers.core": "layers",
    "layers.convolutional": "layers",
    "layers.merge": "layers",
    "layers.normalization": "layers",
    "layers.recurrent": "layers",
    "layers.wrappers": "layers",
}


@contextmanager
def keras2_imports() -> Iterator[None]:
    """Import tf_keras for every name of Keras within this context; restore everything afterwards."""
    importlib.import_module("tf_keras")
    before = dict(sys.modules)
    tensorflow = sys.modules["tensorflow"]
    finder = _Finder()
    for name, module in before.items():
        if _is_alias(name) or (_is_user_code(name) and _refers_to(module, {"keras"}, tensorflow)):
            del sys.modules[name]
    stand_in = _TensorFlow(tensorflow)
    sys.modules["tensorflow"] = stand_in
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in _bound_to_keras2(before, stand_in):
            del sys.modules[name]
        sys.modules.update({name: module for name, module in before.items() if name not in sys.modules})


def _bound_to_keras2(before: Mapping[str, ModuleType], stand_in: ModuleType) -> set[str]:
    """Return modules of this context that refer to the stand-in, or to modules that do, directly or indirectly."""
    new = {name: module for name, module in sys.modules.items() if before.get(name) is not module}
    bound = {name for name in new if name in before or _is_alias(name)}
    packages = {"tf_keras"}
    while more := {name for name in new.keys() - bound if _refers_to(new[name], packages, stand_in)}:
        bound |= more
        packages |= more
    return bound


class _TensorFlow(ModuleType):
    """The tensorflow module with tf_keras as its Keras."""

    def __init__(self, tensorflow: ModuleType) -> None:
        super().__init__("tensorflow")
        self.__dict__.update(__path__=tensorflow.__path__, __spec__=tensorflow.__spec__, _tensorflow=tensorflow)
        self.__dict__["keras"] = importlib.import_module("tf_keras")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_tensorflow"], name)

    def __dir__(self) -> list[str]:
        return dir(self.__dict__["_tensorflow"])


class _Finder(MetaPathFinder, Loader):
    """Finds the modules of tf_keras under the names of Keras."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if _is_alias(fullname) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        alias = next(alias for alias in _ALIASES if spec.name == alias or spec.name.startswith(f"{alias}."))
        inner = spec.name[len(alias) + 1 :]
        module = _tf_keras_module(_MOVED.get(inner, inner))
        self._own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._own_spec  # the import has replaced it


def _tf_keras_module(inner: str) -> ModuleType:
    if not inner:
        return importlib.import_module("tf_keras")
    try:
        return importlib.import_module(f"tf_keras.{inner}")
    except ModuleNotFoundError:
        return importlib.import_module(f"tf_keras.src.{inner}")


def _is_alias(name: str) -> bool:
    return any(name == alias or name.startswith(f"{alias}.") for alias in _ALIASES)


def _is_user_code(name: str) -> bool:
    """Tell whether a module is not part of Python, TensorFlow or pycheck, which may hold Keras 3 and keep it."""
    root = name.partition(".")[0]
    return root not in {*sys.stdlib_module_names, "__main__", "tensorflow", "tf_keras", "pycheck", "tensorflowjs"}


def _refers_to(module: Any, packages: Collection[str], tensorflow: ModuleType) -> bool:
    """Tell whether a module's globals are, or come from, one of these packages, or are this TensorFlow."""
    for value in list(vars(module).values()) if isinstance(module, ModuleType) else ():
        bases = value.__mro__ if isinstance(value, type) else (value,)
        names = [value.__name__] if isinstance(value, ModuleType) else [getattr(b, "__module__", None) for b in bases]
        roots = {part for name in names if isinstance(name, str) for part in (name, name.partition(".")[0])}
        if value is tensorflow or not roots.isdisjoint(packages):
            return True
    return False
