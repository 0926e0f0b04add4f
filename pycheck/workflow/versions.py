"""The versions and the code that results in the cache come from, which are parts of their keys."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import asdict
from pathlib import Path

from ..conversion.published_environment import PublishedConverter, find_published
from ..errors import InstallationError
from ..system import installed
from ..system.cache import Cache, content_key


@functools.cache
def own_code() -> str:
    """Return a digest of pycheck's code, because a version does not identify the state of a checkout."""
    files = sorted(Path(__file__).parents[1].rglob("*.py"))
    return content_key([(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files])


def versions(cache: Cache) -> dict[str, str]:
    """Return the installed versions; without TensorFlow those of the last run that filled the cache."""
    found = installed.versions()
    if installed.find("tensorflow") is None:
        return cache.noted("versions") or found
    cache.note("versions", found)
    return found


def published_converter(cache: Cache) -> PublishedConverter:
    """Return the published converter; if it is not installed, the one whose results are in the cache.

    InstallationError if there is neither.
    """
    try:
        found = find_published(cache)
    except InstallationError:
        if noted := cache.noted("converter"):
            return PublishedConverter(**noted)
        raise
    cache.note("converter", asdict(found))
    return found
