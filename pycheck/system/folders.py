"""Folders that a run hands out: looked at before any work is done, written whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..errors import UsageError


def check_new_folder(option: str, folder: Path) -> None:
    """UsageError unless a folder can be written there without overwriting anything."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"{option} {folder} exists and is not an empty folder", "Name a new folder: nothing is overwritten."
        )
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not existing.is_dir():
        raise UsageError(f"{option} {folder}: {existing} is not a folder")
    try:
        with tempfile.TemporaryDirectory(prefix=".pycheck-", dir=existing):
            pass
    except OSError as error:
        raise UsageError(f"{option} {folder} cannot be written: {error.strerror}") from error


def write_folder(option: str, folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all of the files, by name, into a folder that is new or empty; UsageError when that cannot be done."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
            complete = Path(scratch) / "complete"
            complete.mkdir()
            for name, content in files.items():
                (complete / name).write_bytes(content)
            complete.rename(folder)
    except OSError as error:
        raise UsageError(f"{option} {folder} cannot be written: {error}") from error
