"""Loads the user's function that makes an input of a file."""

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
from ..types import Signature
from .by_name import is_recipe, recipe

#: Takes the path of a file; gives the array of one sample, or arrays by input name.
Preprocess = Callable[[Path], Any]

_FORM = (
    "Write --preprocess FILE.py:FUNCTION or package.module:FUNCTION, or a recipe: tf, caffe, torch or rescale for "
    "images, waveform(rate=16000) or log-mel(rate=16000) for sounds, vocabulary(FILE) for texts."
)


def load_preprocess(text: str, signature: Signature) -> Preprocess:
    """Load ``app/prep.py:load``, ``package.module:load``, or a recipe; UsageError if there is no such function."""
    if is_recipe(text):
        return recipe(text, signature)
    place, colon, name = text.rpartition(":")
    if not colon or not place or not name:
        raise UsageError(f"--preprocess {text}: it names no function and no recipe.", _FORM)
    module = _of_file(Path(place), text) if place.endswith(".py") else _of_name(place, text)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            near = difflib.get_close_matches(part, dir(found), 1)
            raise UsageError(
                f"--preprocess {text}: {place} has no {name}.",
                f"Did you mean {near[0]}?" if near else "Check the name.",
            )
        found = getattr(found, part)
    if not callable(found):
        raise UsageError(f"--preprocess {text}: {name} is {type(found).__name__}, not a function.", _FORM)
    function: Preprocess = found
    return function


def _of_file(file: Path, text: str) -> ModuleType:
    """Run a file as a module; its own imports work from its folder."""
    if not file.is_file():
        raise UsageError(f"--preprocess {text}: there is no file {file}.", "The path is relative to this folder.")
    folder = str(file.resolve().parent)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise UsageError(f"--preprocess {text}: Python cannot import {file}.", _FORM)
    module = importlib.util.module_from_spec(spec)
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _fails(text, str(file), error) from error
    return module


def _of_name(name: str, text: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--preprocess {text}: Python finds no module {error.name}.", f"Put the module into {here}, or install it."
        ) from error
    except Exception as error:
        raise _fails(text, name, error) from error


def _fails(text: str, module: str, error: Exception) -> UsageError:
    return UsageError(
        f"--preprocess {text}: the import of {module} fails: {type(error).__name__}: {error}.",
        "Import it with Python first.",
    )
