"""Caches artifacts and native results by the content that they were computed from.

Entries are folders. An entry is built in a separate folder and renamed into place, so that a reader never sees half of
one. If two processes build the same entry at once, the first one stays. An entry has the size and the checksum of each
of its files; one that does not match, after a crash of the machine or a full disk, is removed and computed again. A
process that finds an entry locks it until `close`, so that no other process removes it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import platformdirs

from ..errors import UsageError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_fcntl: ModuleType | None = None
with suppress(ImportError):  # Windows has no fcntl, and cannot remove an open file
    import fcntl as _fcntl

T = TypeVar("T")

#: If the cache exceeds this size, the least recently used entries are removed.
DEFAULT_LIMIT_BYTES = 4 << 30

#: A folder in the cache whose folders are not entries: they have no limit, and only their own code removes them.
ENVIRONMENTS = "environments"
_ENVIRONMENT = "tensorflowjs-"

#: The pattern of a folder in which an entry is being built, see tempfile.mkdtemp.
_BUILDING = re.compile(r"\.[^-]{1,16}-[a-z0-9_]{8}")

# An unfinished folder of this age belongs to a process that died.
_ABANDONED_AFTER_S = 24 * 3600.0

#: A file within an entry: size and CRC-32 of every other file, by relative name.
_SEAL = ".seal.json"
#: The only other file of an entry that is one value.
_VALUE = "value.json"
_CHUNK_BYTES = 1 << 20


def content_key(*parts: object) -> str:
    """Return a key for the result of `parts` (JSON-ready values)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry that is being built in `folder`, to be published or discarded."""

    folder: Path
    target: Path | None
    hold: Callable[[Path], bool]
    is_valid: Callable[[], bool]

    def publish(self) -> Path:
        """Move the entry into place and return its folder; an entry that was published first stays."""
        if self.target is None or not self.is_valid():
            return self.folder
        (self.folder / _SEAL).write_text(json.dumps(_sums(self.folder)), encoding="utf-8")
        try:
            self.folder.rename(self.target)
        except OSError:  # a different process has published it
            if not self.target.is_dir():
                raise
            self.discard()
        self.hold(self.target)
        return self.target

    def discard(self) -> None:
        """Remove the unfinished entry."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Cache:
    """A folder of entries by kind and key; `enabled=False` finds nothing and keeps nothing.

    An entry stays only until `close` if its run is not `is_valid` when it is published: a file that is saved while it
    is read has the key of the old content, and results of the new one.
    """

    def __init__(
        self,
        root: Path | None = None,
        *,
        enabled: bool = True,
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
        is_valid: Callable[[], bool] = lambda: True,
    ) -> None:
        self.root = root or Path(platformdirs.user_cache_dir("pycheck"))
        self.enabled = enabled
        self._limit_bytes = limit_bytes
        self._is_valid = is_valid
        self._unpublished: list[Path] = []
        self._has_grown = False
        self._held: list[BinaryIO] = []

    def find(self, kind: str, key: str) -> Path | None:
        """Return the folder of an entry, or None. Finding an entry counts as use, and locks it until `close`."""
        folder = self.root / kind / key
        if not self.enabled or not os.path.lexists(folder):
            return None
        if not _is_whole(folder):
            _remove(folder)
            return None
        if not self._hold(folder):
            return None  # a different process removes it
        try:
            os.utime(folder)
        except OSError:
            return None  # a different process pruned it between the two calls
        return folder

    def read(self, kind: str, key: str, parse: Callable[[Path], T]) -> T | None:
        """Parse the folder of an entry with `parse`; None if there is no valid entry.

        If `parse` raises ValueError, the entry is removed, so that a new result replaces it.
        """
        folder = self.find(kind, key)
        if folder is None:
            return None
        try:
            return parse(folder)
        except ValueError:
            _remove(folder)
            return None

    def value(self, kind: str, key: str | None, form: TypeAdapter[T]) -> T | None:
        """Return the value that `keep` stored; None if there is none, or no key."""
        return self.read(kind, key, lambda entry: form.validate_json((entry / _VALUE).read_bytes())) if key else None

    def keep(self, kind: str, key: str | None, form: TypeAdapter[T], value: T) -> T:
        """Store a value as an entry of its own, and return it; without a key nothing is stored."""
        if key:
            pending = self.reserve(kind, key)
            (pending.folder / _VALUE).write_bytes(form.dump_json(value))
            pending.publish()
        return value

    def drop(self, kind: str, key: str) -> None:
        """Remove an entry, so that a new one replaces it, unless a different process uses it."""
        folder = self.root / kind / key
        for seal in [seal for seal in self._held if Path(seal.name).parent == folder]:
            seal.close()
            self._held.remove(seal)
        if folder.is_dir():
            _remove_unused(folder)

    @property
    def held(self) -> tuple[Path, ...]:
        """Return the folders of the entries that were found or published, each once: KIND/KEY below the root."""
        return tuple(dict.fromkeys(Path(seal.name).parent for seal in self._held))

    def _hold(self, folder: Path) -> bool:
        """Lock an entry against pruning; False if it is being pruned."""
        seal = _locked(folder, exclusive=False)
        if seal:
            self._held.append(seal)
        return seal is not None

    def reserve(self, kind: str, key: str | None) -> Pending:
        """Make a new folder to build an entry in; without a key it lasts until `close`.

        UsageError if the cache cannot be written.
        """
        if not (key and self.enabled):
            folder = Path(tempfile.mkdtemp(prefix=f"pycheck-{kind}-"))
            self._unpublished.append(folder)
            return Pending(folder, None, self._hold, self._is_valid)
        parent = self.root / kind
        try:
            parent.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=f".{key[:8]}-", dir=parent))
        except OSError as error:
            raise UsageError(
                f"Cannot write to the cache folder {self.root}: {error.strerror}.",
                "Set PYCHECK_CACHE_DIR to a folder that you can write to, or add --no-cache",
            ) from error
        self._unpublished.append(folder)
        self._has_grown = True
        return Pending(folder, parent / key, self._hold, self._is_valid)

    def note(self, name: str, content: Mapping[str, str]) -> None:
        """Store a short text beside the entries, instead of the earlier one with this name."""
        if self.enabled and content != self.noted(name):
            with suppress(OSError):  # `reserve` raises an error if the cache cannot be written
                self.root.mkdir(parents=True, exist_ok=True)
                scratch = self.root / f".{name}-{os.getpid()}"
                scratch.write_text(json.dumps(content), encoding="utf-8")
                scratch.replace(self.root / f"{name}.json")

    def noted(self, name: str) -> dict[str, str]:
        """Return what `note` saved under this name; empty if nothing."""
        try:
            return dict(json.loads((self.root / f"{name}.json").read_text(encoding="utf-8"))) if self.enabled else {}
        except (OSError, ValueError, TypeError):
            return {}

    def close(self, *, prunes: bool = True) -> None:
        """Remove unpublished entries of this process.

        If it `prunes`, also what processes that died left, and if it added entries, those beyond the size limit.
        """
        for folder in self._unpublished:
            shutil.rmtree(folder, ignore_errors=True)
        self._unpublished.clear()
        for seal in self._held:
            seal.close()
        self._held.clear()
        if self.enabled and prunes:
            self._prune()

    def sizes(self) -> dict[str, int]:
        """Return bytes by kind of entry."""
        sizes: dict[str, int] = {}
        for folder in self._entries():
            sizes[folder.parent.name] = sizes.get(folder.parent.name, 0) + _size(folder)
        return dict(sorted(sizes.items()))

    def clean(self, *, environments: bool = False) -> tuple[int, int]:
        """Remove all unused entries, and environments only if asked to; return the removed and the remaining bytes."""
        removed = kept = 0
        for folder in self._entries():
            size = _size(folder)
            lasting = folder.parent.name == ENVIRONMENTS and not folder.name.startswith(".")
            if (environments and _remove_all(folder)) if lasting else _remove_unused(folder):
                removed += size
            else:
                kept += size
        return removed, kept

    def _entries(self) -> Iterator[Path]:
        """Yield the folders of entries, also unfinished ones, but no other files in the folder."""
        for folder in sorted(self.root.glob("*/*")):
            ours = _BUILDING.fullmatch(folder.name) or (folder / _SEAL).is_file()
            if folder.parent.name == ENVIRONMENTS:
                ours = ours or folder.name.startswith(_ENVIRONMENT)
            if ours and folder.is_dir() and not folder.is_symlink():
                yield folder

    def _prune(self) -> None:
        entries = []
        for folder in self._entries():
            try:
                if folder.name.startswith("."):
                    _remove_unused(folder)
                elif self._has_grown and folder.parent.name != ENVIRONMENTS:
                    entries.append((folder.stat().st_mtime, _size(folder), folder))
            except OSError:
                continue
        total = sum(size for _, size, _ in entries)
        for _, size, folder in sorted(entries):
            if total <= self._limit_bytes:
                break
            if _remove_unused(folder):
                total -= size


def _remove_unused(folder: Path) -> bool:
    """Remove an unused entry; return whether it was removed.

    An unfinished one is removed if its process must have died.
    """
    if folder.name.startswith("."):
        try:
            return folder.stat().st_mtime < time.time() - _ABANDONED_AFTER_S and _remove_all(folder)
        except OSError:
            return False
    seal = _locked(folder, exclusive=True)
    if not seal:  # a process uses it
        return False
    with seal:
        return _remove_all(folder)


def _remove_all(folder: Path) -> bool:
    shutil.rmtree(folder, ignore_errors=True)
    return not os.path.lexists(folder)


def _size(folder: Path) -> int:
    """Return bytes; files that a different process removes at the same time do not count."""
    size = 0
    for file in folder.rglob("*"):
        with suppress(OSError):
            size += file.stat().st_size if file.is_file() else 0
    return size


def _locked(folder: Path, *, exclusive: bool) -> BinaryIO | None:
    """Lock an entry's seal while it is open; None if it is locked by a different process, or if the entry is gone."""
    try:
        seal = (folder / _SEAL).open("rb")
    except OSError:
        return None
    try:
        if _fcntl:
            _fcntl.flock(seal, (_fcntl.LOCK_EX if exclusive else _fcntl.LOCK_SH) | _fcntl.LOCK_NB)
    except OSError:
        seal.close()
        return None
    return seal


def _sums(folder: Path) -> dict[str, list[int]]:
    """Return size in bytes and CRC-32 of every file: fast, and enough against accidents."""
    sums = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != _SEAL:
            size = checksum = 0
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    size, checksum = size + len(chunk), zlib.crc32(chunk, checksum)
            sums[path.relative_to(folder).as_posix()] = [size, checksum]
    return sums


def _is_whole(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / _SEAL).read_bytes()) == _sums(folder))
    except (OSError, ValueError):
        return False


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
