"""Finds a Python for the published converter: this environment, or a separate one that pycheck makes in the cache."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InstallationError
from ..system import installed
from ..system.cache import ENVIRONMENTS, Cache

RELEASE = "4.22.0"
#: The last TensorFlow that the release supports, and its other imports. Its remaining requirements pin about 100
#: packages at old versions (jax, flax, decision forests), for conversions other than those of Keras models and
#: SavedModels.
_PACKAGES = ("tensorflow==2.19.*", "tf-keras==2.19.*", "setuptools<81", "six", "packaging", "importlib_resources")
_TENSORFLOW = (2, 19)
#: The versions of Python that TensorFlow 2.19 has wheels for.
_PYTHONS = ("3.12", "3.11", "3.10")
_INSTALL_TIMEOUT_S = 1800.0
_COMMAND = "pycheck doctor --install tensorflowjs"


@dataclass(frozen=True, slots=True)
class PublishedConverter:
    """A Python with tensorflowjs, and the versions there."""

    python: str
    release: str
    tensorflow: str

    def __str__(self) -> str:
        return f"tensorflowjs {self.release}, tensorflow {self.tensorflow}"


def find_published(cache: Cache) -> PublishedConverter:
    """Return the converter of the environment in the cache, else of this one. InstallationError if there is none.

    That of this environment is used only with the TensorFlow that it supports.
    """
    if kept := _kept(cache):
        return kept
    if importlib.util.find_spec("tensorflowjs") is not None:
        tensorflow = installed.find("tensorflow")
        if tensorflow and tensorflow.release <= _TENSORFLOW:
            return PublishedConverter(sys.executable, _version_in(sys.executable, "tensorflowjs"), tensorflow.version)
    raise InstallationError(
        f"The published converter (tensorflowjs {RELEASE}) is not installed, neither in this environment nor in "
        f"{_place(cache)}.",
        f"To install it, run: {_COMMAND}",
    )


def install_published(cache: Cache, report: Callable[[str], None]) -> PublishedConverter:
    """Make the environment in the cache, unless a working one exists. InstallationError says why it cannot be made."""
    if kept := _kept(cache):
        return kept
    python, place = _find_python(), _place(cache)
    report(f"installing tensorflowjs {RELEASE} with TensorFlow 2.19 into {place} (about 2 GB)")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".tensorflowjs-", dir=place.parent))
    except OSError as error:
        raise InstallationError(
            f"Cannot install the published converter into {place.parent}: {error.strerror}.",
            "Set PYCHECK_CACHE_DIR to a folder that you can write to.",
        ) from error
    try:
        _fill(python, scratch)
        return _put(scratch, cache)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _put(scratch: Path, cache: Cache) -> PublishedConverter:
    """Move the new environment into place, unless a different process has put one there in the meantime."""
    place, failure = _place(cache), ""
    if not _kept(cache):
        shutil.rmtree(place, ignore_errors=True)  # an old one without its Python or its packages
        try:
            scratch.rename(place)
        except OSError as error:
            failure = f": {error.strerror}"
    if kept := _kept(cache):
        return kept
    raise InstallationError(
        f"The published converter was installed in {place}, but does not run{failure}.",
        f"Remove this folder, and run: {_COMMAND}",
    )


def isolated(python: str) -> list[str]:
    """Return the command of a Python that imports nothing from the working folder.

    PYTHONPATH is only for this Python: its packages do not fit a different one.
    """
    return [python, "-P" if python == sys.executable else "-I"]


def _fill(python: str, folder: Path) -> None:
    _run([*isolated(python), "-m", "venv", str(folder)])
    pip = [*isolated(_python_in(folder)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *_PACKAGES])
    _run([*pip, "--no-deps", f"tensorflowjs=={RELEASE}"])


def _find_python() -> str:
    """Find an interpreter with wheels of TensorFlow 2.19: this one, one on the path, one of pyenv or uv."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" in _PYTHONS:
        return sys.executable
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in _PYTHONS:
        found = [path for path in (shutil.which(f"python{version}"), *_of_uv(version)) if path]
        found += [str(path / "bin" / "python") for path in sorted(kept.glob(f"{version}.*"), reverse=True)]
        for path in found:
            if _answers(path, "import ensurepip, sys; print('%d.%d' % sys.version_info[:2])") == version:
                return path
    raise InstallationError(
        f"The published converter needs TensorFlow 2.19, which has no package for Python {sys.version_info.major}."
        f"{sys.version_info.minor}. pycheck found no Python {', '.join(reversed(_PYTHONS))} here.",
        f"Install one (uv python install 3.12; apt-get install python3.11 python3.11-venv), then run: {_COMMAND}",
    )


def _of_uv(version: str) -> list[str]:
    uv = shutil.which("uv")
    found = subprocess.run([uv, "python", "find", version], capture_output=True, text=True, check=False) if uv else None
    return [found.stdout.strip()] if found and found.returncode == 0 else []


def _place(cache: Cache) -> Path:
    return cache.root / ENVIRONMENTS / f"tensorflowjs-{RELEASE}"


def _python_in(environment: Path) -> str:
    return str(environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def _kept(cache: Cache) -> PublishedConverter | None:
    """Return the converter in the cache, if its Python still runs and has the release."""
    python = _python_in(_place(cache))
    if not Path(python).is_file() or (release := _version_in(python, "tensorflowjs")) != RELEASE:
        return None
    return PublishedConverter(python, release, _version_in(python, "tensorflow"))


def _version_in(python: str, package: str) -> str:
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return _answers(python, code) or "unknown"


def _answers(python: str, code: str) -> str:
    """Run a line of Python, and return its output; empty if it fails."""
    try:
        words = [*isolated(python), "-c", code]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _run(words: Sequence[str]) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallationError(f"Cannot install the published converter: {error}.") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise InstallationError(
            f"Cannot install the published converter: {' '.join(words[1:])} exited with {done.returncode}: "
            f"{said[-1] if said else 'no output'}"
        )
