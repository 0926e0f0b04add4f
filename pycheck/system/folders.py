"""Checks output folders before the work starts, and writes them completely or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..errors import UsageError

_NAME = "Name a folder that you can write to."


def check_new_folder(option: str, folder: Path) -> None:
    """Raise UsageError unless the folder can be written without overwriting anything."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"{option} {folder}: the folder exists and is not empty.", "Name a new folder. pycheck overwrites nothing."
        )
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not existing.is_dir():
        raise UsageError(f"{option} {folder}: {existing} is not a folder.", "Name a new folder.")
    try:
        with tempfile.TemporaryDirectory(prefix=".pycheck-", dir=existing):
            pass
    except OSError as error:
        raise UsageError(f"{option} {folder}: cannot write to this folder: {error.strerror}.", _NAME) from error


def write_folder(option: str, folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all files, by name, into a folder that is new or empty; UsageError if that fails."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
            complete = Path(scratch) / "complete"
            complete.mkdir()
            for name, content in files.items():
                (complete / name).write_bytes(content)
            complete.rename(folder)
    except OSError as error:
        raise UsageError(f"{option} {folder}: cannot write to this folder: {error}.", _NAME) from error
