"""Lists the files that a run reads, as they are now: the model, artifacts, inputs, and the user's code.

A folder stands for all files in it.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..artifact.json_file import read_json
from ..errors import ArtifactFileError
from ..options.values import Options
from ..runtimes.browser.imports import read_imports
from ..types import AppCode

#: The files beside the user's modules that a page can also fetch.
_BESIDE = frozenset({".js", ".mjs", ".cjs", ".json", ".txt"})


def model_places(model: Any, options: Options) -> Iterator[Path]:
    """Yield the model and the artifacts; of a model.json its shards too, whether they exist or not."""
    for path in (model, options.tfjs_model, options.tflite_model):
        if isinstance(path, Path):
            yield path
            if path.suffix == ".json":
                yield from _shards(path)


def input_places(given: Any) -> Iterator[Path]:
    """Yield the inputs: a file, a folder, or the files that fit a pattern."""
    for path in [given] if isinstance(given, Path) else given if isinstance(given, list | tuple) else ():
        if not isinstance(path, Path):
            return  # arrays
        if path.exists() or not glob.has_magic(str(path)):
            yield path
        else:
            yield from map(Path, glob.glob(str(path), recursive=True))  # noqa: PTH207


def script_places(options: Options) -> Iterator[Path]:
    """Yield the user's modules, what they import from their folder, and the scripts and data beside them."""
    codes = [code for code in (options.js_preprocess, options.js_postprocess) if code]
    if not codes:
        return
    from ..preprocessing import is_recipe  # slow, and a compare of arrays does not need it

    modules = [AppCode.of(code).module for code in codes if not is_recipe(code)]
    yield from modules
    found = [module.resolve() for module in modules if module.is_file()]
    roots = tuple(dict.fromkeys(module.parent for module in found))
    imported = read_imports(roots, found).modules if found else frozenset()
    own = [module for module in imported if "node_modules" not in module.parts]
    for folder in dict.fromkeys(module.parent for module in own):
        yield from _with_suffixes(folder)


def python_places(options: Options) -> Iterator[Path]:
    """Yield the files of Python code that are named by their paths, and those that recipes read."""
    codes = [code for code in (options.preprocess, options.js_preprocess, options.postprocess) if code]
    if not codes:
        return
    from ..preprocessing.calls import Call

    for code in codes:
        call = Call.of(code)
        if call and call.name == "vocabulary":
            yield Path(call.inside)
        elif (place := code.rpartition(":")[0]).endswith(".py"):
            yield Path(place)


def _shards(manifest: Path) -> Iterator[Path]:
    with suppress(ArtifactFileError, OSError, TypeError, KeyError):  # the run says what is wrong with it
        for group in read_json(manifest)["weightsManifest"]:
            yield from (manifest.parent / str(name) for name in group["paths"])


def _with_suffixes(folder: Path) -> Iterable[Path]:
    with suppress(OSError):
        return [path for path in folder.iterdir() if path.suffix in _BESIDE and path.is_file()]
    return ()
