"""Tells whether files changed, by what the system says of them; no file is read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

#: Size, time of the last change of the content and of the file's record, and the number of the record. An editor that
#: keeps the time, or puts a new file in the place of the old one, changes one of them.
Stamp = tuple[int, int, int, int]
#: The stamp of each file; None for one that does not exist.
Stamps = Mapping[Path, Stamp | None]


def stamps(places: Iterable[Path]) -> Stamps:
    """Return the stamps of these files, and of all files in those that are folders."""
    found: dict[Path, Stamp | None] = {}
    for place in places:
        if place.is_dir():
            found |= {file: _stamp(file) for file in _files(place)}
        else:
            found[place] = _stamp(place)
    return found


def changed(before: Stamps, after: Stamps) -> tuple[Path, ...]:
    """Return the files whose stamps differ, that are new, or that are gone."""
    return tuple(sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path)))


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and below; what is hidden belongs to other programs."""
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(here, name) for name in files if not name.startswith("."))


def _stamp(file: Path) -> Stamp | None:
    try:
        state = file.stat()
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino
