"""What was computed before: artifacts and native results, found by the content they came from.

Entries are folders. One is built aside and renamed into place, so that a reader never sees
half of one, and two processes that build the same one at once do no harm: the first wins.
An entry carries the size and the checksum of each of its files; one that no longer agrees with
them, after a crash of the machine or a full disk, is removed and computed again. Who found an
entry holds it until `close`, so that nobody who runs beside it makes room at its expense.
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
from typing import BinaryIO, TypeVar

import platformdirs

from ..errors import UsageError

_fcntl: ModuleType | None = None
with suppress(ImportError):  # Windows has none, and removes no file that is open
    import fcntl as _fcntl

T = TypeVar("T")

#: Least recently used entries go when the cache outgrows this.
DEFAULT_LIMIT_BYTES = 4 << 30

#: A folder in the cache whose folders are no entries: they have no limit, and once made only their maker removes them.
ENVIRONMENTS = "environments"
_ENVIRONMENT = "tensorflowjs-"

#: What a folder is called in which something is being built, see tempfile.mkdtemp.
_BUILDING = re.compile(r"\.[^-]{1,16}-[a-z0-9_]{8}")

# A folder that was being built this long ago belongs to a process that died.
_ABANDONED_AFTER_S = 24 * 3600.0

#: Inside an entry: size and CRC-32 of every other file, by relative name.
_SEAL = ".seal.json"
_CHUNK_BYTES = 1 << 20


def content_key(*parts: object) -> str:
    """A name for whatever is determined by `parts` (JSON-ready values)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry that is being built in `folder`, to be published or discarded."""

    folder: Path
    target: Path | None
    hold: Callable[[Path], bool]

    def publish(self) -> Path:
        """Make the entry findable and return where it lies; an entry published first stays."""
        if self.target is None:
            return self.folder
        (self.folder / _SEAL).write_text(json.dumps(_sums(self.folder)), encoding="utf-8")
        try:
            self.folder.rename(self.target)
        except OSError:  # another process published it meanwhile
            if not self.target.is_dir():
                raise
            self.discard()
        self.hold(self.target)
        return self.target

    def discard(self) -> None:
        """Remove what was built."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Cache:
    """A folder of entries by kind and key; `enabled=False` finds nothing and keeps nothing."""

    def __init__(
        self, root: Path | None = None, *, enabled: bool = True, limit_bytes: int = DEFAULT_LIMIT_BYTES
    ) -> None:
        self.root = root or Path(platformdirs.user_cache_dir("pycheck"))
        self.enabled = enabled
        self._limit_bytes = limit_bytes
        self._unpublished: list[Path] = []
        self._held: list[BinaryIO] = []

    def find(self, kind: str, key: str) -> Path | None:
        """The folder of an entry, or None. Being found counts as being used, and keeps it there until `close`."""
        folder = self.root / kind / key
        if not self.enabled or not os.path.lexists(folder):
            return None
        if not _is_whole(folder):
            _remove(folder)
            return None
        if not self._hold(folder):
            return None  # another process is removing it
        try:
            os.utime(folder)
        except OSError:
            return None  # pruned by another process between the two calls
        return folder

    def read(self, kind: str, key: str, parse: Callable[[Path], T]) -> T | None:
        """Parse the folder of an entry with `parse`; None if there is no valid entry.

        An entry that it rejects with ValueError, because what was written cannot be read back, is removed: so what is
        computed instead takes its place.
        """
        folder = self.find(kind, key)
        if folder is None:
            return None
        try:
            return parse(folder)
        except ValueError:
            _remove(folder)
            return None

    def _hold(self, folder: Path) -> bool:
        """Keep an entry from being pruned; False where it is being pruned just now."""
        seal = _locked(folder, exclusive=False)
        if seal:
            self._held.append(seal)
        return seal is not None

    def reserve(self, kind: str, key: str | None) -> Pending:
        """A fresh folder to build an entry in; without a key it lasts until `close`.

        UsageError when the cache cannot be written.
        """
        if not (key and self.enabled):
            folder = Path(tempfile.mkdtemp(prefix=f"pycheck-{kind}-"))
            self._unpublished.append(folder)
            return Pending(folder, None, self._hold)
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
        return Pending(folder, parent / key, self._hold)

    def note(self, name: str, content: Mapping[str, str]) -> None:
        """Keep a few words beside the entries, in the place of those that were kept under this name."""
        if self.enabled and content != self.noted(name):
            with suppress(OSError):  # whoever cannot write here is told so when an entry is reserved
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

    def close(self) -> None:
        """Remove what this process built and never published, and what the limit no longer allows."""
        for folder in self._unpublished:
            shutil.rmtree(folder, ignore_errors=True)
        self._unpublished.clear()
        for seal in self._held:
            seal.close()
        self._held.clear()
        if self.enabled:
            self._prune()

    def sizes(self) -> dict[str, int]:
        """Bytes by kind of entry."""
        sizes: dict[str, int] = {}
        for folder in self._entries():
            sizes[folder.parent.name] = sizes.get(folder.parent.name, 0) + _size(folder)
        return dict(sorted(sizes.items()))

    def clean(self, *, environments: bool = False) -> tuple[int, int]:
        """Remove all entries that nobody uses, environments only if asked to; the bytes that went and that stayed."""
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
                elif folder.parent.name != ENVIRONMENTS:
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
    """Whether an entry was removed: nobody uses it. One that is being built goes when its builder must have died."""
    if folder.name.startswith("."):
        try:
            return folder.stat().st_mtime < time.time() - _ABANDONED_AFTER_S and _remove_all(folder)
        except OSError:
            return False
    seal = _locked(folder, exclusive=True)
    if not seal:  # someone uses it
        return False
    with seal:
        return _remove_all(folder)


def _remove_all(folder: Path) -> bool:
    shutil.rmtree(folder, ignore_errors=True)
    return not os.path.lexists(folder)


def _size(folder: Path) -> int:
    """Bytes; what another process removes meanwhile does not count."""
    size = 0
    for file in folder.rglob("*"):
        with suppress(OSError):
            size += file.stat().st_size if file.is_file() else 0
    return size


def _locked(folder: Path, *, exclusive: bool) -> BinaryIO | None:
    """An entry's seal, locked as long as it is open; None where that cannot be had now, or the entry is gone."""
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
    """Size in bytes and CRC-32 of every file: enough against accidents, and fast."""
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
