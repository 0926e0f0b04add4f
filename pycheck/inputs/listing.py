"""Finds the files that are samples: a folder, a pattern, or a list of files."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputsFileError
from ..types import SampleFile, SampleFiles

#: Files that a browser or Python can decode, by suffix.
IMAGES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".avif", ".heic", ".tif", ".tiff"})
SOUNDS = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aac", ".m4a", ".aif", ".aiff"})
TEXTS = frozenset({".txt", ".json"})
_ARRAYS = frozenset({".npy", ".npz", ".safetensors"})
_MOST_NAMED = 3


def are_samples(given: Sequence[Path], *, has_code: bool) -> bool:
    """Tell whether INPUTS are files that are one sample each, rather than one file of arrays.

    `has_code`: the user said how a file becomes an input, so that a .json or .npy file is a sample too.
    """
    if len(given) != 1:
        return bool(given)
    path = given[0]
    if path.is_dir() or has_code:
        return True
    suffix = path.suffix.lower()
    return (not path.exists() and glob.has_magic(str(path))) or suffix in IMAGES | SOUNDS | {".txt"}


def list_files(given: Sequence[Path]) -> SampleFiles:
    """Return the files in order: of a folder with all folders below, of a pattern, or as listed.

    InputsFileError if a file is missing, twice there, or a folder has no file of a kind that can be decoded.
    """
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            found += _of_folder(path)
        elif path.exists() or not glob.has_magic(str(path)):
            found.append(path)
        else:
            found += _of_pattern(path)
    for path in found:
        if not path.is_file():
            raise InputsFileError(f"There is no file {path}.", "Check the path.")
    places = [path.resolve() for path in found]
    if twice := next((path for path, place in zip(found, places, strict=True) if places.count(place) > 1), None):
        raise InputsFileError(f"The file {twice} is given twice.", "Give each file once.")
    shared = Path(os.path.commonpath([place.parent for place in places]))
    files = (SampleFile(path, place.relative_to(shared).as_posix()) for path, place in zip(found, places, strict=True))
    return SampleFiles(tuple(given), tuple(files))


def _of_folder(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    known = [path for path in files if path.suffix.lower() in IMAGES | SOUNDS | TEXTS]
    if known:
        return known
    there = ", ".join(path.name for path in files[:_MOST_NAMED])
    arrays = any(path.suffix.lower() in _ARRAYS for path in files)
    raise InputsFileError(
        f"The folder {folder} has no image, sound or text"
        + (f": it has {there}{' and more' if len(files) > _MOST_NAMED else ''}." if files else ": it is empty."),
        "Give a file of arrays by its own path." if arrays else f"Files of these kinds are taken: {_kinds()}.",
    )


def _of_pattern(pattern: Path) -> list[Path]:
    files = sorted(Path(name) for name in glob.glob(str(pattern), recursive=True))  # noqa: PTH207
    files = [path for path in files if path.is_file()]
    if not files:
        raise InputsFileError(f"No file fits the pattern {pattern}.", "Check the pattern; ** also takes folders below.")
    return files


def _kinds() -> str:
    return ", ".join(sorted(suffix[1:] for suffix in IMAGES | SOUNDS | TEXTS))
