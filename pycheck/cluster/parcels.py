"""Moves files to workers by their content: models, inputs and pages, and what the parts of a variant made.

A parcel has the files that one path stands for: a file, a model.json with its shards, or a folder. A worker keeps it in
its cache, so that it is written there once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import InputError
from ..options.values import Options
from ..system.cache import Cache, content_key
from ..workflow.places import model_places
from .tasks import Files

_KIND = "parcels"
#: The kinds of entries that the parts of a variant give to one another.
_MADE = ("model", "artifact", "native", "power", "lengths")


@dataclass(frozen=True, slots=True)
class Parcel:
    """The files of the path `given`. Their names are relative to the folder of that path."""

    given: Path
    key: str


def parcel_of(given: Path) -> tuple[Parcel, Files]:
    """Read the files that a path stands for; a path that does not exist has none, and the worker says so.

    InputError if a file cannot be read.
    """
    folder = given.parent
    paths = sorted(path for path in given.rglob("*") if path.is_file()) if given.is_dir() else _beside(given)
    try:
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    except OSError as error:
        raise InputError(f"Cannot read {error.filename or given}: {error.strerror}.") from error
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return Parcel(given, content_key(given.name, digests)), files


def _beside(file: Path) -> list[Path]:
    """Return a file, and those that it names: the shards of a model.json. Only those below its folder can go along."""
    named = [file, *model_places(file, Options())]
    return [path for path in dict.fromkeys(named) if path.is_file() and path.is_relative_to(file.parent)]


def unpack(cache: Cache, parcel: Parcel, files: Files) -> Path:
    """Put a parcel into the cache of a worker, unless it is there; return its path. UsageError if it cannot."""
    folder = cache.find(_KIND, parcel.key) or _write(cache, _KIND, parcel.key, files)
    return folder / parcel.given.name


def pack(cache: Cache) -> Files:
    """Return the entries of the cache that a part has used or made, for the parts after it."""
    entries = [folder for folder in cache.held if folder.parent.name in _MADE]
    return {
        f"{folder.parent.name}/{folder.name}/{name}": content
        for folder in entries
        for name, content in files_of(folder).items()
    }


def unpack_entries(cache: Cache, files: Files) -> None:
    """Put the entries that a part made into the cache of this worker, unless they are there."""
    entries: dict[tuple[str, str], dict[str, bytes]] = {}
    for path, content in files.items():
        kind, key, name = path.split("/", 2)
        entries.setdefault((kind, key), {})[name] = content
    for (kind, key), of_entry in entries.items():
        if cache.find(kind, key) is None:
            _write(cache, kind, key, of_entry)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files in a folder by their relative names, except that of the seal of an entry."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".seal.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def write_files(folder: Path, files: Files) -> None:
    """Write files below a folder."""
    for name, content in files.items():
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise InputError(f"The file {name} is not below its folder.")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _write(cache: Cache, kind: str, key: str, files: Files) -> Path:
    pending = cache.reserve(kind, key)
    try:
        write_files(pending.folder, files)
        return pending.publish()
    except BaseException:
        pending.discard()
        raise


def named_as(places: Mapping[Path, Path], data: Any) -> Any:
    """Replace the paths of a worker by those that the user gave, in all texts of JSON-ready data.

    `places` are the paths on the worker by those that were given.
    """
    folders = {f"{place.parent}/": _folder(given) for given, place in places.items()}
    return _replaced(data, folders.items()) if folders else data


def _folder(given: Path) -> str:
    """Return the text before the name in a path; empty if there is none."""
    return str(given).removesuffix(given.name)


def _replaced(data: Any, folders: Iterable[tuple[str, str]]) -> Any:
    if isinstance(data, dict):
        return {key: _replaced(value, folders) for key, value in data.items()}
    if isinstance(data, list):
        return [_replaced(value, folders) for value in data]
    if isinstance(data, str):
        for folder, given in folders:
            data = data.replace(folder, given)
    return data


def given_paths(model: Path, inputs: Path | None, options: Options) -> Iterator[Path]:
    """Yield the paths of a variant that a worker needs."""
    for path in (model, inputs, options.tfjs_model, options.tflite_model, options.page):
        if path is not None:
            yield path
