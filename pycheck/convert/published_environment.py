"""Where the published converter can run: in this environment, or in one of its own that pycheck makes in the cache."""

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

from .. import installed
from ..cache import ENVIRONMENTS, Cache
from ..errors import InstallationError

RELEASE = "4.22.0"
#: The last TensorFlow that the release was made for, and what it imports beside. Its other requirements hold about 100
#: packages at old versions (jax, flax, decision forests), for conversions other than those of Keras models and
#: SavedModels.
_PACKAGES = ("tensorflow==2.19.*", "tf-keras==2.19.*", "setuptools<81", "six", "packaging", "importlib_resources")
_TENSORFLOW = (2, 19)
#: Those that TensorFlow 2.19 has wheels for.
_PYTHONS = ("3.12", "3.11", "3.10")
_INSTALL_TIMEOUT_S = 1800.0
_COMMAND = "pycheck doctor --install tensorflowjs"


@dataclass(frozen=True, slots=True)
class PublishedConverter:
    """A Python that has tensorflowjs, and the versions there."""

    python: str
    release: str
    tensorflow: str

    def __str__(self) -> str:
        return f"tensorflowjs {self.release}, tensorflow {self.tensorflow}"


def find_published(cache: Cache) -> PublishedConverter:
    """The published converter of this environment, else of its own in the cache. InstallationError if it is in neither.

    That of this environment is taken only beside the TensorFlow that it was made for.
    """
    if importlib.util.find_spec("tensorflowjs") is not None:
        tensorflow = installed.find("tensorflow")
        if tensorflow and tensorflow.release <= _TENSORFLOW:
            return PublishedConverter(sys.executable, _version_in(sys.executable, "tensorflowjs"), tensorflow.version)
    python = _place(cache) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.is_file():
        raise InstallationError(
            f"The published converter (tensorflowjs {RELEASE}) is not installed in this environment, and pycheck has "
            f"made none for it in {_place(cache)}.",
            f"Run: {_COMMAND}",
        )
    return PublishedConverter(
        str(python), _version_in(str(python), "tensorflowjs"), _version_in(str(python), "tensorflow")
    )


def install_published(cache: Cache, report: Callable[[str], None]) -> PublishedConverter:
    """Make the environment in the cache, if it is not there. InstallationError says why it cannot be made."""
    place = _place(cache)
    if not place.is_dir():
        python = _find_python()
        report(f"installing tensorflowjs {RELEASE} with TensorFlow 2.19 into {place} (about 2 GB)")
        place.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".tensorflowjs-", dir=place.parent))
        try:
            _fill(python, scratch)
            scratch.rename(place)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return find_published(cache)


def _fill(python: str, folder: Path) -> None:
    _run([python, "-m", "venv", str(folder)])
    own = str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *_PACKAGES])
    _run([*pip, "--no-deps", f"tensorflowjs=={RELEASE}"])


def _find_python() -> str:
    """An interpreter that TensorFlow 2.19 has wheels for: this one, one on the path, one of pyenv's or of uv's."""
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
        f"{sys.version_info.minor}; no Python {', '.join(reversed(_PYTHONS))} was found here.",
        f"Install one (uv python install 3.12; apt-get install python3.11 python3.11-venv), then run: {_COMMAND}",
    )


def _of_uv(version: str) -> list[str]:
    uv = shutil.which("uv")
    found = subprocess.run([uv, "python", "find", version], capture_output=True, text=True, check=False) if uv else None
    return [found.stdout.strip()] if found and found.returncode == 0 else []


def _place(cache: Cache) -> Path:
    return cache.root / ENVIRONMENTS / f"tensorflowjs-{RELEASE}"


def _version_in(python: str, package: str) -> str:
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return _answers(python, code) or "unknown"


def _answers(python: str, code: str) -> str:
    """What a line of Python prints; empty if it fails."""
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _run(words: Sequence[str]) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallationError(f"The published converter cannot be installed: {error}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise InstallationError(
            f"The published converter cannot be installed: {' '.join(words[1:])} ended with {done.returncode}: "
            f"{said[-1] if said else 'no output'}"
        )
