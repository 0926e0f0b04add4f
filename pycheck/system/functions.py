"""Loads a function of the user's own code by ``FILE.py:FUNCTION`` or ``package.module:FUNCTION``."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import UsageError


def load_function(option: str, text: str, form: str, known: str = "function") -> Callable[..., Any]:
    """Load the function that an option names; UsageError if there is none.

    `form` says what to write instead, and `known` what else the option takes.
    """
    place, colon, name = text.rpartition(":")
    if not colon or not place or not name:
        raise UsageError(f"{option} {text}: it names no {known}.", form)
    module = _of_file(Path(place), option, text, form) if place.endswith(".py") else _of_name(place, option, text)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            near = difflib.get_close_matches(part, dir(found), 1)
            raise UsageError(
                f"{option} {text}: {place} has no {name}.", f"Did you mean {near[0]}?" if near else "Check the name."
            )
        found = getattr(found, part)
    if not callable(found):
        raise UsageError(f"{option} {text}: {name} is {type(found).__name__}, not a function.", form)
    function: Callable[..., Any] = found
    return function


def _of_file(file: Path, option: str, text: str, form: str) -> ModuleType:
    """Run a file as a module; its own imports work from its folder."""
    if not file.is_file():
        raise UsageError(f"{option} {text}: there is no file {file}.", "The path is relative to this folder.")
    folder = str(file.resolve().parent)
    # No import finds this name, and a dataclass of the user finds its module by it.
    spec = importlib.util.spec_from_file_location(f"{file.stem} of {option}", file)
    if spec is None or spec.loader is None:
        raise UsageError(f"{option} {text}: Python cannot import {file}.", form)
    module = importlib.util.module_from_spec(spec)
    if folder not in sys.path:
        sys.path.append(folder)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _fails(option, text, str(file), error) from error
    return module


def _of_name(name: str, option: str, text: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{option} {text}: Python finds no module {error.name}.", f"Put the module into {here}, or install it."
        ) from error
    except Exception as error:
        raise _fails(option, text, name, error) from error


def _fails(option: str, text: str, module: str, error: Exception) -> UsageError:
    return UsageError(
        f"{option} {text}: the import of {module} fails: {type(error).__name__}: {error}.",
        "Import it with Python first.",
    )
