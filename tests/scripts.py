"""The scripts of docs/ and js_harness/, which are no packages that tests can import where pycheck is a wheel."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def script(name: str, folder: str = "docs") -> Any:
    """The module of a script."""
    spec = importlib.util.spec_from_file_location(name, ROOT / folder / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
