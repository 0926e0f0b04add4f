"""The published converter, the Python package tensorflowjs, as an oracle: without the packages that it hardly uses."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from pycheck.conversion.published_runner import OTHERS, Absent
from pycheck.model.tensorflow_import import import_tensorflow


@contextlib.contextmanager
def _without_others() -> Iterator[None]:
    """Put stand-ins into sys.modules for what is not imported yet, and take them out again."""
    stand_ins = {name: Absent(name) for name in OTHERS if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]


def import_tensorflowjs() -> Any:
    """The package; a test is skipped where it is not installed. TensorFlow comes first: it does not import before."""
    if "tensorflowjs" in sys.modules:
        return sys.modules["tensorflowjs"]
    if importlib.util.find_spec("tensorflowjs") is None:
        pytest.skip("the published converter is not installed: pip install --no-deps tensorflowjs==4.22.0")
    import_tensorflow()
    with _without_others(), contextlib.redirect_stdout(io.StringIO()):
        return importlib.import_module("tensorflowjs")
