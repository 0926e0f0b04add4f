"""Keeps the results of a shard on disk, before anything is judged.

DIR/part.jsonl has one JSON document a line, so that neither writer nor reader holds all results as text: the part, each
result as soon as it is there, and the end. The file gets its name when it is complete.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, UsageError
from ..report import wording
from ..report.codec import DecodeError, decode, encode
from ..types import Report, Shard, VariantFailure
from ..version import __version__
from .scope import Outcome, Scope

PART_VERSION = 1
_FILE = "part.jsonl"
#: The start of the name of a file that is not complete.
_PENDING = f".{_FILE}-"
_SAVED = "Name folders that pycheck check --save-run DIR wrote."
_OTHER_FOLDER = "Name a folder with enough space that you can write to."


@dataclass(frozen=True, slots=True)
class Part:
    """The first line: a shard of a check, and the names of its variants."""

    scope: Scope
    shard: Shard
    names: tuple[str, ...]
    pycheck_version: str = __version__
    version: int = PART_VERSION


@dataclass(frozen=True, slots=True)
class _End:
    """The last line: a file without it is not complete."""

    wall_s: float


class PendingPart:
    """A part that is being saved in `target`: it is there completely or not at all, and replaces an earlier one.

    UsageError if `target` is not a new folder, an empty one or an earlier part, or if it cannot be written.
    """

    def __init__(self, target: Path, part: Part) -> None:
        self._target = target
        self._made = [folder for folder in (target, *target.absolute().parents) if not folder.exists()]
        self._failed: OSError | None = None
        try:
            if target.exists() and not _may_hold_a_part(target):
                raise UsageError(
                    f"--save-run {target}: this exists and is not a saved part of a check.",
                    "Name a new or empty folder. pycheck overwrites only earlier parts.",
                )
            target.mkdir(parents=True, exist_ok=True)
            self._path = target / f"{_PENDING}{secrets.token_hex(8)}"
            self._file = self._path.open("x", encoding="ascii")
        except OSError as error:
            self._remove_folders()
            raise self._error(error) from error
        self._write(part)
        if self._failed:
            self.discard()
            raise self._error(self._failed) from self._failed

    def add(self, outcome: Outcome) -> None:
        """Write the result of a variant. If the disk cannot store it, `publish` says so: the others still run."""
        self._write({"failure" if isinstance(outcome, VariantFailure) else "report": outcome})

    def publish(self, wall_s: float) -> None:
        """Put the complete file in place; UsageError if the disk could not store it, and an earlier part stays."""
        self._write(_End(wall_s))
        try:
            if self._failed:
                raise self._failed
            os.fsync(self._file.fileno())
            self._file.close()
            self._path.replace(self._target / _FILE)
        except OSError as error:
            self.discard()
            raise self._error(error) from error
        self._made = []
        for left in self._target.glob(f"{_PENDING}*"):  # of a process that was killed
            with suppress(OSError):
                left.unlink()

    def discard(self) -> None:
        """Remove what is not published."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        self._remove_folders()

    def _write(self, value: Any) -> None:
        if not self._failed:
            try:
                self._file.write(json.dumps(encode(value), allow_nan=False) + "\n")
                self._file.flush()
            except OSError as error:
                self._failed = error

    def _remove_folders(self) -> None:
        for folder in self._made:
            with suppress(OSError):
                folder.rmdir()

    def _error(self, error: OSError) -> UsageError:
        return UsageError(
            f"--save-run {self._target}: cannot write to this folder: {error.strerror or error}.", _OTHER_FOLDER
        )


def _may_hold_a_part(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    others = (path for path in folder.iterdir() if not path.name.startswith(_PENDING))
    return (folder / _FILE).is_file() or not any(others)


class SavedPart:
    """A part on disk. `part` is read at once, the results one by one, so that only one is held as text.

    InputError says what is missing, damaged, cut off, or from a different version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / _FILE
        self.wall_s = 0.0  # known after `results`
        self.part: Part = self._decoded(next(self._lines(), None), Part)

    def results(self) -> Iterator[tuple[str, Outcome]]:
        """Yield the name and the result of each variant."""
        missing = dict.fromkeys(self.part.names)
        lines = self._lines()
        next(lines)
        for data in lines:
            if "wall_s" in data:
                self.wall_s = self._decoded(data, _End).wall_s
                break
            outcome: Outcome = (
                self._decoded(data["report"], Report)
                if "report" in data
                else self._decoded(data.get("failure"), VariantFailure)
            )
            if outcome.name not in missing:
                raise self._damaged(f"it has a result of {outcome.name!r}, which is not of this part or is there twice")
            del missing[outcome.name]
            yield outcome.name, outcome
        else:
            of = f"{len(self.part.names) - len(missing)} of {len(self.part.names)} results"
            raise self._damaged(f"it is cut off after {of}")
        if missing:
            raise self._damaged(f"it has no result of {wording.names(list(missing), 12)}")

    def _lines(self) -> Iterator[dict[str, Any]]:
        """Yield the document of each complete line."""
        try:
            with self._file.open("rb") as file:
                for number, line in enumerate(file, 1):
                    if not line.endswith(b"\n"):
                        return
                    data = json.loads(line)
                    if not isinstance(data, dict):
                        raise self._damaged(f"line {number} is not an object")
                    if number == 1:
                        self._check_version(data)
                    yield data
        except OSError as error:
            raise InputError(f"Cannot read the part {self._file}: {error.strerror}.", self._advice()) from error
        except (ValueError, RecursionError) as error:
            raise self._damaged(str(error)) from error

    def _check_version(self, data: dict[str, Any]) -> None:
        if "scope" not in data or "shard" not in data:
            raise InputError(f"{self._file} is not a part of a check.", _SAVED)
        version, pycheck = data.get("version"), data.get("pycheck_version")
        if (version, pycheck) != (PART_VERSION, __version__):
            of = f"pycheck {pycheck}" + (f" in version {version} of the format" if pycheck == __version__ else "")
            raise InputError(
                f"Cannot merge {self.folder}: {of} wrote it, and this is pycheck {__version__}.",
                "Run and merge all shards with one version of pycheck.",
            )

    def _decoded(self, data: Any, kind: Any) -> Any:
        if data is None:
            raise self._damaged("it is empty or cut off")
        try:
            return decode(data, kind)
        except (DecodeError, ValueError, TypeError, RecursionError) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, what: str) -> InputError:
        shard = f" --shard {self.part.shard}" if hasattr(self, "part") else ""
        again = f"pycheck check{shard} --save-run DIR"
        return InputError(
            f"Cannot read the part {self._file}: {what}.", f"Copy it again, or run its shard again: {again}"
        )

    def _advice(self) -> str:
        if (self.folder / "run.json").is_file():
            return f"pycheck compare --save-run wrote this folder. Read it with pycheck report {self.folder}"
        return _SAVED
