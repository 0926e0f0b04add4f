"""The GitHub action and the Dockerfile: what they run exists, and the action's own script does what it says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from pycheck.cli.commands import app
from pycheck.setup.provision import PACKAGE_MANAGERS

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
SCRIPTS = [step["run"] for step in STEPS if "run" in step]
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


def _run_step() -> dict[str, Any]:
    (step,) = (step for step in STEPS if step.get("id") == "run")
    return step


def test_every_step_of_a_composite_action_names_its_shell() -> None:
    assert ACTION["runs"]["using"] == "composite"
    assert all(step.get("shell") == "bash" for step in STEPS if "run" in step)


def test_inputs_that_are_used_are_declared_and_those_declared_are_used() -> None:
    used = set(re.findall(r"inputs\.([a-z-]+)", yaml.safe_dump(ACTION["runs"])))
    assert used == set(ACTION["inputs"])
    assert all("default" in given and given["description"] for given in ACTION["inputs"].values())


def test_no_input_is_pasted_into_a_script() -> None:
    assert not any("${{" in script for script in SCRIPTS)


def test_the_python_of_an_earlier_step_with_the_users_tensorflow_can_be_kept() -> None:
    (setup,) = (step for step in STEPS if "setup-python" in step.get("uses", ""))
    assert setup["if"] == "inputs.python-version != ''"


@pytest.mark.real
@pytest.mark.parametrize("present", [True, False])
def test_a_tensorflow_is_installed_only_where_there_is_none(present: bool, tmp_path: Path) -> None:
    """`python` answers as where TensorFlow is there or not, and writes down what pip is told."""
    fake = tmp_path / "python"
    fake.write_text(f'#!/bin/sh\nif [ "$1" = -c ]; then exit {int(not present)}; fi\necho "$@" >> {tmp_path}/said\n')
    fake.chmod(0o755)
    (install,) = (step for step in STEPS if step.get("name") == "Install pycheck")
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "PACKAGE": "a folder/x.whl"}
    script = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", install["run"]]
    subprocess.run(script, cwd=tmp_path, env=environment, timeout=30, check=True)
    told = (tmp_path / "said").read_text().splitlines()
    extra = [] if present else ["-m pip install --quiet pycheck[tensorflow]"]
    assert told == ["-m pip install --quiet a folder/x.whl", *extra]


def test_the_image_has_a_tensorflow() -> None:
    assert re.search(
        r'^RUN set -- /wheels/\*\.whl && pip install --no-cache-dir "\$1\[tensorflow\]"$', DOCKERFILE, re.MULTILINE
    )


@pytest.mark.parametrize(
    "line", [line for s in SCRIPTS for line in s.replace("\\\n", " ").splitlines() if "pycheck " in line]
)
def test_every_command_of_pycheck_exists_with_its_options(line: str) -> None:
    program, *words = shlex.split(line.strip())
    assert program == "pycheck"
    command = ACTION["inputs"]["args"]["default"] if words[0] == "$ARGS" else words[0]
    known = {
        option for parameter in COMMANDS[command].params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.real
@pytest.mark.parametrize("code", [0, 1, 3])
def test_the_run_ends_with_the_exit_code_of_pycheck_which_is_an_output_too(code: int, tmp_path: Path) -> None:
    (tmp_path / "pycheck").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > said.txt\nexit {code}\n')
    (tmp_path / "pycheck").chmod(0o755)
    step = _run_step()
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "ARGS": "check cnn*  --runtime chromium:webgl",
        "REPORTS": "out/a folder",
    }
    assert set(step["env"]) == {"ARGS", "REPORTS"}
    # As GitHub runs a step: docs.github.com, "shell: bash".
    script = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run(script, cwd=tmp_path, env=environment, timeout=30, check=False)
    assert done.returncode == code
    assert (tmp_path / "output").read_text() == f"exit-code={code}\n"
    said = (tmp_path / "said.txt").read_text().splitlines()
    assert said[:5] == ["check", "cnn*", "--runtime", "chromium:webgl", "--github"]
    assert said[5:7] == ["--json", "out/a folder/pycheck.json"]
    assert (tmp_path / "out" / "a folder").is_dir()


def test_what_the_image_copies_is_there() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, flags=re.MULTILINE)
    assert copied
    assert [name for line in copied for name in line.split() if not (ROOT / name).exists()] == []


def test_the_image_has_the_packages_that_pycheck_would_install_itself() -> None:
    manager = PACKAGE_MANAGERS["apt-get"]
    needed = {package for packages in manager.browsers.values() for package in packages} | {manager.driver_library}
    install = re.search(r"apt-get install[^&]*", DOCKERFILE)
    assert install and needed <= set(install.group().split())


def test_the_image_runs_a_python_that_pycheck_takes() -> None:
    assert set(re.findall(r"FROM python:(\d+\.\d+)", DOCKERFILE)) == {"3.11"}
    assert ACTION["inputs"]["python-version"]["default"] == "3.11"


def test_nothing_that_is_built_here_reaches_the_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert {"pycheck/_harness", "node_modules", ".venv", ".git"} <= set(ignored)
