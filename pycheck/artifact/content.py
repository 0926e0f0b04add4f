"""Tells artifacts apart by what a library reads of them."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import replace
from pathlib import Path

from ..system.cache import content_key
from ..system.stamps import Stamp, stamps
from ..types import ArtifactInfo


def artifact_digest(artifact: ArtifactInfo) -> str:
    """Return a digest of how the artifact is named and of its files; OSError, ValueError or LookupError without it."""
    named = replace(artifact, folder=Path(), notes=(), converter="", reason="")
    names = [artifact.model_file]
    if artifact.format != "tflite":
        manifest = json.loads((artifact.folder / artifact.model_file).read_bytes()).get("weightsManifest") or ()
        names += [path for group in manifest for path in group["paths"]]
    return content_key(repr(named), files_digest([artifact.folder / name for name in names]))


def files_digest(files: list[Path]) -> str:
    """Return a digest of the names and the content of files. A file that did not change is read once."""
    return content_key([(file.name, _digest(file, stamp)) for file, stamp in stamps(files).items()])


@functools.lru_cache(maxsize=256)
def _digest(file: Path, _stamp: Stamp | None) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
