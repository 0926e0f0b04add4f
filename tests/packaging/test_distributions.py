"""What a user installs has the harness inside, and says so when it cannot."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from pycheck.version import __version__

ROOT = Path(__file__).parents[2]
#: hatchling, installed apart (Makefile says why); `make .setup/build/.packages` brings it.
BUILD_PYTHON = ROOT / ".setup" / "build" / "bin" / "python"
HARNESS = {"pycheck/_harness/index.html", "pycheck/_harness/main.js", "pycheck/_harness/manifest.json"}
WASM = "pycheck/_harness/tfjs-backend-wasm-simd.wasm"


def build(project: Path, target: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BUILD_PYTHON), "-m", "hatchling", "build", "--directory", str(target), *options],
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
    assert {*HARNESS, WASM, "pycheck/py.typed", "pycheck/remedies/run_on_cpu.js"} <= names
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


@pytest.mark.real
def test_without_the_harness_there_is_no_wheel(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE", "js_harness/hatch_build.py", "pycheck/version.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    done = build(tmp_path, tmp_path / "dist", "-t", "wheel")
    assert done.returncode != 0
    assert "run `make build`" in done.stderr
    assert not list((tmp_path / "dist").glob("*.whl"))


def test_javascript_and_python_have_one_version_of_pycheck_and_one_of_tensorflow_js() -> None:
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    assert package["version"] == __version__
    pinned = {name: pin for name, pin in package["devDependencies"].items() if name.startswith("@tensorflow/")}
    assert pinned
    assert set(pinned.values()) == {version("tensorflowjs")}


def test_the_lock_file_names_no_registry() -> None:
    text = (ROOT / "package-lock.json").read_text(encoding="utf-8")
    assert not re.search(r'"resolved": "https?://', text)
